"""`ledger verify` finds holds that do not add up, whoever's they are."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from credyt_mcp.app import System
from credyt_mcp.use_cases.authorizations import (
    authorize_usage,
    capture_authorization,
    release_authorization,
)
from credyt_mcp.use_cases.ledger import verify_all, verify_ledger
from tests.conftest import Call
from tests.samples import a_wallet

RELEG = "UPDATE authorizations SET legs = REPLACE(legs, '{}', '{}') WHERE client_id = '{}'"
NOT_THE_SUM = "is not the sum of its authorizations"

BROKEN = {
    "an account holds what no authorization explains": (
        "UPDATE ledger_accounts SET held = held + 1 WHERE held = 2000000000",
        NOT_THE_SUM,
    ),
    "an open authorization holds what its account does not": (
        RELEG.format("2000000000,2000000000", "2000000001,2000000001", "open"),
        NOT_THE_SUM,
    ),
    "an authorization that ended holds something": (
        RELEG.format(",0,0]", ",5,0]", "released"),
        "that is released still holds something",
    ),
    "a hold is on the account of another customer": (
        """UPDATE authorizations SET customer_id =
           (SELECT id FROM customers WHERE external_id = 'joe') WHERE client_id = 'open'""",
        "in an account of somebody else",
    ),
    "more is held than was authorized": (
        RELEG.format("2000000000,2000000000", "1000000000,2000000000", "open"),
        "holds more than it was granted",
    ),
}


@pytest.fixture
async def holds(call: Call) -> None:
    await a_wallet(call, credit=10)
    await a_wallet(call, credit=10, who="joe")
    for name in ("open", "released", "captured"):
        await call(authorize_usage, id=name, customer_id="jane", amount=2)
    await call(authorize_usage, id="joes", customer_id="joe", amount=3)
    await call(release_authorization, authorization_id="released")
    await call(capture_authorization, authorization_id="captured", amount=1)


@pytest.mark.usefixtures("holds")
async def test_sound_holds_pass_for_one_tenant_and_for_all(call: Call, system: System) -> None:
    own, everybody = await call(verify_ledger), verify_all(system.billing.database)
    assert (own.ok, everybody.ok) == (True, True)
    assert own.checked["authorizations"] == everybody.checked["authorizations"] == 4


@pytest.mark.usefixtures("holds")
@pytest.mark.parametrize("what", BROKEN)
async def test_a_hold_that_does_not_add_up_is_found(what: str, call: Call, system: System) -> None:
    statement, sentence = BROKEN[what]
    with system.billing.database.write() as session:
        assert session.connection().execute(text(statement)).rowcount == 1
    for report in (await call(verify_ledger), verify_all(system.billing.database)):
        assert not report.ok
        assert any(sentence in problem for problem in report.problems), report.problems
