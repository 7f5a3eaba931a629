"""Published rates against LiteLLM's table, which others keep; every difference is listed with its
reason. Only the table is taken out of its package, which is large and has many requirements."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from credyt_mcp.domain.llm_pricing import Rates
from credyt_mcp.use_cases import price_table
from tests.llm.calls import CALLS
from tests.llm.conftest import TODAY

PACKAGE = "litellm==1.109.1"
FILE = "litellm/model_prices_and_context_window_backup.json"
FIELDS = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "input_audio": "input_cost_per_audio_token",
    "output_audio": "output_cost_per_audio_token",
    "input_image": "input_cost_per_image_token",
}
"""Our rates, per million tokens, and its fields, per token."""

_DEEPSEEK = "theirs is of a newer model under the same name, ours has an older day and night"
_LATEST = "what -latest stands for: theirs is of the third Large, ours of the second"
DIFFERENCES = {
    ("deepseek", "deepseek-chat", "input"): _DEEPSEEK,
    ("deepseek", "deepseek-chat", "output"): _DEEPSEEK,
    ("deepseek", "deepseek-chat", "cache_read"): _DEEPSEEK,
    ("mistral", "mistral-large-latest", "input"): _LATEST,
    ("mistral", "mistral-large-latest", "output"): _LATEST,
    ("openai", "gpt-4o-transcribe", "input_audio"): "theirs is the rate of text",
}
"""Provider, model and rate, and why theirs is not ours."""


@pytest.fixture
def theirs(tmp_path: Path) -> dict[str, Any]:
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:")
    subprocess.run([*pip, "--dest", str(tmp_path), PACKAGE], check=True, capture_output=True)
    [wheel] = tmp_path.glob("litellm-*.whl")
    with zipfile.ZipFile(wheel) as package:
        table: dict[str, Any] = json.loads(package.read(FILE), parse_float=Decimal)
    return table


@pytest.mark.slow
def test_the_rates_of_the_table_of_calls_are_those_of_another_table(theirs: dict[str, Any]) -> None:
    compared, found = 0, {}
    for provider, model in sorted({(call.provider, call.model) for call in CALLS}):
        provider = price_table.canonical(provider)
        meaning = next(
            (one for one in price_table.candidates(provider, model) if price_table.knows(*one)),
            None,
        )
        assert meaning is not None
        row = theirs.get(meaning[1]) or theirs.get("/".join(meaning)) or theirs.get(model)
        if row is None:
            continue
        rates: Rates = price_table.rates(*meaning, TODAY, None, None, None)
        for rate, field in FIELDS.items():
            if field in row and rate in rates.by_name:
                compared += 1
                other = Decimal(row[field]) * 10**6
                if other != rates.by_name[rate].base:
                    found[*meaning, rate] = (rates.by_name[rate].base, other)
    assert found.keys() == DIFFERENCES.keys(), found
    assert compared > 100
