"""What a customer sees and does on their billing page: balances, usage, payments, a top-up.

Amounts leave here as text for people: balances in the asset's precision and never rounded up, fees
with every digit they have.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Annotated, NamedTuple

import anyio
from pydantic import Field, StrictBool
from sqlmodel import Session

from credyt_mcp.domain.assets import currency, rate_at
from credyt_mcp.domain.ledger import Account
from credyt_mcp.domain.money import EXACT, from_units
from credyt_mcp.errors import CredytError, InvalidRequest
from credyt_mcp.storage import assets, events, products, top_ups
from credyt_mcp.storage.ledger_tables import EventRow
from credyt_mcp.storage.payment_tables import TopUpRow
from credyt_mcp.storage.tables import AssetRow
from credyt_mcp.use_cases.billing_portal import Guest, guest_of
from credyt_mcp.use_cases.context import Billing, Command, PositiveAmount, Result, perform
from credyt_mcp.use_cases.customers import CustomerDetails, GetCustomer, get_customer
from credyt_mcp.use_cases.event_views import EventFee, fees_of
from credyt_mcp.use_cases.portal_auto_top_ups import Automatic, automatic, cards_now
from credyt_mcp.use_cases.subscriptions import Subscription
from credyt_mcp.use_cases.top_ups import (
    Destination,
    GetTopUp,
    StartTopUp,
    get_top_up,
    start_checked,
)
from credyt_mcp.use_cases.wallets import accounts_now

log = logging.getLogger(__name__)

SHOWN = 20
DEFAULT_CURRENCY = "USD"
MONEY = "Prepaid balance"


class ViewPortal(Command):
    key: str


class TopUpInPortal(ViewPortal):
    """`choice` is one of the page's own, see `Choice`."""

    choice: Annotated[str, Field(max_length=200)]
    amount: PositiveAmount
    save_card: StrictBool = False


class Unit(NamedTuple):
    """How an asset is called and shown."""

    label: str
    name: str
    symbol: str | None
    precision: int


class Balance(Result):
    name: str
    symbol: str | None
    label: str
    account_name: str
    available: str
    held: str | None
    negative: bool


class UsageLine(Result):
    occurred_at: datetime
    what: str
    subject: str | None
    details: str
    fees: list[str]


class TopUpLine(Result):
    created_at: datetime
    paid: str
    into: str
    status: str
    pay_url: str | None


class SubscriptionLine(Result):
    products: list[str]
    status: str
    started_at: datetime | None
    renews_at: datetime | None
    pay_url: str | None


class Choice(Result):
    """Something to buy: `value` names account and currency, `rate` says what one unit costs."""

    value: str
    label: str
    currency: str
    rate: str | None


class PortalView(Result):
    business: str | None
    customer: str
    is_test: bool
    return_url: str
    balances: list[Balance]
    subscriptions: list[SubscriptionLine]
    usage: list[UsageLine]
    top_ups: list[TopUpLine]
    choices: list[Choice]
    pays_at: list[str]
    """Where the provider's payment pages are."""
    automatic: Automatic


class PortalTopUp(Result):
    redirect_url: str
    pays_at: list[str]


async def view_portal(billing: Billing, command: ViewPortal) -> PortalView:
    """The page as it stands; a payment the customer may just have made is looked up first.

    Raises LinkExpired.
    """
    guest = await anyio.to_thread.run_sync(guest_of, billing, command.key)
    waiting = await anyio.to_thread.run_sync(_waiting, guest)
    if waiting is not None:
        try:
            await get_top_up(guest.billing, GetTopUp(top_up_id=waiting))
        except CredytError:
            log.exception("top-up %s could not be looked up", waiting)
    customer: CustomerDetails = await perform(
        guest.billing, get_customer, GetCustomer(customer_id=guest.customer.public_id)
    )
    return await anyio.to_thread.run_sync(_view, guest, customer.subscriptions)


def top_up_in_portal(billing: Billing, command: TopUpInPortal) -> PortalTopUp:
    """Start a top-up that leads back to the page. Raises LinkExpired, InvalidRequest."""
    guest = guest_of(billing, command.key)
    with billing.database.read() as session:
        offered = _choices(session, guest, _own_accounts(session, guest))
    if command.choice not in [choice.value for choice in offered]:
        raise InvalidRequest("choice", "is not on offer; choose from the list")
    account_name, asset, paid_in = command.choice.rsplit(":", 2)
    page = f"{billing.settings.public_url.rstrip('/')}/portal"
    started = start_checked(
        guest.billing,
        StartTopUp(
            customer_id=guest.customer.public_id,
            amount=command.amount,
            currency=paid_in,
            destination=Destination(account_name=account_name, asset=asset),
            return_url=page,
            failure_url=page,
            save_card=command.save_card,
        ),
    )
    pays_at = list(guest.billing.payments.page_origins)
    return PortalTopUp(redirect_url=started.redirect_url, pays_at=pays_at)


def _waiting(guest: Guest) -> str | None:
    """The newest top-up, if it can still be paid or be found paid."""
    with guest.billing.database.read() as session:
        newest = top_ups.latest(session, guest.customer, 1)
    return newest[0].public_id if newest and newest[0].status in ("initiated", "pending") else None


def _view(guest: Guest, subscriptions: Sequence[Subscription]) -> PortalView:
    billing, customer = guest.billing, guest.customer
    cards = cards_now(guest)
    with billing.database.read() as session:
        accounts = _own_accounts(session, guest)
        recent = events.latest(session, customer, SHOWN)
        payments = top_ups.latest(session, customer, SHOWN)
        choices = _choices(session, guest, accounts)
        automatic_here = automatic(session, guest, accounts, cards)
        fees = [fees_of(billing, row.id, row.fees or []) for row in recent]
        codes = {fee.currency for some in fees for fee in some}
        codes |= {account.asset.code for account in accounts} | {row.asset for row in payments}
        units = {code: _unit(session, guest, code) for code in codes}
        ids = {fee.product_id for some in fees for fee in some}
        ids |= {product.id for item in subscriptions for product in item.products}
        names = products.names(session, customer.tenant_id, ids)
    tenant = billing.tenant
    return PortalView(
        business=None if tenant.account_name == "default" else tenant.account_name,
        customer=customer.name,
        is_test=tenant.environment == "test",
        return_url=guest.return_url,
        balances=[_balance(account, units[account.asset.code]) for account in accounts],
        subscriptions=[_subscription(item, names) for item in reversed(subscriptions)],
        usage=[_usage(row, own, names, units) for row, own in zip(recent, fees, strict=True)],
        top_ups=[_top_up(row, units[row.asset], billing.now()) for row in payments],
        choices=choices,
        pays_at=_pays_at(guest),
        automatic=automatic_here,
    )


def _pays_at(guest: Guest) -> list[str]:
    """The page is shown also where nobody can pay."""
    try:
        return list(guest.billing.payments.page_origins)
    except CredytError as error:
        log.warning("the portal's payments cannot be used: %s", error.detail)
        return []


def _own_accounts(session: Session, guest: Guest) -> list[Account]:
    return accounts_now(session, guest.billing, guest.customer)


def _choices(session: Session, guest: Guest, accounts: Sequence[Account]) -> list[Choice]:
    """What can be bought: each account's asset, in every currency that has a rate for it now."""
    if guest.billing.tenant.environment == "live" and guest.billing.payments.name == "sandbox":
        return []
    offered = []
    for name, code in [(account.name, account.asset.code) for account in accounts] or [
        ("default", DEFAULT_CURRENCY)
    ]:
        into = "" if name == "default" else f" ({name})"
        if currency(code) is not None:
            offered.append(
                Choice(value=f"{name}:{code}:{code}", label=MONEY + into, currency=code, rate=None)
            )
            continue
        row = assets.get(session, guest.customer.tenant_id, code)
        assert row is not None, "an account's asset exists"
        for source, rate in _rates_now(session, guest, row):
            each = f"{_exact(rate, 0)} {source} per {row.label}"
            offered.append(
                Choice(
                    value=f"{name}:{code}:{source}",
                    label=row.name + into,
                    currency=source,
                    rate=each,
                )
            )
    return offered


def _rates_now(session: Session, guest: Guest, row: AssetRow) -> list[tuple[str, Decimal]]:
    sources = sorted({rate.source for rate in assets.schedule(session, row)})
    now = guest.billing.now()
    found = [(source, rate_at(assets.rates(session, row, source), now)) for source in sources]
    return [(source, rate) for source, rate in found if rate is not None]


def _unit(session: Session, guest: Guest, code: str) -> Unit:
    known = currency(code)
    if known is not None:
        return Unit(known.code, MONEY, None, known.precision)
    row = assets.get(session, guest.customer.tenant_id, code)
    assert row is not None, "an account's asset exists"
    return Unit(row.label, row.name, row.symbol, row.precision)


def _balance(account: Account, unit: Unit) -> Balance:
    available, held = account.available, account.held
    return Balance(
        name=unit.name,
        symbol=unit.symbol,
        label=unit.label,
        account_name=account.name,
        available=_rounded(from_units(available, account.asset), unit.precision),
        held=_exact(from_units(held, account.asset), unit.precision) if held else None,
        negative=available < 0,
    )


def _usage(
    row: EventRow, fees: Sequence[EventFee], names: dict[str, str], units: dict[str, Unit]
) -> UsageLine:
    whose = dict.fromkeys(names.get(fee.product_id, fee.product_code) for fee in fees)
    return UsageLine(
        occurred_at=row.occurred_at,
        what=", ".join(whose) or row.event_type,
        subject=row.subject,
        details=row.description or ", ".join(fee.price_name for fee in fees) or row.event_type,
        fees=[
            f"{_exact(fee.amount, unit.precision)} {unit.label}"
            for fee in fees
            if (unit := units[fee.currency])
        ],
    )


def _top_up(row: TopUpRow, unit: Unit, now: datetime) -> TopUpLine:
    paid = currency(row.currency)
    assert paid is not None
    open_still = row.status == "initiated" and now < row.expires_at
    status = "expired" if row.status == "initiated" and not open_still else row.status
    return TopUpLine(
        created_at=row.created_at,
        paid=f"{_exact(from_units(row.amount, paid), paid.precision)} {row.currency}",
        into=unit.name,
        status=status,
        pay_url=row.redirect_url if open_still else None,
    )


def _subscription(item: Subscription, names: dict[str, str]) -> SubscriptionLine:
    return SubscriptionLine(
        products=[names.get(product.id, product.code) for product in item.products],
        status=item.status,
        started_at=item.started_at,
        renews_at=item.renews_at if item.status == "active" else None,
        pay_url=item.required_actions[0].redirect_url if item.required_actions else None,
    )


def _rounded(amount: Decimal, precision: int) -> str:
    return f"{amount.quantize(Decimal(1).scaleb(-precision), ROUND_FLOOR, context=EXACT):,f}"


def _exact(amount: Decimal, precision: int) -> str:
    """Every digit there is, and at least `precision` decimals."""
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int)
    return f"{amount:,.{max(precision, -exponent)}f}"
