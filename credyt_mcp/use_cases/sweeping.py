"""Does what has become due, in every process, all the time. Reads are right without it, only
earlier than what is written down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
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
from credyt_mcp.use_cases.due_work import DueWork
from credyt_mcp.use_cases.expiring_credit import tell_of_expiring_credit
from credyt_mcp.use_cases.renewals import renew_due
from credyt_mcp.use_cases.shared_costs import settle_due_costs

SWEEP_SECONDS, ASK_SECONDS = 5, 1
AT_ONCE = 100

log = logging.getLogger(__name__)

Find = Callable[[Session, datetime, int, int | None], list[CustomerRef]]


async def sweep(billing: Billing, *, asks_others: bool | None = None) -> int:
    """Do what is due of all tenants, or only the work that does or does not ask others; answers
    how much. A kind that fails keeps no other waiting."""
    done = 0
    for work in WORK:
        if asks_others is not None and work.asks_others != asks_others:
            continue
        try:
            done += await work.run_due(billing, None)
        except Exception:
            log.exception("what is due of %s failed and is tried again", work.kind)
    return done


async def keep_sweeping(billing: Billing) -> NoReturn:
    """Sweep every few seconds, until cancelled; what asks others, beside it and more often."""

    async def keep_asking() -> None:
        while True:
            await sweep(billing, asks_others=True)
            await anyio.sleep(ASK_SECONDS)

    async with anyio.create_task_group() as beside:
        beside.start_soon(keep_asking)
        while True:
            await sweep(billing, asks_others=False)
            await anyio.sleep(SWEEP_SECONDS)
    raise AssertionError("both go on for ever")


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
    DueWork("subscriptions", due.next_subscription, renew_due),
    DueWork("expiring_credit", due.next_telling, tell_of_expiring_credit),
    DueWork("shared_costs", due.next_settlement, settle_due_costs),
    DueWork("alerts", no_moment, check_alerts),
    DueWork("auto_top_ups", auto_top_ups.next_due, charge_due, asks_others=True),
)
"""In the order in which what is due at one moment is done."""
