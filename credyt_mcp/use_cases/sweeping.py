"""Does what has become due, in every process, all the time. Reads are right without it, only
earlier than what is written down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NoReturn

import anyio
from sqlmodel import Session

from credyt_mcp.domain.authorizations import BringUpToDate
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.storage import auto_top_ups, due
from credyt_mcp.use_cases.alerts import check_alerts, no_moment
from credyt_mcp.use_cases.automatic_charges import charge_due
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.due_work import SWEEP_SECONDS, DueWork
from credyt_mcp.use_cases.expiring_credit import tell_of_expiring_credit
from credyt_mcp.use_cases.renewals import renew_due
from credyt_mcp.use_cases.shared_costs import settle_due_costs

AT_ONCE = 100

log = logging.getLogger(__name__)

Find = Callable[[Session, datetime, int, int | None], list[CustomerRef]]


async def sweep(billing: Billing, works: Iterable[DueWork] | None = None) -> int:
    """Do what is due of all tenants, or only these kinds of it; answers how much. A kind that
    fails keeps no other waiting."""
    done = 0
    for work in WORK if works is None else works:
        try:
            done += await work.run_due(billing, None)
        except Exception:
            log.exception("what is due of %s failed and is tried again", work.kind)
    return done


async def keep_sweeping(billing: Billing) -> None:
    """Sweep every few seconds, until cancelled; beside it each kind that asks others by itself, if
    this process is to."""

    async def keep_doing(works: Sequence[DueWork], seconds: float) -> NoReturn:
        while True:
            await sweep(billing, works)
            await anyio.sleep(seconds)

    async with anyio.create_task_group() as beside:
        for work in WORK:
            if work.asks_others and billing.settings.webhook_worker:
                beside.start_soon(keep_doing, [work], work.every)
        own = [work for work in WORK if not work.asks_others]
        beside.start_soon(keep_doing, own, SWEEP_SECONDS)


async def _expire_holds(billing: Billing, tenant_id: int | None) -> int:
    return await _bring_up_to_date(billing, tenant_id, due.holds)


async def _book_credit(billing: Billing, tenant_id: int | None) -> int:
    return await _bring_up_to_date(billing, tenant_id, due.credit)


async def _bring_up_to_date(billing: Billing, tenant_id: int | None, find: Find) -> int:
    """Wallets that are due, a batch of the lane at a time. One that fails keeps no other waiting;
    its error is raised in the end."""
    done = 0
    while True:
        refs = await anyio.to_thread.run_sync(_found, billing, tenant_id, find)
        booked = [billing.lane.submit(BringUpToDate(ref)) for ref in refs]
        answers = await asyncio.gather(*booked, return_exceptions=True)
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        done += len(refs) - len(failures)
        if len(refs) < AT_ONCE or len(failures) == len(refs):
            break
    if failures:
        raise failures[0]
    return done


def _found(billing: Billing, tenant_id: int | None, find: Find) -> list[CustomerRef]:
    with billing.database.read() as session:
        return find(session, billing.clock.now(), AT_ONCE, tenant_id)


WORK = (
    DueWork("authorizations", due.next_hold, _expire_holds),
    DueWork("credit", due.next_credit, _book_credit),
    DueWork("subscriptions", due.next_subscription, renew_due, asks_others=True),
    DueWork("expiring_credit", due.next_telling, tell_of_expiring_credit),
    DueWork("shared_costs", due.next_settlement, settle_due_costs),
    DueWork("alerts", no_moment, check_alerts),
    DueWork("auto_top_ups", auto_top_ups.next_due, charge_due, asks_others=True, every=1),
)
"""In the order in which what is due at one moment is done."""
