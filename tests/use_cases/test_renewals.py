"""Renewals on the saved card: on the day, once, whoever does it; and what becomes of failures."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlmodel import select

from credyt_mcp.app import System, running
from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import WrongState
from credyt_mcp.payments.provider import ChargeRequest
from credyt_mcp.payments.sandbox import SandboxProvider
from credyt_mcp.settings import Settings
from credyt_mcp.storage import due
from credyt_mcp.storage.ledger_tables import LedgerTransactionRow
from credyt_mcp.use_cases.clocks import advance_clock
from credyt_mcp.use_cases.events import record_event
from credyt_mcp.use_cases.renewals import renew_due
from credyt_mcp.use_cases.subscriptions import update_subscription
from tests.conftest import NOW, Call
from tests.samples import balances, credits_asset, unit_price
from tests.use_cases.plans import (
    ASKS_LATER,
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
APRIL, MAY, JUNE = (datetime(2026, month, 10, 12, tzinfo=UTC) for month in (4, 5, 6))
RENEWED, FAILED = "subscription.renewed", "subscription.payment_failed"


async def paid_for(call: Call, rest: httpx.AsyncClient, card: str = GOOD) -> Any:
    """Jane on a plan of $20 and 1000 credits a month, since NOW; images cost 10 credits."""
    await credits_asset(call)
    await a_plan(call, fee(20), unit_price(10, "credits"), grants=[credit(1000)])
    made = await subscribed(call)
    await pay(rest, made, card)
    return made


async def until(clock: FrozenClock, system: System, moment: datetime) -> None:
    clock.advance(moment - clock.now())
    await renew_due(system.billing)


async def kinds(system: System) -> list[str]:
    return [kind for kind, _ in await told(system)]


async def earned(system: System) -> Decimal:
    """Fees that the card paid, from the ledger."""
    return Decimal(await asyncio.to_thread(_revenue, system)) / 10**9


def _revenue(system: System) -> int:
    with system.billing.database.read() as session:
        rows = session.exec(
            select(LedgerTransactionRow.amount).where(
                LedgerTransactionRow.kind == "subscription_fee"
            )
        )
        return sum(rows)


async def test_the_saved_card_renews_each_month(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock, system: System
) -> None:
    await paid_for(call, rest)
    await until(clock, system, APRIL - timedelta(microseconds=1))
    assert await earned(system) == 20
    await until(clock, system, APRIL)
    active = await standing(call)
    assert (active.status, active.renews_at) == ("active", MAY)
    assert await grants(call) == [(1000, 0, APRIL), (1000, 1000, MAY)]
    assert await renew_due(system.billing) == 0
    assert await earned(system) == 40
    assert await kinds(system) == ["subscription.activated", RENEWED]
    await in_order(call)


async def test_a_late_server_catches_up_period_by_period(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock, system: System
) -> None:
    await paid_for(call, rest)
    await until(clock, system, JUNE + DAY)
    assert (await standing(call)).renews_at == datetime(2026, 7, 10, 12, tzinfo=UTC)
    assert [expiry for _, _, expiry in await grants(call)][:3] == [APRIL, MAY, JUNE]
    assert await earned(system) == 80
    occurred = [details["occurred_at"][:10] for kind, details in await told(system)]
    assert occurred == ["2026-03-10", "2026-04-10", "2026-05-10", "2026-06-10"]
    await in_order(call)


async def test_several_processes_renew_once(
    call: Call,
    rest: httpx.AsyncClient,
    clock: FrozenClock,
    system: System,
    settings: Settings,
) -> None:
    await paid_for(call, rest)
    clock.advance(JUNE - clock.now())
    async with running(settings, clock=clock) as other, running(settings, clock=clock) as third:
        systems = (system, other, third)
        await asyncio.gather(*(renew_due(one.billing) for one in systems for _ in range(2)))
    # Those two are gone, maybe in the midst of a charge: it is taken up again, as the same one.
    await until(clock, system, JUNE + timedelta(minutes=5))
    assert await earned(system) == 80
    assert (await kinds(system)).count(RENEWED) == 3
    assert len(await grants(call)) == 4
    await in_order(call)


async def test_a_failed_renewal_is_tried_on_four_days_and_then_it_ends(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock, system: System
) -> None:
    made = await paid_for(call, rest, FAILS_LATER)
    for days, tries in ((0, 1), (0.5, 1), (1, 2), (2, 2), (3, 3), (5, 4)):
        await until(clock, system, APRIL + days * DAY)
        assert (await kinds(system)).count(FAILED) == tries
    waiting = await standing(call)
    assert waiting.status == "action_required"
    assert [action.type for action in waiting.required_actions] == ["payment_method"]
    details = (await told(system))[-1][1]
    assert (details["reason"], details["next_attempt_at"]) == (
        "The saved card was declined.",
        "2026-04-17T12:00:00Z",
    )
    await until(clock, system, APRIL + 7 * DAY)
    assert (await kinds(system))[-2:] == [FAILED, "subscription.deactivated"]
    assert (await told(system))[-1][1]["reason"] == "payment_failed"
    ended = await standing(call)
    assert (ended.status, ended.required_actions) == ("inactive", None)
    assert await earned(system) == 20
    await until(clock, system, JUNE)
    assert (await kinds(system)).count(FAILED) == 5
    late = await pay(rest, waiting)
    assert late.status_code == 409  # the page was closed with the last try
    assert (await standing(call)).id == made.id
    await in_order(call)


async def test_while_a_renewal_is_unpaid_usage_is_billed_and_credit_waits(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock, system: System
) -> None:
    await paid_for(call, rest, FAILS_LATER)
    await until(clock, system, APRIL + DAY)
    used = await call(record_event, customer_id="jane", id="1", event_type="image")
    assert [one.amount for one in used.fees] == [10]
    assert (await balances(call))["default:credits"] == -10
    await pay(rest, await standing(call), GOOD)
    recovered = await standing(call)
    assert (recovered.status, recovered.renews_at) == ("active", MAY)
    assert (await balances(call))["default:credits"] == 990
    await until(clock, system, MAY)  # on the card that paid last
    assert (await standing(call)).renews_at == JUNE
    assert await earned(system) == 60
    await in_order(call)


async def test_a_bank_that_wants_the_customer_is_not_asked_in_vain(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock, system: System
) -> None:
    await paid_for(call, rest, ASKS_LATER)
    for days in range(6):
        await until(clock, system, APRIL + days * DAY)
    assert (await kinds(system)).count(FAILED) == 1
    await until(clock, system, APRIL + 7 * DAY)
    assert (await standing(call)).status == "inactive"


async def test_a_page_paid_before_the_next_try_spares_the_card(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock, system: System
) -> None:
    """Though the server did not hear of it."""
    await paid_for(call, rest, FAILS_LATER)
    await until(clock, system, APRIL)
    waiting = await standing(call)
    page = waiting.required_actions[0].redirect_url.rpartition("/")[2]
    provider = system.billing.payments
    assert isinstance(provider, SandboxProvider)
    await asyncio.to_thread(provider.pay, page, GOOD)
    await until(clock, system, APRIL + DAY)
    assert (await standing(call)).status == "active"
    assert await earned(system) == 40
    await in_order(call)


async def test_a_charge_without_an_answer_is_asked_for_again_not_made_again(
    call: Call,
    rest: httpx.AsyncClient,
    clock: FrozenClock,
    system: System,
    deaf: list[ChargeRequest],
) -> None:
    await paid_for(call, rest)
    await until(clock, system, APRIL)
    assert (await standing(call)).status == "active"
    assert await earned(system) == 20
    await until(clock, system, APRIL + timedelta(minutes=5))
    assert [one.key for one in deaf] == [deaf[0].key] * 2
    assert await earned(system) == 40
    assert (await standing(call)).renews_at == MAY
    await in_order(call)


async def test_ended_while_unpaid_it_owes_nothing(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock, system: System
) -> None:
    made = await paid_for(call, rest, FAILS_LATER)
    await until(clock, system, APRIL)
    waiting = await standing(call)
    path = {"customer_id": "jane", "subscription_id": made.id}
    for _ in range(2):
        await call(update_subscription, **path, status="inactive")
    assert (await pay(rest, waiting)).status_code == 409
    await until(clock, system, JUNE)
    assert (await standing(call)).status == "inactive"
    assert await earned(system) == 20
    await in_order(call)


async def test_money_that_comes_when_nothing_is_owed_is_the_customers(
    call: Call, rest: httpx.AsyncClient, system: System
) -> None:
    """Paid on the page while the tenant ended the subscription."""
    await a_plan(call, fee(20))
    made = await subscribed(call)
    page = made.required_actions[0].redirect_url.rpartition("/")[2]
    provider = system.billing.payments
    assert isinstance(provider, SandboxProvider)
    await asyncio.to_thread(provider.pay, page, GOOD)
    path = {"customer_id": "jane", "subscription_id": made.id}
    await call(update_subscription, **path, status="inactive")
    assert (await standing(call)).status == "inactive"
    assert await balances(call) == {"default:USD": 20}
    assert await earned(system) == 0
    await in_order(call)


async def test_resumed_while_it_is_paid_it_costs_nothing_else_it_is_paid_first(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock, system: System
) -> None:
    made = await paid_for(call, rest)
    path = {"customer_id": "jane", "subscription_id": made.id}
    clock.advance(DAY)
    await call(update_subscription, **path, status="inactive")
    clock.advance(DAY)
    await call(update_subscription, **path, status="active")
    resumed = await standing(call)
    assert (resumed.status, resumed.renews_at) == ("active", APRIL)
    assert (await balances(call))["default:credits"] == 1000
    await call(update_subscription, **path, status="inactive")
    await until(clock, system, APRIL + 2 * DAY)
    await call(update_subscription, **path, status="active")
    waiting = await standing(call)
    assert [action.type for action in waiting.required_actions] == ["payment"]
    with pytest.raises(WrongState, match="redirect_url"):
        await call(update_subscription, **path, status="active")
    assert (await balances(call))["default:credits"] == 0
    clock.advance(timedelta(minutes=1))
    await pay(rest, waiting)
    again = await standing(call)
    assert (again.status, again.started_at) == ("active", NOW)
    assert again.renews_at == datetime(2026, 5, 12, 12, 1, tzinfo=UTC)
    assert (await balances(call))["default:credits"] == 1000
    assert await earned(system) == 40
    await in_order(call)


async def test_a_scheduler_can_ask_when_something_is_due_next(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock, system: System
) -> None:
    def asked() -> datetime | None:
        with system.billing.database.read() as session:
            return due.next_subscription(session, system.billing.tenant.id)

    assert await asyncio.to_thread(asked) is None
    await paid_for(call, rest, FAILS_LATER)
    assert await asyncio.to_thread(asked) == APRIL
    await until(clock, system, APRIL)
    assert await asyncio.to_thread(asked) == APRIL + DAY


async def test_a_year_on_the_test_clock(
    call: Call, rest: httpx.AsyncClient, system: System
) -> None:
    """Monthly fee and credit that rolls over, daily credit, usage every 50 days."""
    await credits_asset(call)
    daily = credit(5, "day", purpose="promotion")
    rolling = credit(1000, "month", "rollover")
    await a_plan(call, fee(20), unit_price(10, "credits"), grants=[rolling, daily])
    await pay(rest, await subscribed(call))
    for number in range(7):
        await call(record_event, customer_id="jane", id=str(number), event_type="image")
        await call(advance_clock, advance_by="P50D" if number < 6 else "P65D")
    active = await standing(call)
    assert (active.status, active.renews_at) == ("active", datetime(2027, 4, 10, 12, tzinfo=UTC))
    assert await earned(system) == 20 * 13
    # Each image uses the day's 5 free credits and 5 of the others.
    assert (await balances(call))["default:credits"] == 13 * 1000 - 7 * 5 + 5
    assert (await kinds(system)).count(RENEWED) == 12
    await in_order(call)
