"""Another version of a product in a running subscription: at once, and what is paid when."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlmodel import col, select

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import InvalidRequest, WrongState
from credyt_mcp.storage.payment_tables import SubscriptionPaymentRow
from credyt_mcp.use_cases.events import record_event
from credyt_mcp.use_cases.products import create_product_version
from credyt_mcp.use_cases.renewals import renew_due
from credyt_mcp.use_cases.subscriptions import update_subscription_product
from credyt_mcp.use_cases.wallets import list_grants
from tests.conftest import NOW, Call
from tests.samples import balances, credits_asset, unit_price
from tests.use_cases.plans import (
    FAILS_LATER,
    GOOD,
    a_plan,
    credit,
    fee,
    grants,
    in_order,
    pay,
    standing,
    subscribed,
    told,
)

DAY = timedelta(days=1)
APRIL, MAY = (datetime(2026, month, 10, 12, tzinfo=UTC) for month in (4, 5))


async def version(call: Call, *prices: dict[str, Any], grants: Any = ()) -> None:
    await call(
        create_product_version,
        product_id="pro",
        prices=list(prices),
        entitlements=list(grants),
        publish=True,
    )


async def change(call: Call, to: int, **more: Any) -> None:
    made = await standing(call)
    path = {"customer_id": "jane", "subscription_id": made.id, "product_id": "pro"}
    await call(update_subscription_product, **path, version=to, **more)


async def paid(call: Call, rest: httpx.AsyncClient, card: str = GOOD) -> None:
    """Jane on version 1 at $31 for 31 days and 1000 credits; version 2 is $50 and 3000."""
    await credits_asset(call)
    await a_plan(call, fee(31), unit_price(10, "credits"), grants=[credit(1000)])
    await version(call, fee(50), unit_price(5, "credits"), grants=[credit(3000)])
    await pay(rest, await subscribed(call), card)


async def until(clock: FrozenClock, system: System, moment: datetime) -> None:
    clock.advance(moment - clock.now())
    await renew_due(system.billing)


async def charged(system: System) -> list[Decimal]:
    def read() -> list[Decimal]:
        with system.billing.database.read() as session:
            rows = session.exec(
                select(SubscriptionPaymentRow)
                .where(SubscriptionPaymentRow.status == "succeeded")
                .order_by(col(SubscriptionPaymentRow.id))
            )
            return [Decimal(row.amount) / 10**9 for row in rows]

    return await asyncio.to_thread(read)


async def test_without_proration_the_new_fee_comes_with_the_renewal(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock, system: System
) -> None:
    await paid(call, rest)
    clock.advance(10 * DAY)
    await change(call, 2)
    used = await call(record_event, customer_id="jane", id="1", event_type="image")
    assert (used.fees[0].amount, used.fees[0].product_version) == (5, 2)
    assert (await standing(call)).renews_at == APRIL
    assert await grants(call) == [(1000, 995, APRIL)]
    await until(clock, system, APRIL)
    assert await charged(system) == [31, 50]
    assert await grants(call) == [(1000, 0, APRIL), (3000, 3000, MAY)]
    assert (await standing(call)).renews_at == MAY
    await in_order(call)


async def test_with_proration_the_unused_part_is_credited_and_a_new_period_begins(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock, system: System
) -> None:
    await paid(call, rest)
    clock.advance(10 * DAY)
    await change(call, 2, prorate=True)
    changed = await standing(call)
    assert (changed.status, changed.products[0].version) == ("active", 2)
    assert changed.renews_at == datetime(2026, 4, 20, 12, tzinfo=UTC)
    assert await charged(system) == [31, 50]
    assert await balances(call) == {"default:USD": 21, "default:credits": 1000}
    page = await call(list_grants, customer_id="jane", account_id="default:USD")
    assert [(one.purpose, one.source) for one in page.items] == [("adjustment", "proration")]
    await until(clock, system, APRIL)
    assert await grants(call) == [(1000, 0, APRIL), (3000, 3000, MAY)]
    assert await charged(system) == [31, 50]
    await until(clock, system, APRIL + 10 * DAY)
    assert await charged(system) == [31, 50, 50]
    await in_order(call)


async def test_a_card_that_fails_the_change_leaves_a_link(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock, system: System
) -> None:
    await paid(call, rest, FAILS_LATER)
    await version(call, fee(50), grants=[credit(3000), credit(70, "week")])
    clock.advance(10 * DAY)
    await change(call, 3, prorate=True)
    waiting = await standing(call)
    assert (waiting.status, waiting.products[0].version) == ("action_required", 3)
    assert (await balances(call))["default:credits"] == 1000
    with pytest.raises(WrongState):
        await change(call, 1)
    clock.advance(timedelta(minutes=1))
    await pay(rest, waiting)
    assert (await standing(call)).status == "active"
    assert await balances(call) == {"default:USD": 21, "default:credits": 1070}
    assert await charged(system) == [31, 50]
    await in_order(call)


async def test_from_free_to_paid_is_paid_at_once(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock, system: System
) -> None:
    await a_plan(call, unit_price(1))
    await version(call, fee(50), unit_price(1))
    await subscribed(call)
    clock.advance(DAY)
    await change(call, 2)
    waiting = await standing(call)
    assert waiting.status == "action_required"
    await pay(rest, waiting)
    active = await standing(call)
    assert (active.status, active.renews_at) == ("active", APRIL + DAY)
    await in_order(call)


async def test_there_and_back_within_a_paid_period_costs_nothing(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock, system: System
) -> None:
    await paid(call, rest)
    await version(call, unit_price(1))
    for number in (3, 1, 2, 1):
        clock.advance(DAY)
        await change(call, number)
    assert (await standing(call)).renews_at == APRIL
    assert await grants(call) == [(1000, 1000, APRIL)]
    await until(clock, system, APRIL)
    assert await charged(system) == [31, 31]
    assert (await standing(call)).renews_at == MAY
    await in_order(call)


async def test_to_free_the_paid_period_ends_and_nothing_follows(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock, system: System
) -> None:
    await paid(call, rest)
    await version(call, unit_price(1))
    await change(call, 3)
    assert (await standing(call)).renews_at is None
    await until(clock, system, MAY)
    assert await charged(system) == [31]
    assert (await standing(call)).status == "active"
    assert (await balances(call))["default:credits"] == 0
    await in_order(call)


async def test_a_year_after_a_month_begins_when_the_month_is_over(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock, system: System
) -> None:
    await paid(call, rest)
    await version(call, fee(300, "year"))
    clock.advance(5 * DAY)
    await change(call, 3)
    assert (await standing(call)).renews_at == APRIL
    await until(clock, system, APRIL)
    assert await charged(system) == [31, 300]
    assert (await standing(call)).renews_at == datetime(2027, 4, 10, 12, tzinfo=UTC)


async def test_new_credit_comes_at_once_and_what_is_gone_does_not_come_again(
    call: Call, clock: FrozenClock
) -> None:
    await credits_asset(call)
    await a_plan(call, unit_price(1), grants=[credit(100, "week")])
    await version(call, unit_price(1), grants=[credit(7, "day", name="daily")])
    await subscribed(call, return_url=None)
    clock.advance(DAY)
    await change(call, 2)
    assert (await balances(call))["default:credits"] == 107
    clock.advance(DAY)
    await change(call, 1)
    assert (await balances(call))["default:credits"] == 107
    clock.advance(10 * DAY)
    assert await grants(call) == [
        (100, 0, NOW + 7 * DAY),
        (7, 0, NOW + 2 * DAY),
        (7, 0, NOW + 3 * DAY),
        (100, 100, NOW + 14 * DAY),
    ]
    await in_order(call)


async def test_a_fee_in_credits_is_given_back_in_credits(call: Call, clock: FrozenClock) -> None:
    await credits_asset(call)
    await a_plan(call, fee(310, "month", "credits"))
    await version(call, fee(620, "month", "credits"))
    await subscribed(call, return_url=None)
    clock.advance(timedelta(days=15, hours=12))
    await change(call, 2, prorate=True)
    assert (await balances(call))["default:credits"] == -310 + 155 - 620
    await in_order(call)


async def test_a_version_in_another_currency_beside_others_is_refused(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock
) -> None:
    await paid(call, rest)
    euros = fee(0, pricing=[{"asset": "EUR", "values": [{"unit_price": 9}]}])
    dollars = fee(3, "week")
    await version(call, euros, dollars)
    with pytest.raises(InvalidRequest, match=r"version: .*EUR and USD"):
        await change(call, 3, prorate=True)
    assert await balances(call) == {"default:USD": 0, "default:credits": 1000}
    assert (await standing(call)).products[0].version == 1


async def test_changes_are_told(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock, system: System
) -> None:
    await paid(call, rest)
    clock.advance(DAY)
    await change(call, 2, prorate=True)
    assert [kind for kind, _ in await told(system)] == [
        "subscription.activated",
        "subscription.renewed",
    ]
