"""`ledger verify` recomputes every rollup from events, charges and costs, whoever's they are."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from credyt_mcp.app import System
from credyt_mcp.use_cases.adjustments import create_charge
from credyt_mcp.use_cases.events import record_event
from credyt_mcp.use_cases.ledger import verify_all, verify_ledger
from credyt_mcp.use_cases.vendors import create_vendor
from tests.conftest import Call
from tests.samples import a_product, a_wallet, unit_price

ROLLUP = "a rollup is not what its events add up to: "
SUMS = "{{'revenue': {}, 'costs': 500000000, 'events': 1}}"
BROKEN = {
    "revenue of a customer": (
        "UPDATE rollups SET revenue_rest = revenue_rest + 1 WHERE dimension = 'customer'",
        f"{ROLLUP}customer 1 on 2026-03-10 in USD says {SUMS.format(5 * 10**9 + 1)}, not "
        + SUMS.format(5 * 10**9),
    ),
    "the sum of all": ("UPDATE rollups SET costs = costs + 1 WHERE dimension = 'all'", "all on"),
    "a day that is missing": ("DELETE FROM rollups WHERE dimension = 'customer'", "customer 1"),
    "a vendor's costs": (
        "UPDATE rollups SET events = events + 1 WHERE dimension = 'vendor'",
        "uncategorized on",
    ),
    "a customer who never was": (
        "UPDATE rollups SET name = '77' WHERE dimension = 'customer'",
        "customer 77",
    ),
    "what an event earned": (
        "UPDATE ledger_transactions SET amount = amount + 1 WHERE kind = 'charge'",
        ROLLUP,
    ),
    "a cost that nobody knows": ("DELETE FROM cost_ids", "a cost is counted twice, or not at all"),
}


@pytest.fixture
async def business(call: Call) -> None:
    await call(create_vendor, name="OpenAI", external_id="openai")
    await a_product(call, unit_price(2))
    await a_wallet(call, "studio")
    cost = {"id": "k", "vendor_external_id": "openai", "amount": "0.5"}
    await call(record_event, customer_id="jane", id="1", event_type="image", costs=[cost])
    charge = {"transaction_id": "c", "asset": "USD", "amount": 3}
    await call(create_charge, customer_id="jane", **charge)


@pytest.mark.usefixtures("business")
@pytest.mark.parametrize("what", BROKEN)
async def test_a_rollup_that_does_not_add_up_is_found(
    what: str, call: Call, system: System
) -> None:
    assert (await call(verify_ledger)).problems == []
    statement, sentence = BROKEN[what]
    with system.billing.database.write() as session:
        assert session.connection().execute(text(statement.replace(":", "\\:"))).rowcount == 1
    for report in (await call(verify_ledger), verify_all(system.billing.database)):
        assert any(sentence in problem for problem in report.problems), report.problems
