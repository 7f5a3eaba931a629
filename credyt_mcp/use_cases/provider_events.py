"""What a payment provider tells us: kept, answered at once, and looked into afterwards. An event is
only a hint to look; what is booked is what the provider says when it is asked."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

import anyio

from credyt_mcp.domain.provider_events import GOES_BACK, ProviderEvent
from credyt_mcp.errors import NotFound, ProviderUnavailable
from credyt_mcp.payments.provider import EventProvider
from credyt_mcp.storage import provider_events
from credyt_mcp.storage.provider_tables import ProviderEventRow
from credyt_mcp.use_cases.context import Billing, Command, Result
from credyt_mcp.use_cases.reversals import settle_reversals
from credyt_mcp.use_cases.settling import settle_payment

AT_ONCE = 100
FIRST_RETRY, LAST_RETRY = timedelta(seconds=30), timedelta(hours=1)

log = logging.getLogger(__name__)


class ReceiveProviderEvent(Command):
    """A delivery as it came: the raw body, and the header that signs it."""

    body: bytes
    signature: str | None = None


class ProviderEventReceived(Result):
    received: bool = True
    duplicate: bool


def receive_provider_event(
    billing: Billing, command: ReceiveProviderEvent
) -> ProviderEventReceived:
    """Raises NotFound without such a provider, and as `EventProvider.read_webhook` does."""
    provider = _provider(billing)
    event = provider.read_webhook(command.body, command.signature)
    return ProviderEventReceived(duplicate=not keep(billing, provider.name, event))


def keep(billing: Billing, provider: str, event: ProviderEvent) -> bool:
    """Whether the event is new."""
    with billing.database.write() as session:
        new = provider_events.add(session, provider, event, billing.clock.now())
        if not new:
            session.rollback()
        return new


async def look_into_events(billing: Billing) -> int:
    """Look into all that is due; answers how many were done. The first that finds the provider
    away ends it: they wait for their next turn."""
    done = 0
    while True:
        events = await anyio.to_thread.run_sync(_due, billing)
        for event in events:
            try:
                done += await _look_into(billing, event)
            except ProviderUnavailable:
                log.warning("event %s waits: the provider does not answer", event.event_id)
                return done
            except Exception:
                log.exception("event %s failed and is tried again", event.event_id)
        if len(events) < AT_ONCE:
            return done


async def _look_into(billing: Billing, event: ProviderEventRow) -> bool:
    if not await anyio.to_thread.run_sync(_claim, billing, event):
        return False
    hint = ProviderEvent(
        id=event.event_id,
        account=event.account,
        livemode=bool(event.livemode),
        object_kind=event.object_kind,
        object_id=event.object_id,
        body=event.body,
    )
    paid_for = await anyio.to_thread.run_sync(_provider(billing).paid_for, hint)
    outcome, tenant_id = "not ours", None
    if paid_for is not None:
        settled = await settle_payment(billing, paid_for.key, paid_for.checkout_id)
        if settled is None:
            # Somebody else's payment on the same account of the provider, or another database's.
            log.warning("event %s is about payment %s: unknown here", hint.id, paid_for.key)
        else:
            tenant, outcome = settled
            tenant_id = tenant.id
            if hint.object_kind in GOES_BACK:
                await settle_reversals(billing, paid_for.key)
    await anyio.to_thread.run_sync(_finish, billing, event, outcome, tenant_id)
    return True


def _provider(billing: Billing) -> EventProvider:
    if billing.providers.stripe is None:
        raise NotFound(
            "this server takes no payments through Stripe",
            hint="Set STRIPE_API_KEY and STRIPE_WEBHOOK_SECRET; see docs/payments.md.",
        )
    return billing.providers.stripe


def _due(billing: Billing) -> list[ProviderEventRow]:
    with billing.database.read() as session:
        return list(provider_events.due(session, billing.clock.now(), AT_ONCE))


def _claim(billing: Billing, event: ProviderEventRow) -> bool:
    with billing.database.write() as session:
        return provider_events.claim(session, event, _again_at(billing, event))


def _again_at(billing: Billing, event: ProviderEventRow) -> datetime:
    wait: timedelta = min(FIRST_RETRY * 2 ** min(event.attempts, 10), LAST_RETRY)
    return billing.clock.now() + wait


def _finish(billing: Billing, event: ProviderEventRow, outcome: str, tenant: int | None) -> None:
    with billing.database.write() as session:
        provider_events.finish(session, event, outcome, tenant, billing.clock.now())
