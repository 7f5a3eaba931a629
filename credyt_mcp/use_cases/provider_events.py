"""What a payment provider tells us: kept, answered at once, and looked into afterwards. An event is
only a hint to look; what is booked is what the provider says when it is asked."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta

import anyio

from credyt_mcp.clock import Clock
from credyt_mcp.domain.provider_events import GOES_BACK, ProviderEvent
from credyt_mcp.errors import NotFound, ProviderUnavailable, WebhookRefused
from credyt_mcp.payments.provider import EventProvider, PageRef
from credyt_mcp.storage import payment_accounts, provider_events
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.provider_tables import PaymentAccountRow, ProviderEventRow
from credyt_mcp.use_cases.context import Billing, Command, Result
from credyt_mcp.use_cases.reversals import settle_reversals
from credyt_mcp.use_cases.settling import settle_payment

AT_ONCE = 100
FIRST_RETRY, LAST_RETRY = timedelta(seconds=30), timedelta(hours=1)
TRIES = 8
"""Over about two hours: a key may see an object a little later than its event, or not at all."""

log = logging.getLogger(__name__)


class ReceiveProviderEvent(Command):
    """A delivery as it came: the raw body, the header that signs it, and the payment account whose
    own endpoint it came to; without one, the server's."""

    body: bytes
    signature: str | None = None
    endpoint: str | None = None


class ProviderEventReceived(Result):
    received: bool = True
    duplicate: bool


def receive_provider_event(
    billing: Billing, command: ReceiveProviderEvent
) -> ProviderEventReceived:
    """Raises NotFound without such an endpoint, and as `EventProvider.read_webhook` does."""
    if command.endpoint is None:
        provider, row = _server(billing), None
        event = provider.read_webhook(command.body, command.signature)
    else:
        with billing.database.read() as session:
            found = payment_accounts.by_endpoint(session, command.endpoint)
        if found is None:
            raise NotFound(
                "there is no such webhook endpoint",
                hint="GET /payment-accounts shows the webhook_url of each account.",
            )
        row, tenant = found
        provider = billing.providers.at(row, tenant)
        event = provider.read_webhook(command.body, command.signature)
        if event.account not in ("", row.account) and tenant.parent_id is not None:
            raise WebhookRefused("the event is of another Stripe account than this endpoint's")
    return ProviderEventReceived(duplicate=not keep(billing, provider.name, event, row))


def keep(
    billing: Billing, provider: str, event: ProviderEvent, at: PaymentAccountRow | None = None
) -> bool:
    """Whether the event is new. It is kept under the account that it is of: ids of different
    accounts never meet, whatever a signed body claims."""
    if at is not None:
        event = replace(event, account=event.account or at.account)
    own = at.tenant_id if at is not None and event.account == at.account else None
    with billing.database.write() as session:
        new = provider_events.add(session, provider, event, billing.clock.now(), own)
        if not new:
            session.rollback()
        return new


async def look_into_events(billing: Billing) -> int:
    """Look into all that is due; answers how many were done. Events of an account that is found
    away wait for their next turn."""
    done, away = 0, set[str]()
    while True:
        events = await anyio.to_thread.run_sync(_due, billing, away)
        for event in events:
            if event.account in away:
                continue
            try:
                done += await _look_into(billing, event)
            except ProviderUnavailable:
                log.warning("event %s waits: the provider does not answer", event.event_id)
                away.add(event.account)
            except NotFound as error:
                await anyio.to_thread.run_sync(_not_found, billing, event, error)
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
    provider = await anyio.to_thread.run_sync(
        billing.providers.telling, event.provider, event.account
    )
    if provider is None:
        raise NotFound(f"nobody here has access to account '{event.account}'")
    paid_for = await anyio.to_thread.run_sync(provider.paid_for, hint)
    outcome, tenant_id = "not ours", event.tenant_id
    if paid_for is not None:
        told = paid_for.checkout_id
        page = PageRef(event.provider, event.account, told) if told is not None else None
        settled = await settle_payment(billing, paid_for.key, page)
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


def list_set_aside(database: Database) -> list[ProviderEventRow]:
    """Events, oldest first, of which nothing could be seen with our key. For the operator."""
    with database.read() as session:
        return list(provider_events.set_aside(session))


def retry_set_aside(database: Database, clock: Clock, event_ids: list[str] | None = None) -> int:
    """Look again into these events that were set aside, or all; answers how many there are."""
    with database.write() as session:
        return provider_events.retry(session, event_ids, clock.now())


def _not_found(billing: Billing, event: ProviderEventRow, error: NotFound) -> None:
    """What it tells of is not to be seen with our key: it is tried for a while, then set aside."""
    if event.attempts + 1 < TRIES:
        log.warning("event %s waits: %s", event.event_id, error.detail)
        return
    log.error(
        "event %s is set aside: %s. `credyt-mcp stripe events` lists such, `credyt-mcp stripe "
        "retry` looks again",
        event.event_id,
        error.detail,
    )
    _finish(billing, event, provider_events.SET_ASIDE, event.tenant_id)


def _server(billing: Billing) -> EventProvider:
    if billing.providers.server is None:
        raise NotFound(
            "this server takes no payments through Stripe",
            hint="Set STRIPE_API_KEY and STRIPE_WEBHOOK_SECRET; see docs/payments.md.",
        )
    return billing.providers.server


def _due(billing: Billing, away: set[str]) -> list[ProviderEventRow]:
    with billing.database.read() as session:
        return list(provider_events.due(session, billing.clock.now(), AT_ONCE, away))


def _claim(billing: Billing, event: ProviderEventRow) -> bool:
    with billing.database.write() as session:
        return provider_events.claim(session, event, _again_at(billing, event))


def _again_at(billing: Billing, event: ProviderEventRow) -> datetime:
    wait: timedelta = min(FIRST_RETRY * 2 ** min(event.attempts, 10), LAST_RETRY)
    return billing.clock.now() + wait


def _finish(billing: Billing, event: ProviderEventRow, outcome: str, tenant: int | None) -> None:
    with billing.database.write() as session:
        provider_events.finish(session, event, outcome, tenant, billing.clock.now())
