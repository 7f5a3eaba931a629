"""Authorizations: money held before usage, and given back or billed exactly once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import (
    IdReused,
    InsufficientBalance,
    InvalidRequest,
    NotFound,
    UnknownReference,
    WrongState,
)
from credyt_mcp.use_cases.adjustments import create_adjustment
from credyt_mcp.use_cases.authorizations import (
    authorize_usage,
    capture_authorization,
    extend_authorization,
    get_authorization,
    release_authorization,
)
from credyt_mcp.use_cases.events import record_event
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.sweeping import sweep
from credyt_mcp.use_cases.wallets import get_account
from tests.conftest import Call
from tests.samples import (
    TIERED,
    a_product,
    a_wallet,
    balances,
    credits_asset,
    unit_price,
    volume_price,
)


async def jane(call: Call, credit: Any = 10) -> None:
    await a_product(call, unit_price(4), volume_price("0.5"))
    await a_wallet(call, "studio", credit=credit)


async def hold(call: Call, name: str = "a1", **fields: Any) -> Any:
    return await call(authorize_usage, id=name, customer_id="jane", **fields)


async def account(call: Call) -> tuple[Decimal, Decimal]:
    """Available and held in USD."""
    found = await call(get_account, customer_id="jane", account_id="default:USD")
    return found.available, found.pending_out


async def test_an_estimate_is_held_and_the_event_bills_it(call: Call) -> None:
    await jane(call)
    held = await hold(call, event_type="chat", data={"tokens": 12})
    assert (held.status, held.amount, held.asset, held.available) == ("open", 6, "USD", 4)
    recorded = await call(
        record_event,
        customer_id="jane",
        id="e1",
        event_type="chat",
        data={"tokens": 10},
        authorization_id="a1",
    )
    assert recorded.fees[0].amount == 5
    assert recorded.balances == {"default:USD": Decimal(5)}
    done = await call(get_authorization, authorization_id="a1")
    assert (done.status, done.held, done.captured, done.exceeded) == ("captured", 0, 5, None)
    assert await account(call) == (5, 0)
    assert (await call(verify_ledger)).ok


async def test_a_hold_that_is_not_covered_is_denied_and_says_by_how_much(call: Call) -> None:
    await jane(call)
    await hold(call, amount=7)
    with pytest.raises(InsufficientBalance) as denied:
        await hold(call, "a2", event_type="image")
    assert denied.value.facts == {
        "account_id": "default:USD",
        "asset": "USD",
        "available": Decimal(3),
        "missing": Decimal(1),
    }
    assert await account(call) == (3, 7)
    with pytest.raises(NotFound):
        await call(get_authorization, authorization_id="a2")


async def test_usage_beyond_the_hold_is_billed_in_full_and_flagged(call: Call) -> None:
    await jane(call)
    await hold(call, amount=2)
    recorded = await call(
        record_event, customer_id="jane", id="e1", event_type="image", authorization_id="a1"
    )
    assert (recorded.authorization.exceeded, recorded.authorization.late) == (True, False)
    assert await account(call) == (6, 0)


async def test_a_released_hold_gives_everything_back(call: Call) -> None:
    await jane(call)
    await hold(call, amount=10)
    released = await call(release_authorization, authorization_id="a1")
    again = await call(release_authorization, authorization_id="a1")
    assert (released.status, again.status, again.duplicate) == ("released", "released", True)
    assert await account(call) == (10, 0)
    with pytest.raises(WrongState, match="released"):
        await call(capture_authorization, authorization_id="a1", amount=1)
    with pytest.raises(WrongState, match="released"):
        await call(extend_authorization, authorization_id="a1", amount=1)


async def test_a_hold_expires_exactly_at_every_read_and_is_booked_by_the_sweeper(
    call: Call, clock: FrozenClock, system: System
) -> None:
    await jane(call)
    await hold(call, amount=10, expires_in=60)
    clock.advance(timedelta(seconds=60) - timedelta(microseconds=1))
    assert await account(call) == (0, 10)
    clock.advance(timedelta(microseconds=1))
    assert await account(call) == (10, 0)
    assert (await call(get_authorization, authorization_id="a1")).status == "expired"
    assert await sweep(system.billing) == 1
    assert await sweep(system.billing) == 0
    assert await account(call) == (10, 0)
    assert (await call(verify_ledger)).ok


async def test_a_late_capture_bills_in_full_and_says_so(call: Call, clock: FrozenClock) -> None:
    await jane(call)
    await hold(call, amount=8, expires_in=60)
    clock.advance(timedelta(minutes=2))
    recorded = await call(
        record_event, customer_id="jane", id="e1", event_type="image", authorization_id="a1"
    )
    assert (recorded.authorization.late, recorded.authorization.status) == (True, "captured")
    assert await account(call) == (6, 0)


async def test_a_stream_extends_and_captures_in_slices(call: Call, clock: FrozenClock) -> None:
    await jane(call)
    await hold(call, amount=3, expires_in=60)
    clock.advance(timedelta(seconds=50))
    longer = await call(
        extend_authorization, authorization_id="a1", amount=2, expires_in=60, extension_id="x1"
    )
    again = await call(
        extend_authorization, authorization_id="a1", amount=2, expires_in=60, extension_id="x1"
    )
    assert (longer.held, again.held, again.duplicate) == (5, 5, True)
    clock.advance(timedelta(seconds=50))
    slice_ = {"authorization_id": "a1", "amount": 1, "final": False}
    for number in (1, 2, 2):
        await call(capture_authorization, **slice_, transaction_id=f"s{number}")
    assert await account(call) == (5, 3)
    with pytest.raises(InsufficientBalance):
        await call(extend_authorization, authorization_id="a1", amount=6)
    assert await account(call) == (5, 3)
    last = await call(capture_authorization, authorization_id="a1", amount="0.5")
    assert (last.status, last.captured) == ("captured", Decimal("2.5"))
    repeat = await call(capture_authorization, authorization_id="a1", amount="0.5")
    assert (repeat.duplicate, repeat.captured) == (True, Decimal("2.5"))
    assert await account(call) == (Decimal("7.5"), 0)
    assert (await call(verify_ledger)).ok


async def test_the_same_id_holds_once_and_another_request_under_it_is_refused(call: Call) -> None:
    await jane(call)
    first = await hold(call, amount=4)
    again = await hold(call, amount="4.0")
    assert (first.duplicate, again.duplicate, again.amount) == (False, True, 4)
    assert await account(call) == (6, 4)
    with pytest.raises(IdReused):
        await hold(call, amount=5)


async def test_an_event_captured_twice_bills_once_and_another_is_refused(call: Call) -> None:
    await jane(call)
    await hold(call, event_type="image")
    event = {"id": "e1", "event_type": "image"}
    first = await call(capture_authorization, authorization_id="a1", event=event)
    again = await call(capture_authorization, authorization_id="a1", event=event)
    assert (first.captured, again.captured, again.duplicate) == (4, 4, True)
    with pytest.raises(WrongState, match="captured"):
        await call(capture_authorization, authorization_id="a1", event={**event, "id": "e2"})
    assert await account(call) == (6, 0)


async def test_an_estimate_counts_from_where_the_period_stands(call: Call) -> None:
    await a_product(call, TIERED)
    await a_wallet(call, "studio", credit=1)
    for number in range(2):
        await call(record_event, customer_id="jane", id=str(number), event_type="call")
    held = [await hold(call, name, event_type="call") for name in ("a1", "a2")]
    assert [one.amount for one in held] == [Decimal("0.008"), Decimal("0.008")]


async def test_a_hold_falls_back_to_the_asset_that_covers_it_and_is_captured_there(
    call: Call,
) -> None:
    await credits_asset(call)
    price = unit_price(10, asset="credits")
    price["pricing"].append({"asset": "USD", "values": [{"unit_price": "0.5"}]})
    await a_product(call, price)
    await a_wallet(call, "studio", credit=[{"asset": "USD", "amount": 1}])
    held = await hold(call, event_type="image")
    assert (held.asset, held.amount) == ("USD", Decimal("0.5"))
    gift = {"transaction_id": "g1", "asset": "credits", "amount": 50, "reason": "gift"}
    await call(create_adjustment, customer_id="jane", **gift)
    await call(record_event, customer_id="jane", id="e1", event_type="image", authorization_id="a1")
    assert await balances(call) == {"default:credits": Decimal(50), "default:USD": Decimal("0.5")}


async def test_many_at_once_are_granted_exactly_what_the_wallet_covers(call: Call) -> None:
    await jane(call, credit=1)
    answers = await asyncio.gather(
        *(hold(call, f"a{number}", amount="0.05") for number in range(100)), return_exceptions=True
    )
    granted = [answer for answer in answers if not isinstance(answer, BaseException)]
    denied = [answer for answer in answers if isinstance(answer, InsufficientBalance)]
    assert (len(granted), len(denied)) == (20, 80)
    assert await account(call) == (0, 1)
    assert (await call(verify_ledger)).ok


async def test_what_does_not_fit_together_is_refused_by_name(call: Call) -> None:
    await jane(call)
    with pytest.raises(UnknownReference, match="customer_id"):
        await call(authorize_usage, id="a1", customer_id="nobody", amount=1)
    with pytest.raises(UnknownReference, match="asset"):
        await hold(call, amount=1, asset="gold")
    with pytest.raises(InvalidRequest, match=r"data\.tokens"):
        await hold(call, event_type="chat", data={"tokens": -1})
    with pytest.raises(NotFound):
        await call(release_authorization, authorization_id="none")
    with pytest.raises(UnknownReference, match="authorization_id"):
        await call(
            record_event, customer_id="jane", id="e1", event_type="image", authorization_id="none"
        )
    assert await account(call) == (10, 0)
