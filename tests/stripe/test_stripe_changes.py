"""Keys, providers and answers of Stripe change while payments are open: each payment stays with
whom it was begun, and one that hangs keeps no other waiting."""

from __future__ import annotations

import socket
import typing
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from threading import Thread
from typing import Any

import anyio
import httpx
import pytest
from pydantic import SecretStr
from sqlmodel import func, select

from credyt_mcp.app import System, running
from credyt_mcp.clock import FrozenClock
from credyt_mcp.entrypoints.http import http_app
from credyt_mcp.errors import ProviderUnavailable
from credyt_mcp.payments.stripe_calls import CALLS_AT_ONCE
from credyt_mcp.settings import Settings
from credyt_mcp.storage.ledger_tables import LedgerAccountRow
from credyt_mcp.use_cases.adjustments import create_adjustment
from credyt_mcp.use_cases.assets import list_assets
from credyt_mcp.use_cases.authorizations import authorize_usage
from credyt_mcp.use_cases.clocks import advance_clock
from credyt_mcp.use_cases.context import perform
from credyt_mcp.use_cases.open_payments import fetch_undelivered, follow_up
from credyt_mcp.use_cases.provider_events import (
    TRIES,
    list_set_aside,
    look_into_events,
    retry_set_aside,
)
from credyt_mcp.use_cases.topup_flows import generate_topup_flow
from tests.conftest import Call
from tests.samples import a_wallet
from tests.stripe.conftest import FakeStripe
from tests.stripe.test_stripe_top_ups import deliver
from tests.use_cases.plans import a_plan, fee, in_order, pay, standing, subscribed


@asynccontextmanager
async def server(settings: Settings, clock: FrozenClock, **other: Any) -> AsyncIterator[Any]:
    """A server process with other settings, and what calls it and fetches its pages."""
    async with running(settings.model_copy(update=other), clock=clock) as system:

        async def call(use_case: Any, **fields: Any) -> Any:
            command = typing.get_type_hints(use_case)["command"]
            return await perform(system.billing, use_case, command.model_validate(fields))

        app = httpx.ASGITransport(http_app(system.billing, system.keys))
        async with httpx.AsyncClient(transport=app, base_url="http://test") as web:
            yield system, call, web


def link(subscription: Any) -> str:
    found: str = subscription.required_actions[0].redirect_url
    return found


async def test_a_page_of_the_sandbox_gives_way_to_one_of_stripe(
    settings: Settings, clock: FrozenClock, fake: FakeStripe
) -> None:
    async with server(settings, clock, stripe_api_key=None) as (_, call, web):
        await a_plan(call, fee(20))
        asked = await subscribed(call)
    async with server(settings, clock) as (system, call, web):
        url = link(await standing(call))
        assert url.startswith("https://checkout.stripe.com/")
        assert (await pay(web, asked)).status_code == 409, "the old page is closed"
        fake.pay(url)
        clock.advance(timedelta(minutes=2))
        assert await follow_up(system.billing) == 1
        assert (await standing(call)).status == "active"
        await in_order(call)


async def test_what_was_paid_at_stripe_is_booked_after_a_time_without_its_key(
    settings: Settings, clock: FrozenClock, fake: FakeStripe
) -> None:
    async with server(settings, clock) as (_, call, _):
        await a_plan(call, fee(20))
        asked = await subscribed(call)
    fake.pay(link(asked))
    async with server(settings, clock, stripe_api_key=None) as (system, call, _):
        clock.advance(timedelta(minutes=2))
        assert await follow_up(system.billing) == 0
        assert (await standing(call)).status == "action_required"
        assert link(await standing(call)).startswith("http://127.0.0.1:8787/checkout/")
    async with server(settings, clock) as (system, call, _):
        assert await fetch_undelivered(system.billing) > 0
        await follow_up(system.billing)
        assert (await standing(call)).status == "active"
        await in_order(call)


async def test_an_open_page_of_a_subscription_is_asked_after_until_it_closes(
    call: Call, system: System, fake: FakeStripe, clock: FrozenClock
) -> None:
    await a_plan(call, fee(20))
    url = link(await subscribed(call))
    for minutes in (2, 4, 8):
        clock.advance(timedelta(minutes=minutes))
        assert await follow_up(system.billing) == 1
    fake.expire(url)
    clock.advance(timedelta(minutes=16))
    assert await follow_up(system.billing) == 1
    clock.advance(timedelta(days=1))
    assert await follow_up(system.billing) == 0


async def test_a_customer_of_another_stripe_account_is_never_used(
    settings: Settings, clock: FrozenClock, fake: FakeStripe, fake_stripe_url: str
) -> None:
    other = FakeStripe(fake_stripe_url)
    changed = SecretStr(other.key)
    async with server(settings, clock) as (_, call, _):
        await a_plan(call, fee(20))
        fake.pay(link(await subscribed(call)))
        assert (await standing(call)).status == "active"
    async with server(settings, clock, stripe_api_key=changed) as (_, call, _):
        await call(advance_clock, advance_by="P31D")
        due = await standing(call)
        assert due.status == "action_required", "no card is saved there"
        other.pay(link(due))
        assert (await standing(call)).status == "active"
        assert other.requests().count("POST /v1/customers") == 1
    assert "POST /v1/payment_intents" not in fake.requests()


async def test_another_key_of_the_same_account_finds_its_customers(
    settings: Settings, clock: FrozenClock, fake: FakeStripe
) -> None:
    async with server(settings, clock) as (_, call, _):
        await a_plan(call, fee(20))
        fake.pay(link(await subscribed(call)))
        assert (await standing(call)).status == "active"
    rolled = SecretStr(f"rk_test_{fake.key.rpartition('_')[2]}_rolled")
    async with server(settings, clock, stripe_api_key=rolled) as (_, call, _):
        await call(advance_clock, advance_by="P31D")
        assert fake.requests().count("POST /v1/payment_intents") == 1
        assert (await standing(call)).status == "active"


async def test_an_event_of_what_the_key_cannot_see_is_tried_then_set_aside_and_can_be_retried(
    call: Call, rest: httpx.AsyncClient, system: System, fake: FakeStripe, clock: FrozenClock
) -> None:
    await a_wallet(call)
    flow = await call(generate_topup_flow, customer_id="jane", amount=10)
    fake.pay(flow.redirect_url)
    [told] = fake.deliveries(types="checkout.session.completed")
    page = flow.redirect_url.rpartition("/")[2]
    elsewhere = {**told, **fake.signed(told["body"].replace(page, "cs_test_elsewhere"))}
    assert await deliver(rest, [elsewhere]) == {200}
    database = system.billing.database
    for _ in range(TRIES):
        assert list_set_aside(database) == []
        await look_into_events(system.billing)
        clock.advance(timedelta(hours=1))
    [aside] = list_set_aside(database)
    assert (aside.object_id, aside.attempts) == ("cs_test_elsewhere", TRIES)
    assert await look_into_events(system.billing) == 0
    assert retry_set_aside(database, clock, [aside.event_id]) == 1
    assert list_set_aside(database) == []
    assert await look_into_events(system.billing) == 0


@contextmanager
def hanging() -> Iterator[tuple[str, list[socket.socket]]]:
    """An address that takes connections and does not answer, until the end; and those it took."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken: list[socket.socket] = []

        def take() -> None:
            with suppress(OSError):
                while True:
                    taken.append(listening.accept()[0])

        Thread(target=take, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", taken
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            for one in taken:
                one.close()


@pytest.mark.slow
async def test_while_stripe_hangs_all_else_that_is_due_goes_on(
    settings: Settings, clock: FrozenClock, fake: FakeStripe
) -> None:
    async with server(settings, clock) as (_, call, _):
        await a_plan(call, fee(20))
        fake.pay(link(await subscribed(call)))
        assert (await standing(call)).status == "active"
        gift = {"transaction_id": "1", "asset": "USD", "amount": 5, "reason": "gift"}
        await call(create_adjustment, customer_id="jane", **gift)
    clock.advance(timedelta(days=32))
    # Sweeping begins with the server, and so does the charge that gets no answer.
    with hanging() as (away, _):
        async with server(settings, clock, stripe_api_base=away) as (system, call, _):
            await call(authorize_usage, id="hold", customer_id="jane", amount=3)
            clock.advance(timedelta(days=1))
            for _ in range(200):
                if not held(system):
                    break
                await anyio.sleep(0.05)
            assert not held(system), "the next sweep did not come"


def held(system: System) -> int:
    with system.billing.database.read() as session:
        return session.exec(select(func.sum(LedgerAccountRow.held))).one()


@pytest.mark.slow
async def test_a_stripe_that_hangs_does_not_take_every_thread(
    settings: Settings, clock: FrozenClock
) -> None:
    with ExitStack() as until:
        away, taken = until.enter_context(hanging())
        async with (
            server(settings, clock, stripe_api_base=away) as (_, call, _),
            anyio.create_task_group() as group,
        ):
            await a_wallet(call)

            async def start() -> None:
                with suppress(ProviderUnavailable):
                    await call(generate_topup_flow, customer_id="jane", amount=10)

            for _ in range(60):
                group.start_soon(start)
            for _ in range(200):
                if len(taken) >= CALLS_AT_ONCE:
                    break
                await anyio.sleep(0.05)
            with anyio.fail_after(10):
                await call(list_assets)
            until.close()
