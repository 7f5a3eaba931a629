"""`credyt-mcp reconcile` brings files, books the difference, and fails a job that finds much."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from credyt_mcp import exact_json
from credyt_mcp.cli import app
from tests.reconciliation.exports import csv, openai_cost, openai_page

DAY = "2026-11-16"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("CREDYT_")]:
        monkeypatch.delenv(name)

    def run(*words: str) -> Any:
        return CliRunner().invoke(app, ["reconcile", *words])

    return run


def test_files_are_imported_compared_and_booked(run: Any, tmp_path: Path) -> None:
    costs = [openai_cost("gpt-5-2025-08-07, input", 1, 800_000)]
    page, table = tmp_path / "costs.json", tmp_path / "bill.csv"
    page.write_bytes(exact_json.dumps(openai_page({DAY: costs})))
    table.write_text(csv("day,vendor,model,amount", [f"{DAY},anthropic,claude-sonnet-4-6,0.5"]))
    first = run(str(page), str(table), "--json")
    assert first.exit_code == 0, first.output
    found = exact_json.loads(first.stdout.encode())
    assert found["totals"][0]["classes"] == {"unattributed": exact_json.loads("1.5")}
    assert run("--max-difference", "3%").exit_code == 1
    booked = run(str(page), "--true-up", "--max-difference", "0%")
    assert booked.exit_code == 0, booked.output
    assert "had been imported" in booked.stderr
    assert "+1.5 USD" in booked.stderr
    assert "unattributed +1" in booked.stdout
    assert run("--reverse-true-up", "--max-difference", "0").exit_code == 1


def test_pages_may_stand_one_a_line(run: Any, tmp_path: Path) -> None:
    pages = [openai_page({day: [openai_cost("gpt-5, input", 2)]}) for day in (DAY, "2026-11-17")]
    path = tmp_path / "pages.jsonl"
    path.write_bytes(b"\n".join(exact_json.dumps(page) for page in pages))
    done = run(str(path), "--by", "vendor", "--json")
    assert exact_json.loads(done.stdout.encode())["totals"][0]["billed"] == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing.csv"], "missing.csv"),
        (["bad.csv"], "is in no known shape"),
        (["--by", "week"], "day, model or vendor"),
        (["--from", "yesterday"], "2026-03-01"),
        (["--max-difference", "some"], "3%"),
    ],
)
def test_what_is_wrong_is_said(run: Any, tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "bad.csv").write_text("hello")
    done = run(*words)
    assert done.exit_code
    assert said in f"{done.output}{done.exception}"
