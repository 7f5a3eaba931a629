"""The test clock: what it moves, what happens on the way, and that all processes live by it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import anyio
import httpx
import psycopg
import pytest
from sqlalchemy import text

from credyt_mcp.app import System, running
from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import (
    Forbidden,
    InsufficientBalance,
    InternalError,
    InvalidRequest,
    OutsideWindow,
)
from credyt_mcp.settings import Settings
from credyt_mcp.storage import due
from credyt_mcp.use_cases import clocks
from credyt_mcp.use_cases.adjustments import create_adjustment
from credyt_mcp.use_cases.authorizations import authorize_usage, get_authorization
from credyt_mcp.use_cases.clocks import ClockAdvanced, advance_clock, get_clock
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.customers import get_customer
from credyt_mcp.use_cases.due_work import DueWork
from credyt_mcp.use_cases.events import get_event, record_event
from credyt_mcp.use_cases.keys import create_key
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.limits import set_wallet_limits
from credyt_mcp.use_cases.notices import list_notices
from credyt_mcp.use_cases.sweeping import WORK, sweep
from credyt_mcp.use_cases.top_ups import get_top_up
from credyt_mcp.use_cases.topup_flows import generate_topup_flow
from credyt_mcp.use_cases.wallets import list_grants
from tests.callers import caller, live
from tests.conftest import NOW, Call
from tests.samples import TIERED, a_product, a_wallet, balances, unit_price

DAY = timedelta(days=1)
JANE = {"customer_id": "jane", "account_id": "default:USD"}


async def gift(call: Call, days: int, amount: int = 1, who: str = "jane", **more: Any) -> None:
    """Credit that expires in so many days from the fixture's now."""
    fields = {"transaction_id": f"{who}-{days}-{amount}", "asset": "USD", "reason": "gift"}
    ends = NOW + days * DAY
    await call(create_adjustment, customer_id=who, amount=amount, expires_at=ends, **fields, **more)


def ran(advanced: ClockAdvanced) -> dict[str, int]:
    return {work.kind: work.count for work in advanced.ran}


async def test_time_moves_by_calendar_months_and_goes_on_from_there(
    call: Call, clock: FrozenClock
) -> None:
    clock.advance(datetime(2026, 8, 31, 12, tzinfo=NOW.tzinfo) - NOW)
    start = clock.now()
    moved = await call(advance_clock, advance_by="P6M")
    assert moved.now == datetime(2027, 2, 28, 12, tzinfo=NOW.tzinfo)
    assert (moved.real_now, moved.environment, moved.ran) == (start, "test", [])
    assert moved.offset_seconds == (moved.now - start).total_seconds()
    clock.advance(DAY)
    seen = await call(get_clock)
    assert (seen.now, seen.real_now) == (moved.now + DAY, start + DAY)
    assert seen.offset_seconds == moved.offset_seconds


async def test_what_happens_later_happens_in_the_accounts_own_time(call: Call) -> None:
    await a_product(call, TIERED)
    await call(advance_clock, to=NOW + 40 * DAY)
    await a_wallet(call, "studio", credit=1)
    assert (await call(get_customer, customer_id="jane")).created_at == NOW + 40 * DAY
    for number in range(3):  # the third is in the second tier of the month
        recorded = await call(record_event, id=f"e{number}", customer_id="jane", event_type="call")
    assert recorded.fees[0].amount == Decimal("0.008")
    event = await call(get_event, event_id="e0")
    assert (event.occurred_at, event.created_at) == (NOW + 40 * DAY, NOW + 40 * DAY)
    with pytest.raises(OutsideWindow):
        await call(record_event, id="late", customer_id="jane", event_type="call", occurred_at=NOW)
    held = await call(authorize_usage, id="a1", customer_id="jane", event_type="call")
    assert held.expires_at == NOW + 40 * DAY + timedelta(minutes=15)
    await call(advance_clock, advance_by="P1M")
    recorded = await call(record_event, id="e9", customer_id="jane", event_type="call")
    assert recorded.fees[0].amount == Decimal("0.01")  # a new month's first tier


async def test_everything_due_on_the_way_happens_at_its_own_moment(call: Call) -> None:
    await a_wallet(call, credit=1)
    await call(set_wallet_limits, **JANE, low_balance_threshold=5)
    await gift(call, days=30, amount=10)
    await gift(call, days=90, amount=20, effective_at=NOW + 60 * DAY)
    await call(authorize_usage, id="a1", customer_id="jane", amount=1)
    advanced = await call(advance_clock, advance_by="P6M")
    assert ran(advanced) == {"authorizations": 1, "credit": 3, "expiring_credit": 2}
    expired = await call(get_authorization, authorization_id="a1")
    assert (expired.status, expired.closed_at) == ("expired", NOW + timedelta(minutes=15))
    # 11, 1 from day 30 on, 21 from day 60 on, 1 from day 90 on: it fell below 5 twice.
    told: dict[str, list[Any]] = {}
    for notice in (await call(list_notices)).items:
        told.setdefault(notice.kind, []).append(notice.created_at)
    assert told["balance.low"] == told["grant.expired"] == [NOW + 90 * DAY, NOW + 30 * DAY]
    assert told["grant.expiring"] == [NOW + 83 * DAY, NOW + 23 * DAY]
    assert await balances(call) == {"default:USD": 1}
    assert (await call(verify_ledger)).ok


async def test_one_long_way_is_the_same_as_many_short_ones(call: Call) -> None:
    for who in ("jane", "joe"):
        await a_wallet(call, credit=1, who=who)
        for days in (3, 3, 10, 11, 40):
            await gift(call, days=days, amount=days + len(who), who=who)
        await call(authorize_usage, id=who, customer_id=who, amount=2, expires_in=5 * 24 * 3600)
    advanced = [await call(advance_clock, to=NOW + day * DAY) for day in (20, *range(21, 50))]
    assert sum(ran(one).get("credit", 0) for one in advanced) == 8
    assert advanced[-1].now == NOW + 49 * DAY
    for who in ("jane", "joe"):
        assert await balances(call, who) == {"default:USD": 1}
    assert (await call(verify_ledger)).ok


async def test_a_payment_link_expires_by_the_accounts_clock(
    call: Call, rest: httpx.AsyncClient
) -> None:
    await a_wallet(call)
    await call(advance_clock, advance_by="P1Y")
    flow = await call(generate_topup_flow, customer_id="jane", amount=10)
    page = httpx.URL(flow.redirect_url).path
    assert (await rest.get(page)).status_code == 200
    await call(advance_clock, advance_by="P1D")
    paid = await rest.post(page, data={"card_number": "4242 4242 4242 4242"})
    assert paid.status_code == 409
    assert (await call(get_top_up, top_up_id=flow.top_up_id)).status == "expired"
    flow = await call(generate_topup_flow, customer_id="jane", amount=10)
    page = httpx.URL(flow.redirect_url).path
    paid = await rest.post(page, data={"card_number": "4242 4242 4242 4242"})
    assert paid.status_code == 303
    [grant] = (await call(list_grants, **JANE)).items
    assert grant.created_at == (await call(get_clock)).now


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"to": (NOW - timedelta(microseconds=1)).isoformat()}, "to"),
        ({"to": "9999-12-31T00:00:00Z"}, "to"),
        ({"advance_by": "P11Y"}, "advance_by"),
        ({"advance_by": "P9999Y"}, "advance_by"),
        ({"advance_by": "a month"}, "advance_by"),
        ({"advance_by": "P1M", "to": NOW.isoformat()}, ""),
        ({}, ""),
        ({"to": "2027-01-01T00:00:00"}, "to"),
    ],
)
async def test_a_request_that_makes_no_sense_moves_nothing(
    call: Call, rest: httpx.AsyncClient, asked: dict[str, Any], field: str
) -> None:
    refused = await rest.post("/clock", json=asked)
    assert refused.status_code == 422
    assert list(refused.json()["errors"]) == [field]
    assert (await call(get_clock)).offset_seconds == 0


async def test_live_time_is_real(
    call: Call, rest: httpx.AsyncClient, system: System, clock: FrozenClock
) -> None:
    await call(advance_clock, advance_by="P1M")
    key = create_key(system.billing.database, clock, "live", "live").key
    headers = {"X-CREDYT-API-KEY": key}
    refused = await rest.post("/clock", json={"advance_by": "P1D"}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    seen = (await rest.get("/clock", headers=headers)).json()
    assert (seen["environment"], seen["offset_seconds"]) == ("live", 0)
    assert datetime.fromisoformat(seen["now"]) == clock.now()


async def test_a_batch_of_accounts_with_different_clocks_decides_for_each_in_its_time(
    call: Call, system: System, clock: FrozenClock
) -> None:
    real = live(system.billing)
    for each in (call, real):
        await a_product(each, unit_price("0.01"))
        await a_wallet(each, "studio", credit=1)
        await gift(each, days=10, amount=5)
    await call(advance_clock, to=NOW + 10 * DAY)
    asked = [
        each(record_event, id=f"e{number}", customer_id="jane", event_type="image")
        for number in range(20)
        for each in (call, real)
    ]
    recorded = await asyncio.gather(*asked)
    assert {one.event_id for one in recorded[::2]} == {one.event_id for one in recorded[1::2]}
    for each, left, now in ((call, "0.8", NOW + 10 * DAY), (real, "5.8", NOW)):
        assert {name: f"{left:f}" for name, left in (await balances(each)).items()} == {
            "default:USD": left
        }
        assert (await each(get_event, event_id="e7")).occurred_at == now
        assert (await each(verify_ledger)).ok


async def test_another_process_lives_by_a_moved_clock_at_once(
    call: Call, settings: Settings, clock: FrozenClock
) -> None:
    await a_product(call, unit_price(1))
    await a_wallet(call, "studio")
    for number in range(1, 6):
        await gift(call, days=number, amount=10**number)
    async with running(settings, clock=clock) as other:
        there = caller(other.billing)
        await there(authorize_usage, id="a0", customer_id="jane", amount=1)  # it knows the wallet
        await call(advance_clock, to=NOW + 1 * DAY)
        held = await there(authorize_usage, id="a1", customer_id="jane", amount=1)
        assert (held.created_at, held.available) == (NOW + DAY, 111_099)
        await call(advance_clock, to=NOW + 2 * DAY)
        recorded = await there(record_event, id="e1", customer_id="jane", event_type="image")
        assert recorded.balances == {"default:USD": 110_999}
        assert (await there(get_event, event_id="e1")).occurred_at == NOW + 2 * DAY
        await call(advance_clock, to=NOW + 3 * DAY)
        assert await balances(there) == {"default:USD": 110_000}
        await call(advance_clock, to=NOW + 5 * DAY)
        with pytest.raises(InsufficientBalance):
            await there(authorize_usage, id="a2", customer_id="jane", amount=1)
        assert (await there(get_clock)).now == NOW + 5 * DAY


async def test_schedulers_of_several_processes_do_everything_once(
    call: Call, system: System, settings: Settings, clock: FrozenClock
) -> None:
    for who in ("jane", "joe", "ann", "bob"):
        await a_wallet(call, credit=1, who=who)
        for days in range(1, 6):
            await gift(call, days=days, amount=days, who=who)
            name = f"{who}-{days}"
            await call(
                authorize_usage, id=name, customer_id=who, amount=1, expires_in=days * 24 * 3600
            )
    async with running(settings, clock=clock) as other:
        barrier = asyncio.Barrier(2)

        async def live_by(process: System) -> None:
            for _ in range(6):
                await barrier.wait()
                await sweep(process.billing)
                if (await barrier.wait()) == 0:
                    clock.advance(DAY)

        await asyncio.gather(live_by(system), live_by(other))
    report = await call(verify_ledger)
    # A starting credit, five gifts, five expiries for each of four.
    assert (report.ok, report.checked["ledger_transactions"]) == (True, 44)
    for who in ("jane", "joe", "ann", "bob"):
        assert await balances(call, who) == {"default:USD": 1}


async def test_two_who_move_the_clock_at_once_live_each_day_once(
    call: Call, settings: Settings, clock: FrozenClock
) -> None:
    await a_wallet(call, credit=1)
    for days in range(1, 15):
        await gift(call, days=days, amount=days)
    async with running(settings, clock=clock) as other:
        target = NOW + 20 * DAY
        moved = await asyncio.gather(
            call(advance_clock, to=target), caller(other.billing)(advance_clock, to=target)
        )
    assert [one.now for one in moved] == [target, target]
    report = await call(verify_ledger)
    assert (report.ok, report.checked["ledger_transactions"]) == (True, 29)


async def test_an_interrupted_way_stops_somewhere_before_its_end_and_is_finished_by_asking_again(
    call: Call, settings: Settings, clock: FrozenClock, system: System
) -> None:
    await a_wallet(call, credit=1)
    for days in range(1, 15):
        await gift(call, days=days, amount=days)
    async with running(settings, clock=clock) as other:
        going = asyncio.create_task(caller(other.billing)(advance_clock, to=NOW + 20 * DAY))
        while (await call(get_clock)).now < NOW + 5 * DAY:
            pass
        going.cancel()
        with pytest.raises(asyncio.CancelledError):
            await going
    stopped = (await call(get_clock)).now
    assert NOW + 5 * DAY <= stopped < NOW + 20 * DAY
    left = sum(days for days in range(1, 15) if NOW + days * DAY > stopped)
    assert (await balances(call))["default:USD"] == 1 + left
    assert (await call(advance_clock, to=NOW + 20 * DAY)).now == NOW + 20 * DAY
    report = await call(verify_ledger)
    assert (report.ok, report.checked["ledger_transactions"]) == (True, 29)


async def test_work_that_fails_leaves_the_clock_where_it_was_due_and_is_done_by_asking_again(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_wallet(call, credit=1)
    for days in (1, 2, 3):
        await gift(call, days=days, amount=days)
    done: list[datetime] = []

    async def fails(billing: Billing, tenant_id: int | None) -> int:
        done.append(billing.now())
        raise ConnectionError("the provider is down")

    async def does_nothing(billing: Billing, tenant_id: int | None) -> int:
        return 0

    for run_due, error in ((fails, ConnectionError), (does_nothing, InternalError)):
        other = DueWork("other", lambda _, tenant_id: NOW + 2 * DAY, run_due)
        with monkeypatch.context() as patch:
            patch.setattr(clocks, "WORK", (*WORK, other))
            with pytest.raises(error):
                await call(advance_clock, to=NOW + 5 * DAY)
        assert (await call(get_clock)).now == NOW + 2 * DAY
    assert done == [NOW + 2 * DAY]
    assert await balances(call) == {"default:USD": 4}
    assert ran(await call(advance_clock, to=NOW + 5 * DAY)) == {"credit": 1}
    assert await balances(call) == {"default:USD": 1}


async def test_a_wallet_that_cannot_be_booked_keeps_no_other_waiting(
    call: Call, system: System, clock: FrozenClock
) -> None:
    for who in ("ann", "jane", "joe"):
        await a_wallet(call, credit=1, who=who)
        await call(authorize_usage, id=who, customer_id=who, amount=1, expires_in=60)
    database = system.billing.database
    with database.write() as session:  # what cannot be read
        broken = text("UPDATE authorizations SET legs = '[' WHERE client_id = 'jane'")
        session.connection().execute(broken)
    clock.advance(timedelta(minutes=1))
    await sweep(system.billing)
    with database.read() as session:
        left = due.holds(session, clock.now(), 10)
        jane = (await call(get_customer, customer_id="jane")).id
    assert [ref.id for ref in left] == [jane]


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_the_time_is_known_again_after_the_database_went_away(
    call: Call, system: System, database_url: str
) -> None:
    await a_wallet(call, credit=1)
    await call(advance_clock, advance_by="P1D")
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert (await anyio.to_thread.run_sync(system.billing.now)) == NOW + DAY
    held = await call(authorize_usage, id="a1", customer_id="jane", amount=1)
    assert held.created_at == NOW + DAY


async def test_only_a_test_account_may_move_its_clock(call: Call, system: System) -> None:
    with pytest.raises(Forbidden, match="live"):
        await live(system.billing)(advance_clock, advance_by="P1D")
    with pytest.raises(InvalidRequest):
        await call(advance_clock, to=NOW - DAY)


async def test_a_model_moves_the_clock_over_mcp(mcp: Any) -> None:
    moved = await mcp.call_tool("advance_clock", {"advance_by": "P1M"})
    assert moved.structured_content["now"] == "2026-04-10T12:00:00Z"
    assert (await mcp.call_tool("advance_clock", {"advance_by": "PT0S"})).structured_content == {
        **moved.structured_content,
        "ran": [],
    }
