"""Importing bills: every shape, once each, replaced by later ones, or refused with a reason."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.reconciliation.conftest import Ask
from tests.reconciliation.exports import (
    anthropic_cost,
    anthropic_report,
    anthropic_usage,
    csv,
    openai_cost,
    openai_page,
    openai_usage,
)

DAY = "2026-11-16"
SONNET = "claude-sonnet-4-6"


async def bill(ask: Ask, document: Any, **more: Any) -> Any:
    return await ask("POST", "/vendor-bills", status=201, document=document, **more)


async def lines(ask: Ask, document: Any) -> list[tuple[Any, ...]]:
    made = await bill(ask, document)
    found = await ask("GET", f"/vendor-bills/{made['id']}")
    names = ("model", "token_class", "tier", "amount", "quantity")
    return [tuple(line.get(name) for name in names) for line in found["items"]]


async def billed(ask: Ask) -> Any:
    found = await ask("GET", "/reconciliation")
    return found["totals"][0]["billed"] if found["totals"] else None


async def test_costs_of_openai_name_model_class_and_tier(ask: Ask) -> None:
    items = [
        openai_cost("gpt-5-2025-08-07, input", "0.065", 52_000),
        openai_cost(
            "gpt-5-2025-08-07, cached input", Decimal("0.01"), 80, quantity_unit="1000_tokens"
        ),
        openai_cost("priority | gpt-5-2025-08-07, output, long context", 1, None),
        openai_cost("gpt-audio-mini-2025-12-15 audio, input", Decimal("0.5"), 50_000),
        openai_cost("gpt-5.6-sol, cache writes", Decimal("0.2"), 1_000),
        openai_cost("web search tool calls", Decimal("2.25"), 225),
        openai_cost("assistants api | file search", Decimal("0.1"), 40),
        openai_cost(None, Decimal("-0.3")),
    ]
    found = await lines(ask, openai_page({DAY: items}))
    assert found == [
        (None, None, None, Decimal("-0.3"), None),
        (None, "other", None, Decimal("0.1"), None),
        (None, "search", None, Decimal("2.25"), None),
        ("gpt-5", "cache_read", None, Decimal("0.01"), 80_000),
        ("gpt-5", "input", None, Decimal("0.065"), 52_000),
        ("gpt-5", "output", "priority", 1, None),
        ("gpt-5.6-sol", "cache_write", None, Decimal("0.2"), 1_000),
        ("gpt-audio-mini", "input", None, Decimal("0.5"), 50_000),
    ]


async def test_usage_of_openai_counts_cache_inside_the_input(ask: Ask) -> None:
    usage = openai_usage(
        "gpt-5",
        input_tokens=1_000,
        input_cached_tokens=300,
        input_cache_write_tokens=200,
        input_cache_write_12h_tokens=50,
        output_tokens=70,
        num_model_requests=4,
        batch=True,
    )
    found = await lines(ask, openai_page({DAY: [usage]}))
    assert {(line[1], line[4]) for line in found} == {
        ("input_uncached", 500),
        ("input_cached_read", 300),
        ("cache_write_30m", 150),
        ("cache_write_12h", 50),
        ("output_text", 70),
        ("requests", 4),
    }
    assert {line[2] for line in found} == {"batch"}


async def test_reports_of_anthropic_give_cents_and_count_cache_beside_the_input(ask: Ask) -> None:
    costs = [
        anthropic_cost(SONNET, "uncached_input_tokens", "123.45678"),
        anthropic_cost(SONNET, "cache_creation.ephemeral_1h_input_tokens", "6"),
        anthropic_cost(None, None, "40.0"),
    ]
    assert await lines(ask, anthropic_report({DAY: costs})) == [
        (None, "search", None, Decimal("0.4"), None),
        (SONNET, "cache_write_1h", "standard", Decimal("0.06"), None),
        (SONNET, "input_uncached", "standard", Decimal("1.2345678"), None),
    ]
    usage = anthropic_usage(
        SONNET,
        uncached_input_tokens=10,
        cache_read_input_tokens=20,
        written_5m=30,
        written_1h=40,
        output_tokens=50,
        searches=2,
    )
    found = await lines(ask, anthropic_report({DAY: [usage]}))
    assert {(line[1], line[4]) for line in found} == {
        ("input_uncached", 10),
        ("input_cached_read", 20),
        ("cache_write_5m", 30),
        ("cache_write_1h", 40),
        ("output_text", 50),
        ("search", 2),
    }


async def test_a_table_has_its_documented_columns_in_any_order(ask: Ask) -> None:
    table = csv(
        "\ufeffAmount,Day,Vendor,Model,Class,Tier,Currency,Quantity,Requests,Note",
        ["1.5,2026-11-16,Gemini,gemini-2.5-flash,input,Batch,usd,1000,3,hello", "", ",,,,,,,,,"],
    )
    made = await bill(ask, table)
    assert made["vendors"][0]["vendor_external_id"] == "google"
    assert made["vendors"][0]["amounts"] == [{"currency": "USD", "amount": Decimal("1.5")}]
    [line, requests] = (await ask("GET", f"/vendor-bills/{made['id']}"))["items"]
    assert (line["amount"], line["quantity"], line["tier"]) == (Decimal("1.5"), 1000, "batch")
    assert (requests["token_class"], requests["quantity"]) == ("requests", 3)


async def test_the_same_bill_twice_changes_nothing(ask: Ask) -> None:
    items = [openai_cost("gpt-5, input", 1), openai_cost("gpt-5, output", 2)]
    first = await bill(ask, openai_page({DAY: items}), name="a.json")
    again = await bill(ask, openai_page({DAY: items[::-1]}), name="b.json")
    assert (first["duplicate"], again["duplicate"]) == (False, True)
    assert again["id"] == first["id"]
    assert (await ask("GET", "/vendor-bills"))["total_count"] == 1
    assert await billed(ask) == 3


async def test_a_later_bill_replaces_its_days_and_the_earlier_stays_known(ask: Ask) -> None:
    await bill(ask, openai_page({DAY: [openai_cost("gpt-5, input", 1)], "2026-11-17": []}))
    later = openai_page({DAY: [], "2026-11-17": [openai_cost("gpt-5, input", 5)]})
    made = await bill(ask, later)
    assert await billed(ask) == 5
    assert (await ask("GET", "/vendor-bills"))["total_count"] == 2
    await ask("DELETE", f"/vendor-bills/{made['id']}", status=204)
    await ask("DELETE", f"/vendor-bills/{made['id']}", status=204)
    assert await billed(ask) == 1
    kept = await ask("GET", f"/vendor-bills/{made['id']}")
    assert kept["withdrawn_at"]
    assert (await bill(ask, later))["duplicate"] is False
    assert await billed(ask) == 5


async def test_parts_of_a_bill_add_up(ask: Ask) -> None:
    for part, amount in (("proj_a", 1), ("proj_b", 2), ("proj_a", 4)):
        await bill(ask, openai_page({DAY: [openai_cost("gpt-5, input", amount)]}), part=part)
    assert await billed(ask) == 6


async def test_pages_one_after_the_other_are_one_bill(ask: Ask) -> None:
    pages = [
        openai_page({DAY: [openai_cost("gpt-5, input", 1)]}, has_more=True),
        openai_page({"2026-11-17": [openai_cost("gpt-5, input", 2)]}),
    ]
    made = await bill(ask, pages)
    assert (made["lines"], made["warnings"]) == (2, [])
    assert "has_more" in (await bill(ask, pages[0]))["warnings"][0]


BAD = {
    "nothing known": ({"hello": 1}, "is in no known shape"),
    "a list of texts": (["a"], "is in no known shape"),
    "text": ("hello\nworld\n", "header of day, vendor, model"),
    "broken JSON": ('{"data": [', "is in no known shape"),
    "no results": (openai_page({DAY: []}), "has no results"),
    "no lines": ("day,amount\n", "has no lines"),
    "no vendor": ("day,amount\n2026-11-16,1\n", "line 2 has no vendor"),
    "no number": (
        "day,vendor,amount\n2026-11-16,openai,12 USD\n",
        "line 2 amount must be a number",
    ),
    "not finite": ("day,vendor,amount\n2026-11-16,openai,NaN\n", "line 2 amount must be"),
    "no day": ("day,vendor,amount\n16.11.2026,openai,1\n", "line 2 day must be a day"),
    "no class": ("day,vendor,class,amount\n2026-11-16,x,tokens,1\n", "line 2 class must be one"),
    "no currency": ("day,vendor,amount,currency\n2026-11-16,x,1,ZZZ\n", "'ZZZ' is not a currency"),
    "negative count": ("day,vendor,quantity\n2026-11-16,x,-1\n", "line 2 quantity must not be"),
    "a month in a bucket": (
        {"data": [{"start_time": 1795046400, "end_time": 1797638400, "results": []}]},
        "covers more than a UTC day",
    ),
    "more cached than input": (
        openai_page({DAY: [openai_usage("gpt-5", input_cached_tokens=5)]}),
        "has more cached tokens",
    ),
    "nobody's vendor": ("day,vendor,amount\n2026-11-16,vnd_1,1\n", "there is no vendor 'vnd_1'"),
}


@pytest.mark.parametrize("what", BAD)
async def test_what_is_wrong_with_a_bill_is_said_and_nothing_is_kept(what: str, ask: Ask) -> None:
    document, said = BAD[what]
    refused = await ask("POST", "/vendor-bills", status=422, document=document)
    assert said in str(refused["errors"]), refused
    assert (await ask("GET", "/vendor-bills"))["total_count"] == 0
