"""Disputes: frozen while open, debited when withdrawn, back when won; each movement once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import InsufficientBalance, QuoteOutdated, WrongState
from credyt_mcp.payments.sandbox import SandboxProvider
from credyt_mcp.storage.reversals import has_open_dispute
from credyt_mcp.use_cases.authorizations import authorize_usage
from credyt_mcp.use_cases.notices import list_notices
from credyt_mcp.use_cases.open_payments import follow_up
from credyt_mcp.use_cases.refunds import list_disputes, quote_refund, refund_top_up
from credyt_mcp.use_cases.reversals import settle_reversals
from credyt_mcp.use_cases.top_ups import get_top_up
from tests.conftest import Call
from tests.refunds.shop import Shop


async def test_what_is_disputed_cannot_be_spent(call: Call, shop: Shop, system: System) -> None:
    top_up, _ = await shop.top_up(10), await shop.top_up(3)
    dispute = await shop.dispute(top_up)
    assert await shop.has() == (3, 10)
    with pytest.raises(InsufficientBalance):
        await call(authorize_usage, id="a1", customer_id="jane", event_type="image")
    [shown] = (await call(list_disputes, status="open")).items
    assert (shown.frozen, shown.funds_withdrawn, shown.reason) == (10, False, "fraudulent")
    assert (await call(get_top_up, top_up_id=top_up)).disputed == 10
    await shop.books_are_right()
    await shop.step(dispute, "win")
    assert await shop.has() == (13, 0)
    await shop.books_are_right()


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        (["withdraw"], (2, 0)),
        (["withdraw", "win"], (12, 0)),
        (["withdraw", "lose"], (2, 0)),
        (["lose"], (2, 0)),
        (["win"], (12, 0)),
    ],
)
async def test_each_step_moves_what_the_provider_moved(
    call: Call, shop: Shop, system: System, steps: list[str], left: tuple[int, int]
) -> None:
    top_up, _ = await shop.top_up(10), await shop.top_up(6)
    await shop.spend("e1")
    dispute = await shop.dispute(top_up)
    assert await shop.has() == (2, 10)
    for step in steps:
        await shop.step(dispute, step)
        await asyncio.gather(*(settle_reversals(system.billing, top_up) for _ in range(4)))
        await shop.books_are_right()
    assert await shop.has() == left


async def test_what_was_spent_already_is_frozen_below_zero(call: Call, shop: Shop) -> None:
    top_up = await shop.top_up(4)
    await shop.spend("e1")
    dispute = await shop.dispute(top_up)
    assert await shop.has() == (-4, 4)
    await shop.step(dispute, "lose")
    assert await shop.has() == (-4, 0)
    await shop.top_up(4)
    assert await shop.has() == (0, 0), "the next payment pays for it"
    await shop.books_are_right()


async def test_a_part_may_be_disputed_and_the_rest_refunded_when_it_is_decided(
    call: Call, shop: Shop
) -> None:
    top_up = await shop.top_up(10)
    dispute = await shop.dispute(top_up, amount=4)
    assert await shop.has() == (6, 4)
    assert (await call(quote_refund, top_up_id=top_up)).refundable == 0
    with pytest.raises(QuoteOutdated):
        await call(refund_top_up, top_up_id=top_up, quoted=6)
    with pytest.raises(WrongState):
        await call(refund_top_up, top_up_id=top_up, quoted=0)
    await shop.step(dispute, "lose")
    quote = await call(quote_refund, top_up_id=top_up)
    assert (quote.refundable, quote.disputed) == (6, 4)
    await call(refund_top_up, top_up_id=top_up, quoted=6)
    assert await shop.has() == (0, 0)
    await shop.books_are_right()


async def test_who_disputes_is_known_and_everybody_is_told(
    call: Call, shop: Shop, system: System
) -> None:
    def disputes() -> bool:
        with system.billing.database.read() as session:
            return has_open_dispute(session, system.billing.tenant.id, 1)

    top_up = await shop.top_up(10)
    assert not await asyncio.to_thread(disputes)
    dispute = await shop.dispute(top_up)
    assert await asyncio.to_thread(disputes)
    await shop.step(dispute, "withdraw")
    await shop.step(dispute, "win")
    assert not await asyncio.to_thread(disputes)
    told = [one.kind for one in (await call(list_notices)).items if "dispute" in one.kind]
    assert sorted(told) == [
        *("dispute.closed", "dispute.funds_reinstated"),
        *("dispute.funds_withdrawn", "dispute.opened"),
    ]


async def test_a_dispute_that_nobody_tells_of_is_asked_after(
    call: Call, shop: Shop, system: System, clock: FrozenClock
) -> None:
    dispute = await shop.dispute(await shop.top_up(10))
    provider = system.billing.payments
    assert isinstance(provider, SandboxProvider)
    await asyncio.to_thread(provider.step, system.billing.tenant.id, dispute, "lose")
    clock.advance(timedelta(minutes=2))
    assert await follow_up(system.billing) == 1
    assert await shop.has() == (0, 0)
    await shop.books_are_right()
