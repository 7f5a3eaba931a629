"""Differences that were planted, one of each kind: each is found, classified and quantified."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from credyt_mcp.use_cases.llm_prices import set_llm_price
from tests.conftest import Call
from tests.reconciliation.conftest import Ask, Use, gpt, sonnet
from tests.reconciliation.exports import (
    anthropic_cost,
    anthropic_report,
    anthropic_usage,
    openai_cost,
    openai_page,
)

GPT, MINI = "gpt-5-2025-08-07", "gpt-5-mini-2025-08-07"


OPENAI = openai_page(
    {
        "2026-11-14": [],
        "2026-11-15": [
            openai_cost(f"{GPT}, input", Decimal("0.15"), 120_000),
            openai_cost(f"{GPT}, output", "0.12", 12_000),
        ],
        "2026-11-16": [
            openai_cost(f"{GPT}, input", Decimal("0.1875"), 150_000),
            openai_cost(f"{GPT}, output", Decimal("0.16"), 16_000),
        ],
        "2026-11-17": [
            openai_cost(f"{GPT}, input", Decimal("0.50"), 400_000),
            openai_cost(f"{GPT}, output", Decimal("0.40"), 40_000),
        ],
        "2026-11-19": [
            openai_cost("gpt-99, input", Decimal("0.3"), 100_000),
            openai_cost("gpt-99, output", Decimal("0.2"), 10_000),
            openai_cost(f"{MINI}, input", Decimal("0.0125"), 50_000),
            openai_cost(f"{MINI}, output", Decimal("0.01"), 5_000),
        ],
    }
)
ANTHROPIC = anthropic_report(
    {
        "2026-11-18": [
            anthropic_cost("claude-sonnet-4-6", "uncached_input_tokens", "3.00"),
            anthropic_cost("claude-sonnet-4-6", "output_tokens", "1.50"),
            anthropic_cost(
                "claude-sonnet-4-6", "cache_creation.ephemeral_5m_input_tokens", "15.00"
            ),
        ]
    }
)
USED = anthropic_usage(
    "claude-sonnet-4-6", uncached_input_tokens=10_000, output_tokens=1_000, written_5m=40_000
)


def classes(row: dict[str, Any]) -> dict[str, Any]:
    ties_out(row)
    return row["classes"]


def ties_out(row: dict[str, Any]) -> None:
    assert row["recorded"] + sum(row["classes"].values()) == row["billed"]
    assert row["difference"] == row["billed"] - row["recorded"]


def by_place(found: dict[str, Any]) -> dict[tuple[str, str | None, str | None], dict[str, Any]]:
    return {
        (row["vendor_external_id"], row.get("model"), row.get("day")): row for row in found["rows"]
    }


@pytest.mark.usefixtures("shop")
async def test_six_planted_differences_are_found(use: Use, ask: Ask, call: Call) -> None:
    # 16 November: a call that nobody recorded. 17: a first try that was not. 18: a cache write of
    # which the app knew nothing. 19: a model without a price, and a price that was lower.
    # 14 and 15: a call across midnight.
    await call(set_llm_price, provider="openai", model=MINI, input=2, output=16)
    await use("1", "2026-11-16T10:00:00Z", gpt(100_000, 10_000))
    await use("2", "2026-11-17T10:00:00Z", gpt(200_000, 20_000, attempt=2))
    await use("3", "2026-11-18T10:00:00Z", sonnet(10_000, 1_000))
    await use("4", "2026-11-19T10:00:00Z", gpt(100_000, 10_000, model="gpt-99"))
    await use("5", "2026-11-19T11:00:00Z", gpt(50_000, 5_000, model=MINI))
    await use("6", "2026-11-14T23:59:30Z", gpt(40_000, 4_000))
    await use("7", "2026-11-15T10:00:00Z", gpt(80_000, 8_000))
    for document in (OPENAI, ANTHROPIC, anthropic_report({"2026-11-18": [USED]})):
        await ask("POST", "/vendor-bills", status=201, document=document)
    found = await ask("GET", "/reconciliation")
    rows = by_place(found)
    assert classes(rows["openai", "gpt-5", "2026-11-14"]) == {"timing": Decimal("-0.09")}
    assert classes(rows["openai", "gpt-5", "2026-11-15"]) == {"timing": Decimal("0.09")}
    assert classes(rows["openai", "gpt-5", "2026-11-16"]) == {"unattributed": Decimal("0.1225")}
    assert classes(rows["openai", "gpt-5", "2026-11-17"]) == {"retry": Decimal("0.45")}
    assert classes(rows["anthropic", "claude-sonnet-4-6", "2026-11-18"]) == {
        "cache_write": Decimal("0.15")
    }
    assert classes(rows["openai", "gpt-99", "2026-11-19"]) == {"unpriced": Decimal("0.5")}
    assert classes(rows["openai", "gpt-5-mini", "2026-11-19"]) == {
        "price_change": Decimal("-0.1575")
    }
    [total] = found["totals"]
    ties_out(total)
    assert total["billed"] == Decimal("2.235")
    assert "timing" not in total["classes"]
    assert len(rows) == 7
