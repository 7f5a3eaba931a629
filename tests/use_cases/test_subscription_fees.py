"""Subscriptions with fees: paid before they start, on the sandbox's page, exactly once."""

from __future__ import annotations

import asyncio
import typing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import httpx
import pytest

from credyt_mcp.app import System, running
from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import Conflict, InvalidRequest
from credyt_mcp.payments.sandbox import SandboxProvider
from credyt_mcp.settings import Settings
from credyt_mcp.use_cases.context import perform
from credyt_mcp.use_cases.customers import get_customer
from credyt_mcp.use_cases.events import record_event
from credyt_mcp.use_cases.provisioning import create_wallet
from credyt_mcp.use_cases.renewals import renew_due
from credyt_mcp.use_cases.return_urls import check_return_url
from credyt_mcp.use_cases.subscriptions import create_subscription, update_subscription
from tests.conftest import NOW, Call
from tests.samples import balances, credits_asset, unit_price
from tests.use_cases.plans import (
    BACK,
    DECLINED,
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


async def used(call: Call, event_id: str, **more: Any) -> Decimal:
    recorded = await call(record_event, customer_id="jane", id=event_id, event_type="image", **more)
    return sum((one.amount for one in recorded.fees), Decimal(0))


async def test_a_fee_is_paid_first_then_the_subscription_starts(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock
) -> None:
    await credits_asset(call)
    await a_plan(call, fee(20), unit_price(10, "credits"), grants=[credit(1000)])
    asked = await subscribed(call)
    assert asked.status == "action_required"
    assert [action.type for action in asked.required_actions] == ["payment"]
    assert await balances(call) == {"default:credits": 0, "default:USD": 0}
    assert await used(call, "too early") == 0
    clock.advance(timedelta(minutes=5))
    answers = await asyncio.gather(*(pay(rest, asked) for _ in range(5)))
    assert {answer.headers["location"] for answer in answers} == {BACK["return_url"]}
    active = await standing(call)
    assert (active.status, active.required_actions) == ("active", None)
    assert active.started_at == NOW + timedelta(minutes=5)
    assert active.renews_at == datetime(2026, 4, 10, 12, 5, tzinfo=UTC)
    assert await balances(call) == {"default:credits": 1000, "default:USD": 0}
    assert await grants(call) == [(1000, 1000, active.renews_at)]
    assert await used(call, "1") == 10
    await in_order(call)


async def test_a_declined_card_leaves_it_waiting(call: Call, rest: httpx.AsyncClient) -> None:
    await a_plan(call, fee("19.99"))
    asked = await subscribed(call)
    declined = await pay(rest, asked, DECLINED)
    assert (declined.status_code, "declined" in declined.text) == (402, True)
    waiting = await standing(call)
    assert (waiting.status, waiting.required_actions) == ("action_required", asked.required_actions)
    assert (await pay(rest, waiting)).status_code == 303
    assert (await standing(call)).status == "active"
    await in_order(call)


async def test_reading_the_customer_renews_an_expired_link(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock
) -> None:
    await a_plan(call, fee(20))
    asked = await subscribed(call)
    assert (await standing(call)).required_actions == asked.required_actions
    clock.advance(timedelta(hours=1))
    assert (await pay(rest, asked)).status_code == 409
    reads = await asyncio.gather(*(standing(call) for _ in range(4)))
    [link] = {read.required_actions[0].redirect_url for read in reads}
    assert link != asked.required_actions[0].redirect_url
    await pay(rest, reads[0])
    assert (await standing(call)).status == "active"
    assert (await pay(rest, asked)).status_code == 409
    await in_order(call)


async def test_a_payment_nobody_told_us_of_is_found_at_the_next_read(
    call: Call, system: System
) -> None:
    """As when the server stops between the card's acceptance and its own booking."""
    await a_plan(call, fee(20))
    asked = await subscribed(call)
    page = asked.required_actions[0].redirect_url.rpartition("/")[2]
    assert isinstance(system.billing.payments, SandboxProvider)
    await asyncio.to_thread(system.billing.payments.pay, page, "4242424242424242")
    assert (await standing(call)).status == "active"
    await in_order(call)


async def test_products_of_one_subscription_are_paid_together(
    call: Call, rest: httpx.AsyncClient
) -> None:
    await credits_asset(call)
    seats = {"asset": "USD", "values": [{"unit_price": "7.5", "quantity": 3}, {"unit_price": 1}]}
    await a_plan(call, fee(0, pricing=[seats]), fee("0.505", None))
    await a_plan(call, fee(30, "year"), fee(40, "week", "credits"), code="more")
    asked = await subscribed(call, "pro", "more")
    page = await rest.get(httpx.URL(asked.required_actions[0].redirect_url).path)
    assert "54.00" in page.text  # 3 x 7.5 + 1 + 0.505 + 30, to the cent, half-even
    assert "pro: month fee" in page.text
    await pay(rest, asked)
    assert (await standing(call)).renews_at == NOW + timedelta(weeks=1)
    assert await balances(call) == {"default:USD": 0, "default:credits": -40}
    await in_order(call)


async def test_a_fee_in_a_custom_asset_is_debited_at_once_and_each_period(
    call: Call, clock: FrozenClock
) -> None:
    await credits_asset(call)
    await a_plan(call, fee(30, "month", "credits"), fee(5, None, "credits"))
    active = await subscribed(call, return_url=None)
    assert (active.status, active.required_actions) == ("active", None)
    assert await balances(call) == {"default:credits": -35}
    clock.advance(timedelta(days=100))
    assert await balances(call) == {"default:credits": -125}
    assert (await standing(call)).renews_at == datetime(2026, 7, 10, 12, tzinfo=UTC)
    await in_order(call)


async def test_a_future_start_is_paid_now_and_begins_then(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock
) -> None:
    await credits_asset(call)
    await a_plan(call, fee(20), unit_price(10, "credits"), grants=[credit(1000)])
    start = NOW + timedelta(days=3)
    asked = await subscribed(call, starts_at=start)
    await pay(rest, asked)
    waiting = await standing(call)
    assert (waiting.status, waiting.started_at) == ("scheduled", start)
    clock.advance(timedelta(days=3) - timedelta(microseconds=1))
    assert await used(call, "early") == 0
    assert (await balances(call))["default:credits"] == 0
    clock.advance(timedelta(microseconds=1))
    assert await used(call, "1") == 10
    assert (await balances(call))["default:credits"] == 990
    active = await standing(call)
    assert (active.status, active.started_at) == ("active", start)
    assert active.renews_at == datetime(2026, 4, 13, 12, tzinfo=UTC)
    await in_order(call)


async def test_paid_after_its_start_it_begins_when_paid(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock
) -> None:
    await a_plan(call, fee(20), unit_price(1))
    asked = await subscribed(call, starts_at=NOW + timedelta(minutes=10))
    clock.advance(timedelta(minutes=30))
    assert await used(call, "unpaid") == 0
    await pay(rest, asked)
    assert (await standing(call)).started_at == NOW + timedelta(minutes=30)
    assert await used(call, "late", occurred_at=NOW + timedelta(minutes=20)) == 0


async def test_a_given_renewal_date_is_the_first_and_sets_the_rhythm(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock, system: System
) -> None:
    await a_plan(call, fee(20))
    first = datetime(2026, 3, 31, tzinfo=UTC)
    await pay(rest, await subscribed(call, renews_at=first))
    for month, day in ((3, 31), (4, 30), (5, 31), (6, 30)):
        due = datetime(2026, month, day, tzinfo=UTC)
        assert (await standing(call)).renews_at == due
        clock.advance(due - clock.now())
        await renew_due(system.billing)
    await in_order(call)


async def test_a_free_start_later_needs_no_payment(call: Call, clock: FrozenClock) -> None:
    await a_plan(call, unit_price(1))
    start = NOW + timedelta(days=1)
    planned = await subscribed(call, starts_at=start, return_url=None)
    assert (planned.status, planned.started_at) == ("scheduled", start)
    clock.advance(timedelta(days=2))
    assert await used(call, "before", occurred_at=start - timedelta(seconds=1)) == 0
    assert await used(call, "at", occurred_at=start) == 1
    assert (await standing(call)).status == "active"


async def test_activation_is_told_once(
    call: Call, rest: httpx.AsyncClient, system: System, clock: FrozenClock
) -> None:
    await a_plan(call, fee(20))
    asked = await subscribed(call)
    clock.advance(timedelta(minutes=1))
    await asyncio.gather(*(pay(rest, asked) for _ in range(3)), *(standing(call) for _ in range(3)))
    [(kind, details)] = await told(system)
    assert kind == "subscription.activated"
    customer = await call(get_customer, customer_id="jane")
    assert details == {
        "customer_id": customer.id,
        "subscription_id": asked.id,
        "occurred_at": "2026-03-10T12:01:00Z",
    }


async def test_the_portal_can_be_where_a_payment_leads(call: Call, rest: httpx.AsyncClient) -> None:
    await a_plan(call, fee(20))
    asked = await subscribed(call, redirect_to="portal")
    assert (await pay(rest, asked)).headers["location"].endswith("/portal")


async def test_create_wallet_finds_a_subscription_that_waits_for_its_payment(
    call: Call, rest: httpx.AsyncClient
) -> None:
    await a_plan(call, fee(20))
    fields = {"external_id": "jane", "products": ["pro"]}
    with pytest.raises(InvalidRequest, match="return_url"):
        await call(create_wallet, **fields)
    first = await call(create_wallet, **fields, return_url=BACK["return_url"])
    again = await call(create_wallet, **fields, return_url=BACK["return_url"])
    assert first.subscriptions == again.subscriptions
    await pay(rest, first.subscriptions[0])
    assert (await call(create_wallet, **fields)).subscriptions[0].status == "active"


async def test_a_second_subscription_to_a_product_that_waits_is_refused(call: Call) -> None:
    await a_plan(call, fee(20))
    await subscribed(call)
    with pytest.raises(Conflict, match="action_required"):
        await call(create_subscription, customer_id="jane", products=[{"code": "pro"}], **BACK)


async def test_what_ended_before_it_began_is_no_obstacle(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock
) -> None:
    await a_plan(call, fee(20))
    later = NOW + timedelta(days=9)
    planned = await subscribed(call, starts_at=later)
    await pay(rest, planned)
    path = {"customer_id": "jane", "subscription_id": planned.id}
    await call(update_subscription, **path, status="inactive")
    fresh = {"products": [{"code": "pro"}], **BACK}
    other = await call(create_subscription, customer_id="jane", **fresh)
    await call(update_subscription, customer_id="jane", subscription_id=other.id, status="inactive")
    await call(update_subscription, **path, status="active")  # paid already
    statuses = [one.status for one in (await call(get_customer, customer_id="jane")).subscriptions]
    assert statuses == ["scheduled", "inactive"]
    clock.advance(timedelta(days=9))
    first = (await call(get_customer, customer_id="jane")).subscriptions[0]
    assert (first.status, first.started_at) == ("active", later)
    await in_order(call)


async def test_a_renewal_date_without_a_fee_passes(call: Call, clock: FrozenClock) -> None:
    await a_plan(call, unit_price(1))
    date = NOW + timedelta(days=9)
    assert (await subscribed(call, renews_at=date)).renews_at == date
    clock.advance(timedelta(days=9))
    passed = await standing(call)
    assert (passed.status, passed.renews_at) == ("active", None)


async def test_payments_lead_back_to_listed_hosts_only(
    settings: Settings, clock: FrozenClock
) -> None:
    listed = settings.model_copy(update={"return_url_hosts": "app.example, b.example"})
    async with running(listed, clock=clock) as system:
        check = partial(check_return_url, system.billing, field="return_url")
        for url in ("https://app.example/x", "https://b.example", "http://localhost:3000"):
            check(url)
        with pytest.raises(InvalidRequest, match="CREDYT_RETURN_URL_HOSTS"):
            check("https://app.example.evil.example")
    async with running(settings, clock=clock, environment="live") as system:
        with pytest.raises(InvalidRequest, match="CREDYT_RETURN_URL_HOSTS"):
            check_return_url(system.billing, "https://app.example", "return_url")


async def test_live_fees_need_a_real_provider(settings: Settings, clock: FrozenClock) -> None:
    listed = settings.model_copy(update={"return_url_hosts": "app.example"})
    async with running(listed, clock=clock, environment="live") as system:

        async def call(use_case: Any, **fields: Any) -> Any:
            command = typing.get_type_hints(use_case)["command"]
            return await perform(system.billing, use_case, command.model_validate(fields))

        await a_plan(call, fee(20))
        with pytest.raises(InvalidRequest, match="sandbox"):
            await subscribed(call)
