"""Top-ups: a customer pays money and gets credit, once, however often anybody asks.

Our own row is written first, then the provider is asked for a payment page; what the provider says
of the payment is looked up, never believed from a redirect.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated

import anyio
from pydantic import Field, StrictBool
from sqlmodel import Session

from credyt_mcp.domain.assets import convert, currency, minor_amount, rate_at
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.domain.fields import PositiveRate
from credyt_mcp.domain.money import Asset, from_units, to_units
from credyt_mcp.domain.transfers import SettleTopUp
from credyt_mcp.errors import (
    InvalidRequest,
    LedgerBroken,
    Misconfigured,
    NotFound,
    ProviderUnavailable,
    UnknownReference,
)
from credyt_mcp.ids import new_id
from credyt_mcp.payments.provider import (
    CheckoutRequest,
    PaymentProvider,
    PaymentSnapshot,
    PaymentStatus,
)
from credyt_mcp.storage import assets, customers, payment_accounts, reversals, top_ups
from credyt_mcp.storage.payment_tables import TopUpRow
from credyt_mcp.storage.provider_tables import PaymentSettingsRow
from credyt_mcp.storage.tables import CustomerRow
from credyt_mcp.use_cases.context import (
    Billing,
    Command,
    Moment,
    Number,
    PositiveAmount,
    Result,
)
from credyt_mcp.use_cases.payment_settings import check_amount
from credyt_mcp.use_cases.return_urls import check_can_take_payments, check_return_url

log = logging.getLogger(__name__)

FIRST_POLL = timedelta(minutes=2)
"""How long a payment is left to the provider's own word before it is asked for."""


class Destination(Command):
    """The wallet account that is credited; `exchange_rate` is the price of one unit, as a rate."""

    account_name: str = "default"
    asset: str
    exchange_rate: PositiveRate | None = None


class StartTopUp(Command):
    """A payment page for a customer; paying it credits the wallet."""

    customer_id: str
    amount: PositiveAmount
    currency: str
    description: str | None = Field(default=None, max_length=500)
    destination: Destination | None = None
    credit_expires_at: Moment | None = None
    return_url: str | None = Field(default=None, max_length=2000)
    failure_url: str | None = Field(default=None, max_length=2000)
    metadata: dict[str, str] | None = None
    save_card: Annotated[
        StrictBool, Field(description="keep the card, if the customer agreed, for later charges")
    ] = False


class StartTopUpFields(StartTopUp):
    """What the wire asks for: both URLs."""

    return_url: str = Field(max_length=2000)
    failure_url: str = Field(max_length=2000)


class GetTopUp(Command):
    """Status of a top-up: initiated, pending, succeeded, failed or expired."""

    top_up_id: str


class TopUpStarted(Result):
    id: str
    status: str
    redirect_url: str
    created_at: datetime
    expires_at: datetime


class ShownDestination(Result):
    account_name: str
    asset: str
    exchange_rate: Number | None = None


class TopUpDetails(Result):
    id: str
    customer_id: str
    amount: Number
    currency: str
    destination: ShownDestination | None = None
    status: str
    refunded: Number | None = None
    disputed: Number | None = None


def start_top_up(billing: Billing, command: StartTopUp) -> TopUpStarted:
    """Raises UnknownReference (customer, currency, asset), AmountOutOfRange for more decimals than
    the currency has, InvalidRequest for a URL that is not allowed."""
    for name in ("return_url", "failure_url"):
        check_return_url(billing, getattr(command, name), name)
    return start_checked(billing, command)


def start_checked(billing: Billing, asked: StartTopUp) -> TopUpStarted:
    """`start_top_up` for URLs that are known to be good, such as those of our own pages."""
    provider = billing.payments
    row, customer_key, settings = _written_row(billing, asked, provider)
    request = CheckoutRequest(
        key=row.public_id,
        tenant_id=billing.tenant.id,
        amount_minor=minor_amount(row.amount, _known_currency(row.currency, "currency")),
        currency=row.currency,
        description=asked.description or "Top-up",
        return_url=asked.return_url or "",
        failure_url=asked.failure_url or "",
        created_at=row.created_at,
        expires_at=row.expires_at,
        save_card=asked.save_card,
        customer_key=customer_key if asked.save_card else None,
        automatic_tax=bool(settings.automatic_tax),
        invoice=bool(settings.invoices),
    )
    checkout = provider.create_checkout(request)
    with billing.database.write() as session:
        top_ups.set_checkout(session, billing.tenant.id, row.public_id, checkout.id, checkout.url)
    return TopUpStarted(
        id=row.public_id,
        status=row.status,
        redirect_url=checkout.url,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


async def get_top_up(billing: Billing, command: GetTopUp) -> TopUpDetails:
    """The top-up as it stands; if the provider knows more than we do, that is booked first.
    While it does not answer, what we know is told."""
    row, customer = await anyio.to_thread.run_sync(found_top_up, billing, command.top_up_id)
    status = row.status
    if status in ("initiated", "pending"):
        try:
            status = await settle(billing, row, customer)
        except (ProviderUnavailable, NotFound, Misconfigured) as error:
            log.warning("top-up %s is told as it was known: %s", row.public_id, error.detail)
    paid = _known_currency(row.currency, "currency")
    gone = await anyio.to_thread.run_sync(_gone, billing, row)
    return TopUpDetails(
        id=row.public_id,
        customer_id=customer.public_id,
        amount=from_units(row.amount, paid),
        currency=row.currency,
        destination=ShownDestination(
            account_name=row.account_name, asset=row.asset, exchange_rate=row.exchange_rate
        ),
        status=status,
        **{kind: from_units(units, paid) for kind, units in gone.items()},
    )


async def settle(billing: Billing, row: TopUpRow, customer: CustomerRow) -> str:
    """Bring a top-up to what its provider says of it, and answer its status.

    Raises LedgerBroken when the provider took another amount than we asked for.
    """
    if row.provider_ref is None or row.status == "succeeded":
        return row.status
    payment = await anyio.to_thread.run_sync(_asked, billing, row)
    if payment.status in ("initiated", row.status):
        return row.status
    paid = _known_currency(row.currency, "currency")
    if (payment.amount_minor, payment.currency) != (minor_amount(row.amount, paid), paid.code):
        raise LedgerBroken(f"top-up {row.public_id} was paid in another amount than asked")
    return await book_status(billing, row, customer, payment.status, payment.card, row.provider_ref)


async def book_status(
    billing: Billing,
    row: TopUpRow,
    customer: CustomerRow,
    said: PaymentStatus,
    card: str | None = None,
    payment: str | None = None,
) -> str:
    """Bring a top-up to the status that its provider said, and answer what it has then."""
    destination, units = await anyio.to_thread.run_sync(credited, billing, row)
    command = SettleTopUp(
        ref=CustomerRef(row.tenant_id, customer.public_id),
        public_id=row.public_id,
        status=said,
        destination=destination,
        credited=units,
        card=card,
        payment=payment,
    )
    status: str = await billing.lane.submit(command)
    return status


def _asked(billing: Billing, row: TopUpRow) -> PaymentSnapshot:
    assert row.provider_ref is not None
    return billing.payments_of(row.provider, row.provider_account).fetch(row.provider_ref)


def found_top_up(billing: Billing, top_up_id: str) -> tuple[TopUpRow, CustomerRow]:
    with billing.database.read() as session:
        found = top_ups.get(session, billing.tenant.id, top_up_id)
    if found is None:
        raise NotFound(f"there is no top-up '{top_up_id}'")
    return found


def _gone(billing: Billing, row: TopUpRow) -> dict[str, int]:
    """What was paid and has gone back, or may: refunds on their way too, disputes that are open or
    lost."""
    with billing.database.read() as session:
        known = reversals.of_top_up(session, row)
    words = {"refund": "refunded", "dispute": "disputed"}
    gone: dict[str, int] = {}
    for one in known:
        if one.is_out or one.frozen:
            gone[words[one.kind]] = gone.get(words[one.kind], 0) + one.amount
    return gone


def _written_row(
    billing: Billing, command: StartTopUp, provider: PaymentProvider
) -> tuple[TopUpRow, str, PaymentSettingsRow]:
    """The top-up, its customer's id, and what the account set for its payments."""
    check_can_take_payments(billing, "currency")
    paid = _known_currency(command.currency, "currency")
    units = to_units(command.amount, paid)
    minor_amount(units, paid)
    now, account = billing.now(), provider.account
    expires_at = command.credit_expires_at
    if expires_at is None and billing.settings.top_up_expiry_days is not None:
        expires_at = now + timedelta(days=billing.settings.top_up_expiry_days)
    if expires_at is not None and expires_at <= now:
        raise InvalidRequest("credit_expires_at", "must be in the future")
    target = command.destination or Destination(asset=paid.code)
    with billing.database.write() as session:
        settings = payment_accounts.settings(session, billing.tenant.id)
        check_amount(provider, settings, units, paid)
        customer = customers.find(session, billing.tenant.id, command.customer_id)
        if customer is None:
            raise UnknownReference("customer_id", f"there is no customer '{command.customer_id}'")
        destination = assets.find(session, billing.tenant.id, target.asset)
        if destination is None:
            raise UnknownReference("destination.asset", f"there is no asset '{target.asset}'")
        rate = _rate(session, billing, target, destination, paid)
        row = TopUpRow(
            tenant_id=billing.tenant.id,
            public_id=new_id("top"),
            customer_id=customer.id,
            status="initiated",
            amount=units,
            currency=paid.code,
            account_name=target.account_name,
            asset=destination.code,
            exchange_rate=rate,
            details={
                "description": command.description,
                "metadata": command.metadata,
                **({"save_card": True} if command.save_card else {}),
            },
            provider=provider.name,
            provider_account=account,
            credit_expires_at=expires_at,
            created_at=now,
            expires_at=now + timedelta(minutes=billing.settings.checkout_minutes),
            next_poll_at=billing.clock.now() + FIRST_POLL,
        )
        # Refuse now what could not be credited later.
        _converted(row, destination)
        session.add(row)
        return row, customer.public_id, settings


def _rate(
    session: Session, billing: Billing, target: Destination, destination: Asset, paid: Asset
) -> Decimal | None:
    if destination == paid:
        return None
    if target.exchange_rate is not None:
        return target.exchange_rate
    rate = rate_in_force(session, billing.tenant.id, destination, paid, billing.now())
    if rate is None:
        raise InvalidRequest(
            "destination.asset",
            f"'{destination.code}' has no {paid.code} rate in force",
            hint="Add one with add_asset_rate, or give destination.exchange_rate.",
        )
    return rate


def rate_in_force(
    session: Session, tenant_id: int, bought: Asset, paid: Asset, now: datetime
) -> Decimal | None:
    """What one unit of a custom asset costs in that currency now, if it is sold for it."""
    custom = assets.get(session, tenant_id, bought.code)
    return None if custom is None else rate_at(assets.rates(session, custom, paid.code), now)


def credited(billing: Billing, row: TopUpRow) -> tuple[Asset, int]:
    """What the payment buys: the destination asset and its units."""
    with billing.database.read() as session:
        destination = assets.find(session, row.tenant_id, row.asset)
    assert destination is not None
    return destination, _converted(row, destination)


def _converted(row: TopUpRow, destination: Asset) -> int:
    if row.exchange_rate is None:
        return row.amount
    paid = _known_currency(row.currency, "currency")
    return convert(row.amount, paid, destination, row.exchange_rate)


def _known_currency(code: str, field: str) -> Asset:
    known = currency(code)
    if known is None:
        raise UnknownReference(field, f"'{code}' is not a currency code such as USD")
    return known
