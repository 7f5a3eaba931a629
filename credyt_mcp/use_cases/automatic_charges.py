"""Charges saved cards for automatic top-ups that the write lane has begun.

The provider is asked here, outside the lane; what to ask and what the answer means is decided in
the lane, once, see `domain.automatic_charges`. An attempt has one key at the provider, for ever:
after a crash or without an answer the same attempt is asked about, and never made again.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import anyio

from credyt_mcp.clock import to_micros
from credyt_mcp.domain.assets import currency, minor_amount
from credyt_mcp.domain.auto_top_ups import CheckAutoTopUps
from credyt_mcp.domain.automatic_charges import (
    CALLED_OFF,
    Attempt,
    BeginAttempt,
    DeclineAttempt,
)
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.domain.money import Asset
from credyt_mcp.errors import InvalidRequest, LedgerBroken, NotFound, ProviderUnavailable
from credyt_mcp.payments.provider import ChargeRequest, ChargeSnapshot, CheckoutRequest, declined
from credyt_mcp.storage import assets, auto_top_ups, top_ups
from credyt_mcp.storage.auto_top_ups import Found
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.keys import as_tenant
from credyt_mcp.use_cases.top_ups import FIRST_POLL, book_status, rate_in_force

AT_ONCE = 8
"""Cards charged side by side: the provider's answer takes a second or two."""
PAGE_LASTS = timedelta(hours=23)
"""How long the link to confirm works; Stripe's pages last a day at most."""

log = logging.getLogger(__name__)


async def charge_due(billing: Billing, tenant_id: int | None = None) -> int:
    """All that is due, of one tenant or (None) of all; answers how much was done. A provider that
    does not answer ends it, until what was not asked is due again."""
    done = 0
    while True:
        refs, charges = await anyio.to_thread.run_sync(_due, billing, tenant_id)
        await asyncio.gather(*(billing.lane.submit(CheckAutoTopUps(ref)) for ref in refs))
        answers = await asyncio.gather(*(_attempt(billing, one) for one in charges))
        progress = len(refs) + sum(done for done, _ in answers)
        done += progress
        if not progress or not all(answered for _, answered in answers):
            return done


async def ask_at_once(billing: Billing, found: Found) -> None:
    """For who has heard that something became of an attempt. Raises ProviderUnavailable."""
    await _step(billing.as_tenant(as_tenant(found.tenant)), found, hinted=True)


async def _attempt(billing: Billing, top_up_id: str) -> tuple[bool, bool]:
    """Whether anything was done, and whether the provider answered."""
    try:
        found = await anyio.to_thread.run_sync(_found, billing, top_up_id)
        return await _step(billing.as_tenant(as_tenant(found.tenant)), found), True
    except ProviderUnavailable:
        log.warning("top-up %s: no answer; the same attempt is asked about later", top_up_id)
        return True, False
    except Exception:
        log.exception("the charge for top-up %s failed and is tried again", top_up_id)
        return False, True


async def _step(billing: Billing, found: Found, *, hinted: bool = False) -> bool:
    """Take on what is due of a charge and do it; False if somebody else has."""
    ref = CustomerRef(found.top_up.tenant_id, found.customer.public_id)
    begin = await anyio.to_thread.run_sync(_begin, billing, found, ref, hinted)
    attempt: Attempt | None = await billing.lane.submit(begin)
    if attempt is None or not attempt.number:
        return attempt is not None
    found = await anyio.to_thread.run_sync(_found, billing, found.top_up.public_id)
    said = await anyio.to_thread.run_sync(_ask, billing, found, attempt)
    decline = DeclineAttempt(ref, found.top_up.public_id, attempt.number, CALLED_OFF)
    if said is None:
        await billing.lane.submit(decline)
    elif said.status == "succeeded" or said.status == "pending":
        _must_be_as_asked(found, said)
        await book_status(billing, found.top_up, found.customer, said.status, payment=said.payment)
    else:
        page = None
        if said.status == "needs_customer":
            page = await anyio.to_thread.run_sync(_page, billing, found, attempt)
        code = said.code or "generic_decline"
        await billing.lane.submit(
            DeclineAttempt(ref, found.top_up.public_id, attempt.number, code, page)
        )
    return True


def _begin(billing: Billing, found: Found, ref: CustomerRef, hinted: bool) -> BeginAttempt:
    top_up, now = found.top_up, billing.now()
    paid, rate, days = _currency(found), None, billing.settings.top_up_expiry_days
    if top_up.asset != top_up.currency:
        with billing.database.read() as session:
            bought = assets.find(session, top_up.tenant_id, top_up.asset)
            assert bought is not None, "an account's asset exists"
            rate = rate_in_force(session, top_up.tenant_id, bought, paid, now)
    return BeginAttempt(
        ref,
        top_up.public_id,
        exchange_rate=None if rate is None else f"{rate:f}",
        credit_expires_at=None if days is None else to_micros(now + timedelta(days=days)),
        hinted=hinted,
    )


def _ask(billing: Billing, found: Found, attempt: Attempt) -> ChargeSnapshot | None:
    """What became of the attempt, made now if it was not before; None if it was not and may not
    be. Raises ProviderUnavailable when that is not known."""
    top_up, customer, key = found.top_up, found.customer, _key(found, attempt)
    amount = minor_amount(top_up.amount, _currency(found))
    try:
        provider = billing.payments_of(top_up.provider)
    except NotFound:
        return declined("provider_removed", amount, top_up.currency)
    if not attempt.may_charge:
        return provider.call_off(top_up.tenant_id, key)
    if top_up.asset != top_up.currency and top_up.exchange_rate is None:
        return declined("no_rate", amount, top_up.currency)
    if billing.tenant.environment == "live" and provider.name == "sandbox":
        return declined("provider_removed", amount, top_up.currency)
    request = ChargeRequest(
        key=key,
        tenant_id=top_up.tenant_id,
        customer_key=customer.public_id,
        amount_minor=amount,
        currency=top_up.currency,
        description="Automatic top-up",
        card=attempt.card,
        preferred_card=customer.default_card,
    )
    try:
        return provider.charge(request)
    except InvalidRequest as refused:
        log.warning("top-up %s: %s", top_up.public_id, refused.detail)
        return declined("amount_refused", amount, top_up.currency)


def _page(billing: Billing, found: Found, attempt: Attempt) -> str:
    """A page where the customer confirms, by paying the same top-up there."""
    top_up, now = found.top_up, billing.now()
    portal = f"{billing.settings.public_url.rstrip('/')}/portal"
    ends = now + PAGE_LASTS
    page = billing.payments_of(top_up.provider).create_checkout(
        CheckoutRequest(
            key=f"{top_up.public_id}:confirm:{attempt.number}",
            tenant_id=top_up.tenant_id,
            amount_minor=minor_amount(top_up.amount, _currency(found)),
            currency=top_up.currency,
            description="Automatic top-up",
            return_url=portal,
            failure_url=portal,
            created_at=now,
            expires_at=ends,
            save_card=True,
            customer_key=found.customer.public_id,
        )
    )
    poll_at = billing.clock.now() + FIRST_POLL
    with billing.database.write() as session:
        top_ups.set_checkout(
            session,
            top_up.tenant_id,
            top_up.public_id,
            page.id,
            page.url,
            expires_at=ends,
            next_poll_at=poll_at,
        )
    return page.url


def _must_be_as_asked(found: Found, said: ChargeSnapshot) -> None:
    """Raises LedgerBroken when the provider took another amount than we asked for."""
    asked = minor_amount(found.top_up.amount, _currency(found)), found.top_up.currency
    if (said.amount_minor, said.currency) != asked:
        raise LedgerBroken(f"top-up {found.top_up.public_id} was charged in another amount")


def _key(found: Found, attempt: Attempt) -> str:
    return f"{found.top_up.public_id}:charge:{attempt.number}"


def _currency(found: Found) -> Asset:
    asset = currency(found.top_up.currency)
    assert asset is not None, "a provider takes currencies only"
    return asset


def _found(billing: Billing, top_up_id: str) -> Found:
    with billing.database.read() as session:
        found = auto_top_ups.find_charge(session, top_up_id)
    assert found is not None, "charges are never removed"
    return found


def _due(billing: Billing, tenant_id: int | None) -> tuple[list[CustomerRef], list[str]]:
    with billing.database.read() as session:
        now = billing.clock.now()
        refs = auto_top_ups.to_check(session, now, AT_ONCE, tenant_id)
        return refs, auto_top_ups.due_charges(session, now, AT_ONCE, tenant_id)
