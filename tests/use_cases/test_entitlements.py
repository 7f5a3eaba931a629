"""Credit that products include: granted on time and in order, however late anybody looks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import httpx
import pytest

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import InvalidRequest
from credyt_mcp.use_cases.adjustments import create_adjustment
from credyt_mcp.use_cases.authorizations import authorize_usage
from credyt_mcp.use_cases.events import record_event
from credyt_mcp.use_cases.renewals import renew_due
from credyt_mcp.use_cases.subscriptions import update_subscription
from credyt_mcp.use_cases.wallets import list_grants
from tests.conftest import NOW, Call
from tests.samples import balances, credits_asset, unit_price
from tests.use_cases.plans import a_plan, credit, fee, grants, in_order, pay, standing, subscribed

DAY = timedelta(days=1)


async def use(call: Call, event_id: str, **more: Any) -> None:
    await call(record_event, customer_id="jane", id=event_id, event_type="image", **more)


async def left(call: Call) -> Decimal:
    return (await balances(call))["default:credits"]


async def a_free_plan(call: Call, *granted: dict[str, Any]) -> Any:
    """Images cost 10 credits; no fee."""
    await credits_asset(call)
    await a_plan(call, unit_price(10, "credits"), grants=granted)
    return await subscribed(call, return_url=None)


async def test_expired_credit_is_replaced_each_period(call: Call, clock: FrozenClock) -> None:
    await a_free_plan(call, credit(100, "day"))
    await use(call, "1")
    assert await left(call) == 90
    clock.advance(DAY - timedelta(microseconds=1))
    assert await left(call) == 90
    clock.advance(timedelta(microseconds=1))
    assert await left(call) == 100
    assert await grants(call) == [(100, 0, NOW + DAY), (100, 100, NOW + 2 * DAY)]
    await in_order(call)


async def test_what_rolls_over_adds_up(call: Call, clock: FrozenClock) -> None:
    await a_free_plan(call, credit(100, "month", "rollover"))
    await use(call, "1")
    clock.advance(timedelta(days=31))
    assert await left(call) == 190
    assert await grants(call) == [(100, 90, None), (100, 100, None)]
    await in_order(call)


async def test_without_refresh_credit_comes_once_and_expires(
    call: Call, clock: FrozenClock
) -> None:
    made = await a_free_plan(
        call, credit(100, "week", None, purpose="promotion", lifecycle=TWO_WEEKS)
    )
    clock.advance(14 * DAY - timedelta(microseconds=1))
    assert await left(call) == 100
    clock.advance(timedelta(microseconds=1))
    assert await left(call) == 0
    path = {"customer_id": "jane", "subscription_id": made.id}
    await call(update_subscription, **path, status="inactive")
    await call(update_subscription, **path, status="active")
    clock.advance(100 * DAY)
    assert await left(call) == 0
    assert len(await grants(call)) == 1
    await in_order(call)


TWO_WEEKS = {"duration": "week", "duration_count": 2}


async def test_a_year_asleep_leaves_the_books_of_a_year_awake(
    call: Call, clock: FrozenClock, system: System
) -> None:
    await a_free_plan(call, credit(100, "day"), credit(7, "month", "rollover"))
    await use(call, "1")
    clock.advance(365 * DAY)
    assert await left(call) == 100 + 13 * 7
    page = await call(
        list_grants, customer_id="jane", account_id="default:credits", limit=100, offset=0
    )
    assert page.total_count == 366 + 13
    daily = [one for one in page.items if one.amount == 100]
    moments = [one.effective_at for one in reversed(daily)]
    assert all(after - before == DAY for before, after in pairwise(moments))
    assert all(one.expires_at == one.effective_at + DAY for one in daily)
    assert await renew_due(system.billing) == 0
    await in_order(call)


async def test_debts_are_paid_by_the_credit_of_the_days_in_their_turn(
    call: Call, clock: FrozenClock
) -> None:
    """Twenty-five images in one day cost 250; three days' credit pay for them."""
    await a_free_plan(call, credit(100, "day"))
    for number in range(25):
        await use(call, str(number))
    assert await left(call) == -150
    clock.advance(DAY)
    assert await left(call) == -50
    clock.advance(2 * DAY)
    assert await left(call) == 100
    await in_order(call)


async def test_an_event_sees_the_credit_of_its_day(call: Call, clock: FrozenClock) -> None:
    await a_free_plan(call, credit(100, "day"))
    await use(call, "1")
    clock.advance(3 * DAY)
    await use(call, "2")
    assert await left(call) == 90
    await call(
        authorize_usage, id="a", customer_id="jane", event_type="image", data={}, expires_in=60
    )
    assert await left(call) == 80
    clock.advance(DAY)
    assert await left(call) == 100
    await in_order(call)


async def test_credit_shows_where_it_is_from_and_is_used_by_its_priority(call: Call) -> None:
    await a_free_plan(
        call,
        credit(100, "month", purpose="promotion", priority=200),
        credit(50, "week", priority=1),
    )
    gift = {"asset": "credits", "amount": 30, "reason": "gift", "transaction_id": "g"}
    await call(create_adjustment, customer_id="jane", **gift)
    for number in range(6):
        await use(call, str(number))
    page = await call(list_grants, customer_id="jane", account_id="default:credits")
    shown = {
        (one.source, one.purpose, one.priority, one.amount): one.available for one in page.items
    }
    assert shown == {
        ("entitlement", "bundled", 1, 50): 0,
        ("adjustment", "promotion", 100, 30): 20,
        ("entitlement", "promotion", 200, 100): 100,
    }


async def test_the_end_of_a_subscription_stops_credit_but_takes_none(
    call: Call, clock: FrozenClock
) -> None:
    made = await a_free_plan(call, credit(100, "week"))
    path = {"customer_id": "jane", "subscription_id": made.id}
    clock.advance(DAY)
    await call(update_subscription, **path, status="inactive")
    assert await left(call) == 100
    await call(update_subscription, **path, status="active")
    assert await left(call) == 100  # not a second time for the same week
    await call(update_subscription, **path, status="inactive")
    clock.advance(9 * DAY)
    assert await left(call) == 0
    await call(update_subscription, **path, status="active")
    assert await grants(call) == [(100, 0, NOW + 7 * DAY), (100, 100, NOW + 17 * DAY)]
    await in_order(call)


async def test_months_end_where_they_end(call: Call, clock: FrozenClock) -> None:
    await credits_asset(call)
    await a_plan(call, unit_price(10, "credits"), grants=[credit(100)])
    clock.advance(datetime(2027, 1, 31, tzinfo=UTC) - clock.now())
    await subscribed(call, return_url=None)
    clock.advance(timedelta(days=100))
    assert [f"{expiry:%m-%d}" for _, _, expiry in await grants(call)] == [
        "02-28",
        "03-31",
        "04-30",
        "05-31",
    ]


async def test_a_start_in_the_past_grants_what_was_due_since(call: Call) -> None:
    await credits_asset(call)
    await a_plan(call, unit_price(10, "credits"), grants=[credit(100, "day")])
    start = NOW - timedelta(days=2, hours=12)
    await subscribed(call, return_url=None, starts_at=start)
    assert await grants(call) == [
        (100, 0, start + DAY),
        (100, 0, start + 2 * DAY),
        (100, 100, start + 3 * DAY),
    ]
    await in_order(call)


async def test_paid_credit_waits_for_the_payment(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock
) -> None:
    await credits_asset(call)
    await a_plan(call, fee(20), grants=[credit(1000), credit(5, "day")])
    await subscribed(call)
    clock.advance(2 * DAY)
    assert await left(call) == 0
    await pay(rest, await standing(call))
    assert await left(call) == 1005
    assert (await standing(call)).renews_at == datetime(2026, 4, 12, 12, tzinfo=UTC)


async def test_one_product_cannot_grant_the_same_twice(call: Call) -> None:
    await credits_asset(call)
    with pytest.raises(InvalidRequest, match="entitlements"):
        await a_plan(call, grants=[credit(1), credit(2)])
