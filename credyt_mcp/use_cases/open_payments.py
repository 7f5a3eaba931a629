"""Follows up payments without being told: looks into events, asks after top-ups that stay open, and
fetches the events that never arrived. It has its own loop: a provider that does not answer keeps
nothing else waiting."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import NoReturn

import anyio

from credyt_mcp.errors import NotFound, ProviderUnavailable
from credyt_mcp.storage import top_ups
from credyt_mcp.storage.top_ups import Found
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
    looked = await look_into_events(billing) if billing.providers.stripe is not None else 0
    return looked + await ask_after_open(billing) + await ask_after_reversals(billing)


async def ask_after_open(billing: Billing) -> int:
    """Ask the provider of each open top-up that is due, less and less often; the first that finds
    it away ends it."""
    asked = 0
    while True:
        due = await anyio.to_thread.run_sync(_due, billing)
        for found in due:
            if not await anyio.to_thread.run_sync(_claim, billing, found):
                continue
            try:
                await settle_payment(billing, found.top_up.public_id)
                asked += 1
            except ProviderUnavailable:
                log.warning("top-up %s waits: no answer", found.top_up.public_id)
                return asked
            except NotFound:
                log.warning("top-up %s: its provider does not know it", found.top_up.public_id)
            except Exception:
                log.exception("top-up %s could not be settled", found.top_up.public_id)
        if len(due) < AT_ONCE:
            return asked


async def fetch_undelivered(billing: Billing) -> int:
    """Put events that the provider could not deliver into the inbox; answers how many were new."""
    return await anyio.to_thread.run_sync(_fetch_undelivered, billing)


def _fetch_undelivered(billing: Billing) -> int:
    provider = billing.providers.stripe
    if provider is None:
        return 0
    since = billing.clock.now() - UNDELIVERED_BACK
    return sum(keep(billing, provider.name, event) for event in provider.undelivered(since))


def _due(billing: Billing) -> list[Found]:
    with billing.database.read() as session:
        return top_ups.to_poll(session, billing.clock.now(), AT_ONCE)


def _claim(billing: Billing, found: Found) -> bool:
    """One that is closed is not asked after again."""
    row = found.top_up
    wait = min(FIRST_POLL * 2 ** min(row.polls, 10), LAST_POLL)
    # One whose page was never made cannot be paid; only an event could still tell of it.
    is_open = row.status in ("initiated", "pending") and (row.provider_ref or row.polls < 10)
    again = billing.clock.now() + wait if is_open else None
    with billing.database.write() as session:
        return top_ups.claim_poll(session, row, again) and again is not None
