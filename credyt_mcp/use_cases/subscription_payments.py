"""Collects the fees of subscriptions through the payment provider: by a page, or by the saved card.

A payment page and a charge of the saved card never run beside each other. The provider is asked
outside the write lane, and what it says is booked there, once.
"""

from __future__ import annotations

import logging
from datetime import timedelta

import anyio

from credyt_mcp.domain.assets import currency, minor_amount
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.domain.subscription_payments import Outcome, SettleSubscriptionPayment
from credyt_mcp.errors import LedgerBroken, Misconfigured, NotFound, ProviderUnavailable
from credyt_mcp.payments.provider import (
    ChargeRequest,
    ChargeSnapshot,
    CheckoutRequest,
    PageRef,
    PaymentProvider,
    PaymentSnapshot,
)
from credyt_mcp.storage import customers, subscription_payments
from credyt_mcp.storage.subscription_payments import Found
from credyt_mcp.storage.tables import CustomerRow
from credyt_mcp.use_cases.context import Billing

CHARGE_LEASE = timedelta(minutes=5)
"""How long a charge that was begun is left alone before its outcome is asked for again."""
FIRST_POLL = timedelta(minutes=2)
"""How long a payment is left to the provider's own word before it is asked for."""

log = logging.getLogger(__name__)


async def offer_pages(billing: Billing, customer: CustomerRow) -> None:
    """Give each payment that waits for the customer a page that works; book what was paid on the
    one it had. While the provider does not answer, or cannot be asked, things stay as they
    are."""
    for found in await anyio.to_thread.run_sync(_waiting, billing, customer):
        try:
            await _offer_page(billing, found)
        except (ProviderUnavailable, NotFound, Misconfigured) as error:
            log.warning("no page for payment %s: %s", found.payment.public_id, error.detail)


async def settle(billing: Billing, found: Found, told: PageRef | None = None) -> str:
    """Book what the provider says of a payment's page, or of an earlier one that an event `told`
    of, if it was paid; answers what it says."""
    if told is not None and told.id != found.payment.provider_ref:
        before = await anyio.to_thread.run_sync(_earlier_page, billing, told)
        if before.status == "succeeded":
            await _book(billing, found, before, "succeeded")
            await anyio.to_thread.run_sync(_close_page, billing, found)
            return before.status
    if found.payment.provider_ref is None:
        return "initiated"
    page = await anyio.to_thread.run_sync(_page, billing, found)
    if page.status == "succeeded":
        await _book(billing, found, page, "succeeded")
    return page.status


async def collect(billing: Billing, found: Found) -> bool:
    """Charge the saved card for a payment that is due, unless somebody else does it already.

    Raises ProviderUnavailable; the same charge is then asked for again later.
    """
    claimed = await anyio.to_thread.run_sync(_claim, billing, found)
    if claimed is None:
        return False
    page = await anyio.to_thread.run_sync(_close_page, billing, claimed)
    if page is not None and page.status == "succeeded":
        await _book(billing, claimed, page, "succeeded")
        return True
    charge = await anyio.to_thread.run_sync(_charge, billing, claimed)
    if charge.status != "pending":
        await _book(billing, claimed, charge, charge.status, charge.reason)
    return True


async def give_up(billing: Billing, payment_id: str) -> None:
    """Close the page of a payment that was called off. Was it paid meanwhile, that is booked."""
    found = await anyio.to_thread.run_sync(_get, billing, payment_id)
    page = await anyio.to_thread.run_sync(_close_page, billing, found)
    if page is not None and page.status == "succeeded":
        await _book(billing, found, page, "succeeded")


async def collect_now(billing: Billing, payment_id: str) -> None:
    """Charge the saved card at once. If the provider does not answer, it is tried again later."""
    found = await anyio.to_thread.run_sync(_get, billing, payment_id)
    try:
        await collect(billing, found)
    except ProviderUnavailable:
        log.warning("payment %s is tried again: the provider does not answer", payment_id)


async def _offer_page(billing: Billing, found: Found) -> None:
    page = await anyio.to_thread.run_sync(_page_to_keep, billing, found)
    if page is not None and page.status == "succeeded":
        await _book(billing, found, page, "succeeded")
    if page is None or page.status in ("expired", "failed"):
        await anyio.to_thread.run_sync(_new_page, billing, found)


def _page_to_keep(billing: Billing, found: Found) -> PaymentSnapshot | None:
    """The payment's page, which is closed if its provider takes no new payments any more. None
    where there is none, or none that can be asked after."""
    payment, providers = found.payment, billing.providers
    if payment.provider_ref is None:
        return None
    begun_at = payment.provider or "", payment.provider_account or ""
    if providers.still_taking(billing.tenant, *begun_at) is None:
        return _close_page(billing, found)
    try:
        return _page(billing, found)
    except NotFound:
        return None


def _earlier_page(billing: Billing, told: PageRef) -> PaymentSnapshot:
    return billing.payments_of(told.provider, told.account).fetch(told.id)


def _page(billing: Billing, found: Found) -> PaymentSnapshot:
    assert found.payment.provider_ref is not None
    return _provider_of_page(billing, found).fetch(found.payment.provider_ref)


def _provider_of_page(billing: Billing, found: Found) -> PaymentProvider:
    payment = found.payment
    return billing.payments_of(payment.provider or "", payment.provider_account or "")


def _new_page(billing: Billing, found: Found) -> None:
    provider = _must_be_real(billing)
    account = provider.account
    payment, details, now = found.payment, found.subscription.details or {}, billing.now()
    page = provider.create_checkout(
        CheckoutRequest(
            key=f"{payment.public_id}:{payment.link + 1}",
            tenant_id=payment.tenant_id,
            amount_minor=_minor(found),
            currency=payment.currency,
            description=_description(found),
            return_url=_return_url(billing, found),
            failure_url=details.get("failure_url") or details.get("return_url") or "",
            created_at=now,
            expires_at=now + timedelta(minutes=billing.settings.checkout_minutes),
            save_card=True,
            customer_key=found.customer.public_id,
        )
    )
    with billing.database.write() as session:
        poll_at = billing.clock.now() + FIRST_POLL
        subscription_payments.keep_page(
            session, found, provider.name, account, page.id, page.url, poll_at
        )


def _return_url(billing: Billing, found: Found) -> str:
    details = found.subscription.details or {}
    if details.get("redirect_to") == "portal":
        return f"{billing.settings.public_url.rstrip('/')}/portal"
    return details.get("return_url") or ""


def _claim(billing: Billing, found: Found) -> Found | None:
    provider, until = billing.payments, billing.now() + CHARGE_LEASE
    account = provider.account
    with billing.database.write() as session:
        customers.find(session, found.customer.tenant_id, found.customer.public_id, lock=True)
        if not subscription_payments.claim(session, found, until, provider.name, account):
            return None
        session.expire_all()
        return subscription_payments.get(session, found.payment.public_id)


def _close_page(billing: Billing, found: Found) -> PaymentSnapshot | None:
    """Make sure that nobody pays on the page any more; answers whether somebody has."""
    ref = found.payment.provider_ref
    try:
        return None if ref is None else _provider_of_page(billing, found).close_checkout(ref)
    except NotFound as error:
        log.warning("the page of payment %s is left: %s", found.payment.public_id, error.detail)
        return None


def _charge(billing: Billing, found: Found) -> ChargeSnapshot:
    """At the account where this attempt was begun."""
    payment = found.payment
    provider = _must_be_real(billing)
    if payment.charge_provider is not None:
        provider = billing.payments_of(payment.charge_provider, payment.charge_account or "")
    return provider.charge(
        ChargeRequest(
            key=f"{payment.public_id}:charge:{payment.attempt}",
            tenant_id=payment.tenant_id,
            customer_key=found.customer.public_id,
            amount_minor=_minor(found),
            currency=payment.currency,
            description=_description(found),
            preferred_card=found.customer.default_card,
        )
    )


def _must_be_real(billing: Billing) -> PaymentProvider:
    """Who takes new payments. Raises ProviderUnavailable where the sandbox would stand in for live
    ones."""
    provider = billing.payments
    if billing.tenant.environment == "live" and provider.name == "sandbox":
        raise ProviderUnavailable("live payments need a payment provider")
    return provider


async def _book(
    billing: Billing,
    found: Found,
    said: PaymentSnapshot | ChargeSnapshot,
    outcome: Outcome,
    reason: str | None = None,
) -> None:
    """Raises LedgerBroken when the provider took another amount than we asked for."""
    payment = found.payment
    if outcome == "succeeded" and (said.amount_minor, said.currency) != (
        _minor(found),
        payment.currency,
    ):
        raise LedgerBroken(f"payment {payment.public_id} was paid in another amount than asked")
    charged = isinstance(said, ChargeSnapshot)
    await billing.lane.submit(
        SettleSubscriptionPayment(
            ref=CustomerRef(payment.tenant_id, found.customer.public_id),
            payment_id=payment.public_id,
            outcome=outcome,
            attempt=payment.attempt if charged else None,
            reason=reason,
        )
    )


def _minor(found: Found) -> int:
    asset = currency(found.payment.currency)
    assert asset is not None, "a provider takes currencies only"
    return minor_amount(found.payment.amount, asset)


def _description(found: Found) -> str:
    return ", ".join(f"{product}: {name}" for product, name, _ in found.payment.lines)[:500]


def _waiting(billing: Billing, customer: CustomerRow) -> list[Found]:
    with billing.database.read() as session:
        return subscription_payments.waiting(session, customer)


def _get(billing: Billing, payment_id: str) -> Found:
    with billing.database.read() as session:
        found = subscription_payments.get(session, payment_id)
    assert found is not None, "payments are never removed"
    return found
