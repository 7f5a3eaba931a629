"""Booking what was billed beyond the records: a cost alone, once, changed by a later bill."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.wallets import get_wallet
from tests.conftest import Call
from tests.reconciliation.conftest import Ask, Use, gpt
from tests.reconciliation.exports import csv

HEADER = "day,vendor,model,amount"


@pytest.fixture
async def usage(shop: None, use: Use) -> None:
    """What costs 0.225 USD on the 16th and 0.09 on the 17th."""
    await use("1", "2026-11-16T10:00:00Z", gpt(100_000, 10_000))
    await use("2", "2026-11-17T10:00:00Z", gpt(40_000, 4_000))


async def bill(ask: Ask, *rows: str) -> Any:
    return await ask("POST", "/vendor-bills", status=201, document=csv(HEADER, rows))


async def costs(ask: Ask) -> dict[str, Decimal]:
    """What the vendor cost, by category."""
    found = await ask("GET", "/vendors/openai/stats")
    return {one["category"]: one["cost"] for one in found["categories"]}


@pytest.mark.usefixtures("usage")
async def test_the_difference_is_booked_as_a_cost_and_never_to_a_wallet(
    ask: Ask, call: Call
) -> None:
    before = (await call(get_wallet, customer_id="jane")).model_dump()
    await bill(ask, "2026-11-16,openai,gpt-5,0.5", "2026-11-17,openai,gpt-5,0.08")
    booked = await ask("POST", "/reconciliation/true-up")
    assert booked["changed"] == 2
    assert booked["amounts"] == [
        {"currency": "USD", "added": Decimal("0.265"), "booked": Decimal("0.265")}
    ]
    assert (await costs(ask))["true_up"] == Decimal("0.265")
    internal = await ask("GET", "/customers/internal/stats")
    assert internal["total_costs"] == Decimal("0.265")
    after = await call(get_wallet, customer_id="jane")
    assert after.model_dump() == before
    assert (await call(get_wallet, customer_id="internal")).accounts == []
    found = await ask("GET", "/reconciliation")
    [total] = found["totals"]
    assert (total["billed"], total["recorded"]) == (Decimal("0.58"), Decimal("0.315"))
    assert (total["true_up"], total["open"]) == (Decimal("0.265"), 0)
    assert (await call(verify_ledger)).problems == []


@pytest.mark.usefixtures("usage")
async def test_a_true_up_is_booked_once_follows_a_later_bill_and_is_taken_back(
    ask: Ask, call: Call
) -> None:
    await bill(ask, "2026-11-16,openai,gpt-5,0.5")
    for changed in (1, 0, 0):
        assert (await ask("POST", "/reconciliation/true-up"))["changed"] == changed
    assert (await costs(ask))["true_up"] == Decimal("0.275")
    later = await bill(ask, "2026-11-16,openai,gpt-5,0.3")
    await ask("POST", "/reconciliation/true-up")
    assert (await costs(ask))["true_up"] == Decimal("0.075")
    # Withdrawn, the bill before it counts again.
    await ask("DELETE", f"/vendor-bills/{later['id']}", status=204)
    await ask("POST", "/reconciliation/true-up")
    assert (await costs(ask))["true_up"] == Decimal("0.275")
    back = await ask("POST", "/reconciliation/true-up", reverse=True)
    assert back["amounts"] == [{"currency": "USD", "added": Decimal("-0.275"), "booked": 0}]
    assert (await costs(ask)).get("true_up", 0) == 0
    assert (await call(verify_ledger)).problems == []


@pytest.mark.usefixtures("usage")
async def test_a_day_whose_bills_were_all_withdrawn_is_no_longer_trued_up(ask: Ask) -> None:
    made = await bill(ask, "2026-11-16,openai,gpt-5,0.5")
    await ask("POST", "/reconciliation/true-up")
    await ask("DELETE", f"/vendor-bills/{made['id']}", status=204)
    days = {"period_from": "2026-11-16", "period_to": "2026-11-16"}
    found = await ask("GET", "/reconciliation", **days)
    assert found["rows"] == []
    assert any("True-ups are booked" in said for said in found["warnings"])
    assert found["without_bill"][0]["recorded"] == Decimal("0.225")
    await ask("POST", "/reconciliation/true-up", **days)
    assert (await costs(ask)).get("true_up", 0) == 0


@pytest.mark.usefixtures("usage")
async def test_true_ups_at_the_same_time_book_once(ask: Ask, call: Call) -> None:
    await bill(ask, "2026-11-16,openai,gpt-5,0.5", "2026-11-17,openai,gpt-5,0.1")
    done = await asyncio.gather(*(ask("POST", "/reconciliation/true-up") for _ in range(5)))
    assert sum(one["changed"] for one in done) == 2
    assert (await costs(ask))["true_up"] == Decimal("0.285")
    assert (await call(verify_ledger)).problems == []


@pytest.mark.usefixtures("usage")
async def test_usage_that_was_only_counted_is_not_booked(ask: Ask) -> None:
    rows = ["2026-11-16,openai,gpt-5,input,200000", "2026-11-16,openai,gpt-5,output,10000"]
    table = csv("day,vendor,model,class,quantity", rows)
    await ask("POST", "/vendor-bills", status=201, document=table)
    found = await ask("GET", "/reconciliation")
    [row] = found["rows"]
    assert row["estimated"]
    assert row["classes"] == {"unattributed": Decimal("0.125")}
    assert (await ask("POST", "/reconciliation/true-up"))["changed"] == 0
