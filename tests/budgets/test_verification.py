"""`ledger verify` recounts every budget from usage and holds, whoever's they are."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.use_cases.authorizations import authorize_usage, capture_authorization
from credyt_mcp.use_cases.budgets import set_budget
from credyt_mcp.use_cases.events import record_event
from credyt_mcp.use_cases.ledger import verify_all, verify_ledger
from tests.conftest import Call
from tests.samples import a_product, a_wallet, unit_price

USED = "what a budget has used is not what its usage adds up to: budget bgt_"
HELD = "what a budget holds is not the sum of its open authorizations: budget bgt_"
OF_ANN = "part = 'ann'"
BROKEN = {
    "an end user's usage": (
        f"UPDATE budget_uses SET used = used + 1 WHERE {OF_ANN}",
        USED,
        "of 'ann'",
    ),
    "the customer's usage": ("UPDATE budget_uses SET used = 0 WHERE part = ''", USED, ""),
    "what is held": (f"UPDATE budget_uses SET held = held - 1 WHERE {OF_ANN}", HELD, "of 'ann'"),
    "a share that is gone": (f"DELETE FROM budget_uses WHERE {OF_ANN}", USED, "of 'ann'"),
    "an hour that was": (
        f"UPDATE budget_uses SET began_at = began_at - 3600000000 WHERE {OF_ANN}",
        USED,
        "of 'ann'",
    ),
}


@pytest.fixture
async def budgets(call: Call, clock: FrozenClock) -> None:
    """Usage of two hours, the later of which counts, and a hold of which a part is captured."""
    await a_product(call, unit_price(2))
    await a_wallet(call, "studio", credit=100)
    await call(set_budget, customer_id="jane", limit=50, window="day")
    await call(set_budget, customer_id="jane", limit=50, window="hour", user_id="*")
    ann = {"customer_id": "jane", "user_id": "ann"}
    await call(record_event, **ann, id="1", event_type="image")
    clock.advance(timedelta(hours=1))
    await call(record_event, **ann, id="2", event_type="image")
    await call(authorize_usage, **ann, id="a", amount=5)
    part = {"amount": 3, "final": False, "transaction_id": "t"}
    await call(capture_authorization, authorization_id="a", **part)


@pytest.mark.usefixtures("budgets")
@pytest.mark.parametrize("what", BROKEN)
async def test_a_budget_that_does_not_add_up_is_found(
    what: str, call: Call, system: System
) -> None:
    sound = await call(verify_ledger)
    assert (sound.problems, sound.checked["budgets"]) == ([], 2)
    statement, sentence, share = BROKEN[what]
    with system.billing.database.write() as session:
        assert session.connection().execute(text(statement)).rowcount == 1
    for report in (await call(verify_ledger), verify_all(system.billing.database)):
        found = [one for one in report.problems if one.startswith(sentence)]
        assert len(found) == 1, report.problems
        assert found[0].endswith(share)
