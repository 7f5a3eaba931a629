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
SUMS = "{{'revenue': {}, 'costs': 500000000, 'repeated': 0, 'events': 1, 'unpriced': 0}}"
BROKEN = {
    "revenue of a customer": (
        "UPDATE customer_margins SET revenue_rest = revenue_rest + 1 WHERE period < 1000000",
        f"{ROLLUP}1 of 2026-03-10 in USD says {SUMS.format(5 * 10**9 + 1)}, not "
        + SUMS.format(5 * 10**9),
    ),
    "a customer's month": (
        "UPDATE customer_margins SET costs = costs + 1 WHERE period > 1000000",
        f"{ROLLUP}1 of 2026-03 in USD",
    ),
    "a day that is missing": (
        "DELETE FROM customer_margins WHERE period < 1000000",
        f"{ROLLUP}1 of 2026-03-10",
    ),
    "an end user's task": (
        "UPDATE use_margins SET subject = 't2'",
        f"{ROLLUP}1 ann t2 of 2026-03-10",
    ),
    "usage of one price and vendor": (
        "UPDATE margins SET events = events + 1 WHERE vendor <> ''",
        "uncategorized of 2026-03-10",
    ),
    "a customer who never was": (
        "UPDATE customer_margins SET customer_id = 77 WHERE period < 1000000",
        f"{ROLLUP}77 of",
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
    who = {"customer_id": "jane", "user_id": "ann", "subject": "t1"}
    await call(record_event, **who, id="1", event_type="image", costs=[cost])
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
