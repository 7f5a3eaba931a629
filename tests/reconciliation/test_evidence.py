"""What bills tell less of than usage does, and what recorded calls tell of the difference."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from credyt_mcp.use_cases.llm_prices import set_llm_price
from credyt_mcp.use_cases.unpriced_costs import reprice_costs
from tests.conftest import Call
from tests.reconciliation.conftest import Ask, Use, gpt, sonnet
from tests.reconciliation.exports import (
    anthropic_cost,
    anthropic_report,
    csv,
    openai_cost,
    openai_page,
)

pytestmark = pytest.mark.usefixtures("shop")
DAY, NOON = "2026-11-16", "2026-11-16T12:00:00Z"
GPT, SONNET = "gpt-5-2025-08-07", "claude-sonnet-4-6"


async def bill(ask: Ask, document: Any) -> None:
    await ask("POST", "/vendor-bills", status=201, document=document)


async def rows(ask: Ask, **asked: Any) -> dict[Any, dict[str, Any]]:
    found = await ask("GET", "/reconciliation", **asked)
    for row in found["rows"]:
        assert row["recorded"] + sum(row["classes"].values()) == row["billed"]
    return {row.get("model"): row for row in found["rows"]}


async def test_one_sum_for_all_models_is_compared_as_one(use: Use, ask: Ask) -> None:
    await use("1", NOON, gpt(100_000, 10_000), gpt(100_000, 0, model="gpt-5-mini", attempt=1))
    await bill(ask, openai_page({DAY: [openai_cost(None, Decimal("0.3"))]}))
    [(model, row)] = (await rows(ask)).items()
    assert model is None
    assert (row["recorded"], row["classes"]) == (Decimal("0.25"), {"unattributed": Decimal("0.05")})


async def test_searches_are_compared_where_the_bill_has_them(use: Use, ask: Ask) -> None:
    searched = {"cache": {"server_tool_use": {"web_search_requests": 5}}}
    await use("1", NOON, sonnet(10_000, 1_000, **searched))
    costs = [
        anthropic_cost(SONNET, "uncached_input_tokens", "3.0"),
        anthropic_cost(SONNET, "output_tokens", "1.5"),
        anthropic_cost(None, None, "6.0"),
    ]
    await bill(ask, anthropic_report({DAY: costs}))
    found = await rows(ask)
    assert found[SONNET]["difference"] == 0
    assert found[None]["recorded"] == Decimal("0.05")
    assert found[None]["classes"] == {"unattributed": Decimal("0.01")}


async def test_a_price_that_is_known_by_now_explains_a_bill_without_quantities(
    use: Use, ask: Ask, call: Call
) -> None:
    await use("1", NOON, gpt(100_000, 10_000))
    await call(set_llm_price, provider="openai", model=GPT, input=2, output=10)
    await bill(ask, csv("day,vendor,model,amount", [f"{DAY},openai,gpt-5,0.31"]))
    row = (await rows(ask))["gpt-5"]
    assert row["classes"] == {"price_change": Decimal("0.075"), "unattributed": Decimal("0.01")}


async def test_cents_of_a_bill_are_rounding(use: Use, ask: Ask) -> None:
    await use("1", NOON, gpt(123_457, 10_001))
    await bill(ask, csv("day,vendor,model,amount", [f"{DAY},openai,gpt-5,0.25"]))
    row = (await rows(ask))["gpt-5"]
    assert row["recorded"] == Decimal("0.25433125")
    assert row["classes"] == {"rounding": Decimal("-0.00433125")}


async def test_calls_that_do_not_say_how_much_they_used_may_cost_what_others_do(
    use: Use, ask: Ask
) -> None:
    cut_off = {"provider": "openai", "model": GPT, "outcome": "aborted"}
    await use("1", NOON, gpt(100_000, 10_000))
    await use("2", NOON, gpt(100_000, 10_000))
    await use("3", NOON, cut_off)
    await bill(ask, csv("day,vendor,model,amount", [f"{DAY},openai,gpt-5,1"]))
    row = (await rows(ask))["gpt-5"]
    assert row["unpriced_calls"] == 1
    assert row["classes"] == {"unpriced": Decimal("0.225"), "unattributed": Decimal("0.325")}


async def test_a_call_that_was_priced_late_is_recorded(use: Use, ask: Ask, call: Call) -> None:
    await use("1", NOON, gpt(100_000, 10_000, model="gpt-99"))
    await bill(ask, csv("day,vendor,model,amount", [f"{DAY},openai,gpt-99,0.3"]))
    assert (await rows(ask))["gpt-99"]["classes"] == {"unpriced": Decimal("0.3")}
    await call(set_llm_price, provider="openai", model="gpt-99", input=2, output=10)
    await call(reprice_costs)
    assert (await rows(ask))["gpt-99"]["classes"] == {}


async def test_batches_end_on_the_next_day_and_tries_that_were_brought_are_no_retries(
    use: Use, ask: Ask
) -> None:
    await use("1", NOON, gpt(100_000, 10_000, batch=True))
    first = gpt(40_000, 4_000, outcome="failed", response_id="a")
    await use("2", NOON, first, gpt(40_000, 4_000, attempt=2, outcome="ok", response_id="b"))
    days = {
        DAY: [
            openai_cost(f"{GPT}, input", Decimal("0.2"), 160_000),
            openai_cost(f"{GPT}, output", Decimal("0.08"), 8_000),
        ],
        "2026-11-17": [
            openai_cost(f"batch | {GPT}, input", Decimal("0.0625"), 100_000),
            openai_cost(f"batch | {GPT}, output", Decimal("0.05"), 10_000),
        ],
    }
    await bill(ask, openai_page(days))
    found = await ask("GET", "/reconciliation")
    assert [row["classes"] for row in found["rows"]] == [
        {"unattributed": Decimal("0.1"), "timing": Decimal("-0.1125")},
        {"timing": Decimal("0.1125")},
    ]
    assert (await rows(ask, group_by="vendor"))[None]["classes"] == {"unattributed": Decimal("0.1")}


async def test_what_nobody_was_billed_for_is_unexplained_and_other_days_are_named(
    use: Use, ask: Ask
) -> None:
    await use("1", NOON, gpt(100_000, 10_000), who="internal")
    await use("2", "2026-11-18T12:00:00Z", gpt(100_000, 10_000))
    await bill(ask, openai_page({DAY: [openai_cost("gpt-5.6-sol, input", 1, 100)]}))
    days = {"period_from": DAY, "period_to": "2026-11-18"}
    found = await rows(ask, **days)
    assert found["gpt-5"]["classes"] == {"unexplained": Decimal("-0.225")}
    assert found["gpt-5"]["internal"] == Decimal("0.225")
    assert found["gpt-5.6-sol"]["classes"] == {"unattributed": 1}
    [left] = (await ask("GET", "/reconciliation", **days))["without_bill"]
    assert (left["recorded"], left["days"]) == (Decimal("0.225"), 1)


async def test_what_cannot_be_asked_is_refused(ask: Ask) -> None:
    await ask("GET", "/reconciliation", status=422, vendor_id="nobody")
    await ask("GET", "/reconciliation", status=422, period_from=DAY, period_to="2026-11-15")
    await ask("GET", "/reconciliation", status=422, period_from="2020-01-01", period_to=DAY)
    found = await ask("GET", "/reconciliation")
    assert "No bills are imported yet" in found["warnings"][0]
