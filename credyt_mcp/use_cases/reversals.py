"""Brings the refunds and disputes of a top-up to what its payment provider says of them: told by an
event, found when somebody looks, or asked after while they are open."""

from __future__ import annotations

import logging
from datetime import timedelta

import anyio

from credyt_mcp.clock import to_micros
from credyt_mcp.domain.assets import currency, minor_amount
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.domain.disputes import BookReversals, DisputeSnapshot
from credyt_mcp.domain.refunds import RefundSnapshot
from credyt_mcp.domain.reversals import DISPUTED, Bought
from credyt_mcp.errors import NotFound, ProviderUnavailable
from credyt_mcp.payments.provider import RefundRequest
from credyt_mcp.storage import assets, reversals, top_ups
from credyt_mcp.storage.reversal_tables import ReversalRow
from credyt_mcp.storage.top_ups import Found
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.keys import as_tenant

FIRST_POLL, LAST_POLL = timedelta(minutes=2), timedelta(hours=1)
DISPUTE_POLL = timedelta(hours=6)
AT_ONCE = 100

log = logging.getLogger(__name__)


async def settle_reversals(billing: Billing, key: str) -> None:
    """Ask the provider for all refunds and disputes of the top-up that a payment's key is of, and
    book what is new.

    `billing` may be any tenant's. Raises ProviderUnavailable, NotFound (a provider that is not
    configured any more).
    """
    found = await anyio.to_thread.run_sync(_found, billing, key.partition(":")[0])
    if found is None or found.top_up.provider_ref is None:
        return
    billing = billing.as_tenant(as_tenant(found.tenant))
    provider = billing.payments_of(found.top_up.provider)
    said = await anyio.to_thread.run_sync(provider.reversals, found.top_up.provider_ref)
    if said.refunds or said.disputes:
        await book_reversals(billing, found, said.refunds, said.disputes)


async def book_reversals(
    billing: Billing,
    found: Found,
    refunds: tuple[RefundSnapshot, ...],
    disputes: tuple[DisputeSnapshot, ...] = (),
) -> None:
    """What was never credited is not taken back."""
    bought = await anyio.to_thread.run_sync(bought_by, billing, found)
    if bought is None:
        log.warning("top-up %s was not credited, but money went back", found.top_up.public_id)
        return
    await billing.lane.submit(
        BookReversals(
            ref=CustomerRef(found.top_up.tenant_id, found.customer.public_id),
            bought=bought,
            provider=found.top_up.provider,
            refunds=refunds,
            disputes=disputes,
            next_poll_at=first_poll(billing),
        )
    )


async def ask_after_reversals(billing: Billing) -> int:
    """Ask the provider of each refund and dispute that is open and due; the first that finds it
    away ends it. A refund whose fate is not known is looked up before it is asked for again."""
    asked = 0
    while True:
        due = await anyio.to_thread.run_sync(_due, billing)
        for row in due:
            if not await anyio.to_thread.run_sync(_claim, billing, row):
                continue
            try:
                await _ask_after(billing, row)
                asked += 1
            except ProviderUnavailable:
                log.warning("%s %s waits: no answer", row.kind, row.public_id)
                return asked
            except NotFound:
                log.warning("%s %s: its provider does not know it", row.kind, row.public_id)
            except Exception:
                log.exception("%s %s could not be settled", row.kind, row.public_id)
        if len(due) < AT_ONCE:
            return asked


async def ask_for_refund(billing: Billing, found: Found, refund_id: str, amount: int) -> None:
    """Have the provider make a refund whose credit was debited, and book what it says. Asking
    again makes no other refund. Raises ProviderUnavailable while its fate is not known."""
    row = found.top_up
    paid = currency(row.currency)
    assert paid is not None and row.provider_ref is not None, "it was paid through a provider"
    request = RefundRequest(
        refund_id, row.tenant_id, row.provider_ref, minor_amount(amount, paid), row.currency
    )
    provider = billing.payments_of(row.provider)
    said = await anyio.to_thread.run_sync(provider.refund, request)
    await book_reversals(billing, found, (said,))


def bought_by(billing: Billing, found: Found) -> Bought | None:
    with billing.database.read() as session:
        asset = assets.find(session, found.top_up.tenant_id, found.top_up.asset)
        assert asset is not None, "assets are never removed"
        return reversals.bought(session, found.top_up, asset)


def first_poll(billing: Billing) -> int:
    return to_micros(billing.clock.now() + FIRST_POLL)


async def _ask_after(billing: Billing, row: ReversalRow) -> None:
    if row.kind == "refund" and row.external_id is None:
        found = await anyio.to_thread.run_sync(_found, billing, row.top_up_id)
        assert found is not None, "top-ups are never removed"
        billing = billing.as_tenant(as_tenant(found.tenant))
        await ask_for_refund(billing, found, row.public_id, row.amount)
    else:
        await settle_reversals(billing, row.top_up_id)


def _found(billing: Billing, top_up_id: str) -> Found | None:
    with billing.database.read() as session:
        found = top_ups.find(session, top_up_id)
        session.expunge_all()
        return found


def _due(billing: Billing) -> list[ReversalRow]:
    with billing.database.read() as session:
        return list(reversals.to_poll(session, billing.clock.now(), AT_ONCE))


def _claim(billing: Billing, row: ReversalRow) -> bool:
    """One that is settled is not asked after again."""
    is_open = row.status in ("pending", *DISPUTED)
    longest = DISPUTE_POLL if row.kind == "dispute" else LAST_POLL
    wait = min(FIRST_POLL * 2 ** min(row.polls, 10), longest)
    again = billing.clock.now() + wait if is_open else None
    with billing.database.write() as session:
        return reversals.claim_poll(session, row, again) and again is not None
