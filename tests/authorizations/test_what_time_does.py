"""What time does to a wallet with holds, seen by readers at once and by the sweeper later."""

from __future__ import annotations

from datetime import timedelta

import pytest

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.use_cases import sweeping
from credyt_mcp.use_cases.adjustments import create_adjustment
from credyt_mcp.use_cases.authorizations import (
    authorize_usage,
    capture_authorization,
    extend_authorization,
)
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.limits import set_wallet_limits
from credyt_mcp.use_cases.notices import list_notices
from credyt_mcp.use_cases.wallets import get_account
from tests.conftest import NOW, Call
from tests.samples import a_wallet

JANE = {"customer_id": "jane", "account_id": "default:USD"}


async def gift(call: Call, amount: int, seconds: int) -> None:
    ends = (NOW + timedelta(seconds=seconds)).isoformat()
    gift = {"transaction_id": "g1", "asset": "USD", "amount": amount, "reason": "gift"}
    await call(create_adjustment, customer_id="jane", **gift, expires_at=ends)


async def test_credit_that_expires_under_a_hold_leaves_the_hold_standing(
    call: Call, clock: FrozenClock, system: System
) -> None:
    await a_wallet(call, credit=1)
    await gift(call, 5, seconds=60)
    await call(authorize_usage, id="a1", customer_id="jane", amount=6, expires_in=900)
    clock.advance(timedelta(seconds=60))
    account = await call(get_account, **JANE)
    assert (account.available, account.pending_out) == (-5, 6)
    await sweeping.sweep(system.billing)
    await call(capture_authorization, authorization_id="a1", amount=2)
    account = await call(get_account, **JANE)
    assert (account.available, account.pending_out) == (-1, 0)
    assert (await call(verify_ledger)).ok


async def test_a_balance_that_falls_because_credit_expires_is_noticed_too(
    call: Call, clock: FrozenClock, system: System
) -> None:
    await a_wallet(call, credit=1)
    await gift(call, 5, seconds=60)
    await call(set_wallet_limits, **JANE, low_balance_threshold=3)
    clock.advance(timedelta(seconds=60))
    await sweeping.sweep(system.billing)
    low, expired, _ = (await call(list_notices)).items
    assert (low.kind, low.balance) == ("balance.low", 1)
    assert (expired.kind, expired.data["amount"]) == ("grant.expired", 5)


async def test_one_customer_with_many_due_holds_does_not_keep_others_from_being_swept(
    call: Call, clock: FrozenClock, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "AT_ONCE", 5)
    for who, holds in (("jane", 10), ("joe", 1)):
        await a_wallet(call, credit=10, who=who)
        for number in range(holds):
            name = f"{who}-{number}"
            await call(authorize_usage, id=name, customer_id=who, amount=1, expires_in=60)
    clock.advance(timedelta(seconds=60))
    assert await sweeping.sweep(system.billing) == 2
    assert await sweeping.sweep(system.billing) == 0
    assert (await call(verify_ledger)).ok


async def test_an_extension_never_makes_a_hold_end_earlier(call: Call) -> None:
    await a_wallet(call, credit=1)
    await call(authorize_usage, id="a1", customer_id="jane", amount=1, expires_in=900)
    for seconds, until in ((60, 900), (1200, 1200)):
        held = await call(extend_authorization, authorization_id="a1", expires_in=seconds)
        assert held.expires_at == NOW + timedelta(seconds=until)
