"""Follows up payments without being told: looks into events, asks after payments that stay open,
and fetches the events that never arrived. It has its own loop: a provider that does not answer
keeps nothing else waiting, and one of its accounts no other."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import NoReturn

import anyio

from credyt_mcp.errors import CredytError, NotFound, ProviderUnavailable
from credyt_mcp.storage import open_payments
from credyt_mcp.storage.open_payments import OpenPayment
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.provider_events import keep, look_into_events
from credyt_mcp.use_cases.reversals import ask_after_reversals
from credyt_mcp.use_cases.settling import settle_payment
from credyt_mcp.use_cases.top_ups import FIRST_POLL

LOOK_SECONDS = 1
AT_ONCE = 100
LAST_POLL = timedelta(hours=1)
UNDELIVERED_EVERY, UNDELIVERED_BACK = timedelta(minutes=10), timedelta(days=30)

log = logging.getLogger(__name__)


async def keep_following_up(billing: Billing) -> NoReturn:
    """Until cancelled; what fails is tried again."""
    fetch_at: datetime | None = None
    while True:
        try:
            await follow_up(billing)
            if fetch_at is None or billing.clock.now() >= fetch_at:
                fetch_at = billing.clock.now() + UNDELIVERED_EVERY
                await fetch_undelivered(billing)
        except Exception:
            log.exception("following up payments failed and is tried again")
        await anyio.sleep(LOOK_SECONDS)


async def follow_up(billing: Billing) -> int:
    """All that is due by now; answers how much was looked into."""
    looked = await look_into_events(billing)
    return looked + await ask_after_open(billing) + await ask_after_reversals(billing)


async def ask_after_open(billing: Billing) -> int:
    """Ask the provider of each open payment that is due, less and less often. An account of a
    provider that is found away is not asked again in this round."""
    asked, away = 0, set[str]()
    while True:
        due = await anyio.to_thread.run_sync(_due, billing, away)
        for payment in due:
            name, account = payment.row.public_id, payment.row.provider_account or ""
            if account in away or not await anyio.to_thread.run_sync(_claim, billing, payment):
                continue
            try:
                settled = await settle_payment(billing, name)
                asked += 1
                if settled is not None and settled[1] in ("failed", "expired"):
                    await anyio.to_thread.run_sync(_leave, billing, payment)
            except ProviderUnavailable:
                log.warning("payment %s waits: no answer", name)
                away.add(account)
            except NotFound as error:
                log.warning("payment %s: its provider does not know it: %s", name, error.detail)
            except Exception:
                log.exception("payment %s could not be settled", name)
        if len(due) < AT_ONCE:
            return asked


async def fetch_undelivered(billing: Billing) -> int:
    """Put events that providers could not deliver into the inbox; answers how many were new."""
    return await anyio.to_thread.run_sync(_fetch_undelivered, billing)


def _fetch_undelivered(billing: Billing) -> int:
    since, new = billing.clock.now() - UNDELIVERED_BACK, 0
    for row, provider in billing.providers.all_telling():
        try:
            for event in provider.undelivered(since):
                new += keep(billing, provider.name, event, row)
        except CredytError as error:
            whose = row.public_id if row else "STRIPE_API_KEY"
            log.warning("undelivered events of %s wait: %s", whose, error.detail)
    return new


def _due(billing: Billing, away: set[str]) -> list[OpenPayment]:
    with billing.database.read() as session:
        return open_payments.to_poll(session, billing.clock.now(), AT_ONCE, away)


def _leave(billing: Billing, payment: OpenPayment) -> None:
    with billing.database.write() as session:
        open_payments.leave(session, payment)


def _claim(billing: Billing, payment: OpenPayment) -> bool:
    """One that is closed is not asked after again."""
    row = payment.row
    wait = min(FIRST_POLL * 2 ** min(row.polls, 10), LAST_POLL)
    # One whose page was never made cannot be paid; only an event could still tell of it.
    is_open = payment.waits and (row.provider_ref or row.polls < 10)
    again = billing.clock.now() + wait if is_open else None
    with billing.database.write() as session:
        return open_payments.claim_poll(session, payment, again) and again is not None
