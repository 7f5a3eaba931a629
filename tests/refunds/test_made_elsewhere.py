"""Refunds made in the provider's dashboard: booked once, in full, whoever finds them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.use_cases.notices import list_notices
from credyt_mcp.use_cases.refunds import list_refunds, quote_refund, refund_top_up
from credyt_mcp.use_cases.reversals import settle_reversals
from tests.conftest import Call
from tests.refunds.shop import Shop
from tests.samples import credits_asset


async def test_it_is_booked_once_and_the_balance_may_go_negative(
    call: Call, shop: Shop, system: System
) -> None:
    top_up = await shop.top_up(10)
    await shop.spend("e1")
    await shop.refund_there(top_up)
    await asyncio.gather(*(settle_reversals(system.billing, top_up) for _ in range(8)))
    assert await shop.has() == (-4, 0)
    [refund] = (await call(list_refunds)).items
    assert (refund.origin, refund.status, refund.credit) == ("provider", "succeeded", 10)
    told = {one.kind: one.data for one in (await call(list_notices)).items}
    assert told["refund.created"]["balance"] == -4
    assert {"refund.succeeded", "balance.depleted"} <= told.keys()
    await shop.books_are_right()


async def test_ours_and_theirs_stand_beside_each_other(call: Call, shop: Shop) -> None:
    top_up = await shop.top_up(10)
    await shop.refund_there(top_up, amount=3)
    await call(refund_top_up, top_up_id=top_up, quoted=7, amount=2)
    await shop.refund_there(top_up, amount=5)
    assert await shop.has() == (0, 0)
    assert (await call(quote_refund, top_up_id=top_up)).left == 0
    assert len((await call(list_refunds)).items) == 3
    await shop.books_are_right()


@pytest.mark.parametrize("step", ["succeed", "fail"])
async def test_one_that_fails_later_comes_back(call: Call, shop: Shop, step: str) -> None:
    top_up = await shop.top_up(10)
    await shop.spend("e1")
    refund = await shop.refund_there(top_up, outcome="pending")
    assert await shop.has() == (-4, 0)
    await shop.step(refund, step)
    assert await shop.has() == (-4 if step == "succeed" else 6, 0)
    await shop.books_are_right()


async def test_one_that_failed_at_once_is_nothing(call: Call, shop: Shop) -> None:
    top_up = await shop.top_up(10)
    await shop.refund_there(top_up, outcome="failed")
    assert await shop.has() == (10, 0)
    assert (await call(list_refunds)).items == []


async def test_other_credit_pays_for_what_was_spent_and_gets_it_back_as_it_was(
    call: Call, shop: Shop
) -> None:
    top_up = await shop.top_up(4)
    await shop.spend("e1")
    other = await shop.top_up(10)
    refund = await shop.refund_there(top_up, outcome="pending")
    assert await shop.has() == (6, 0)
    assert (await call(quote_refund, top_up_id=other)).refundable == 6
    await shop.step(refund, "fail")
    assert await shop.has() == (10, 0)
    await shop.books_are_right()


async def test_expired_credit_is_not_taken_twice(
    call: Call, shop: Shop, clock: FrozenClock
) -> None:
    top_up = await shop.top_up(10)
    await shop.spend("e1")
    clock.advance(timedelta(days=366))
    later = await shop.top_up(20)
    assert await shop.has() == (20, 0)
    refund = await shop.refund_there(top_up, outcome="pending")
    assert await shop.has() == (16, 0), "6 had expired, 4 had been used"
    await shop.step(refund, "fail")
    assert await shop.has() == (20, 0)
    assert (await call(quote_refund, top_up_id=later)).refundable == 16
    await shop.books_are_right()


async def test_credits_go_back_at_the_rate_they_were_bought_at(call: Call, shop: Shop) -> None:
    await credits_asset(call)
    top_up = await shop.top_up(10, destination={"asset": "credits"})
    assert await shop.has("default:credits") == (200, 0)
    await shop.refund_there(top_up, amount="2.50")
    assert await shop.has("default:credits") == (150, 0)
    quote = await call(quote_refund, top_up_id=top_up)
    assert (quote.refundable, quote.credit) == (Decimal("7.5"), 150)
    await shop.books_are_right()
