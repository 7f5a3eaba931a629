"""What happens to a subscription: it starts, renews, rests, ends. Fees and credit with it. Pure.

Each step changes the book as a whole; commands and the passing of time (`upkeep`) take them.
"""

from __future__ import annotations

from typing import Any

from credyt_mcp import ids
from credyt_mcp.clock import from_micros
from credyt_mcp.domain.assets import is_currency
from credyt_mcp.domain.book import Book, Customer, RateCard, SubscribedVersion
from credyt_mcp.domain.earnings import EARNING, earn, next_basis, worth
from credyt_mcp.domain.entitlements import align, refresh, rest
from credyt_mcp.domain.grants import DEFAULT_PRIORITY, Basis, Grant
from credyt_mcp.domain.ledger import Account, Entry, Transaction, move
from credyt_mcp.domain.margins import Earned
from credyt_mcp.domain.subscriptions import (
    Due,
    Paid,
    Payment,
    Stretch,
    Subscription,
    fees_due,
    paid_until,
    payment_for,
)

NEW = 2**63
"""Larger than any id: stands for that of a row which is not written yet."""


def advance(book: Book, customer: Customer, subscription: Subscription, moment: int) -> None:
    """Do what is due first, at `moment`: start, renew, or grant credit."""
    if subscription.status == "scheduled":
        activate(book, customer, subscription, moment)
    elif subscription.renews_at == moment and subscription.status == "active":
        _fall_due(book, customer, subscription, moment)
    else:
        refresh(book, customer, subscription, moment)


def activate(book: Book, customer: Customer, subscription: Subscription, moment: int) -> None:
    """In force from `moment` on: prices count, credit is granted, fees in custom assets are
    debited. What a provider collects is paid by now."""
    open_stretches(book, subscription, moment)
    dues = fees_due(subscription, moment)
    book.touch(subscription)
    subscription.status = "active"
    if subscription.activated_at is None:
        subscription.started_at = subscription.activated_at = moment
    cover(book, dues, moment)
    _set_renewal(subscription, moment)
    open_accounts(book, customer, subscription)
    align(book, customer, subscription, moment)
    _debit(book, customer, subscription, dues, moment)
    renew_versions(book, customer)
    tell(book, customer, subscription, "subscription.activated", moment)


def schedule(book: Book, customer: Customer, subscription: Subscription) -> None:
    """To be in force from `started_at` on, which is in the future; what a provider collects is
    paid by now."""
    open_stretches(book, subscription, subscription.started_at)
    book.touch(subscription)
    subscription.status = "scheduled"
    dues = [due for due in fees_due(subscription, subscription.started_at) if due.fee.by_card]
    cover(book, dues, subscription.started_at)
    _set_renewal(subscription, subscription.started_at)
    renew_versions(book, customer)


def renewed(book: Book, customer: Customer, subscription: Subscription, moment: int) -> None:
    """A new period from `moment` on; what a provider collects for it is paid."""
    dues = fees_due(subscription, moment)
    book.touch(subscription)
    subscription.status = "active"
    cover(book, dues, moment)
    _set_renewal(subscription, moment)
    refresh(book, customer, subscription, moment)
    _debit(book, customer, subscription, dues, moment)
    if dues:
        until = subscription.renews_at
        renews_at = None if until is None else from_micros(until)
        kind = "subscription.renewed"
        tell(book, customer, subscription, kind, moment, renews_at=renews_at)


def end(book: Book, customer: Customer, subscription: Subscription, reason: str) -> None:
    """Out of force now. Credit that was granted stays until it expires."""
    book.touch(subscription)
    subscription.status = "inactive"
    for stretch in subscription.current:
        if stretch.until_at is None:
            book.touch(stretch)
            stretch.until_at = max(book.now, stretch.from_at)
    for schedule in subscription.schedules:
        rest(book, schedule)
    renew_versions(book, customer)
    tell(book, customer, subscription, "subscription.deactivated", book.now, reason=reason)


def open_stretches(book: Book, subscription: Subscription, moment: int) -> None:
    """Put each product in force from `moment` on the version it is to be on. Where nothing is paid
    any more, fees recur from now on as of `moment`."""
    book.touch(subscription)
    for stretch in subscription.current:
        if stretch.until_at is None:
            continue
        running = [paid for paid in stretch.paid if paid.to_at > moment]
        keeps = subscription.activated_at is None or running
        anchor = stretch.anchor_at if keeps else moment
        new = Stretch(stretch.card, moment, None, moment if anchor is None else anchor, running)
        subscription.stretches = [*subscription.stretches, new]


def change_version(
    book: Book, customer: Customer, subscription: Subscription, old: Stretch, card: RateCard
) -> Stretch:
    """From now on another version. What was paid goes on to count until it runs out, and fees
    recur as before if they recur as often."""
    book.touch(subscription)
    book.touch(old)
    old.until_at = book.now
    running = [paid for paid in old.paid if paid.to_at > book.now]
    new = Stretch(card, book.now, None, book.now, running)
    until = min((paid.to_at for paid in running), default=None)
    if until is not None:
        often = {fee.every for fee in old.card.fees}
        same = all(fee.every in often for fee in card.fees if fee.every)
        new.anchor_at = old.anchor if same else until
        named = {paid.name for paid in running}
        new.paid = running + [
            Paid(fee.name, fee.account_name, fee.asset.code, 0, book.now, until)
            for fee in card.fees
            if fee.every and fee.name not in named
        ]
    subscription.stretches = [*subscription.stretches, new]
    renew_versions(book, customer)
    return new


def cover(book: Book, dues: list[Due], moment: int) -> None:
    """Note that these fees are paid from `moment` until they recur."""
    for stretch, fee in dues:
        if fee.every is None:
            continue
        until = fee.every.after(stretch.anchor, moment)
        paid = Paid(fee.name, fee.account_name, fee.asset.code, fee.units, moment, until)
        running = [one for one in stretch.paid if one.to_at > moment]
        book.touch(stretch)
        stretch.paid = [*running, paid]


def ask_for(book: Book, subscription: Subscription, payment: Payment) -> None:
    book.touch(subscription)
    subscription.payments = [*subscription.payments, payment]


def open_accounts(book: Book, customer: Customer, subscription: Subscription) -> None:
    """A wallet account at zero for each asset that is charged or granted."""
    for stretch in subscription.current:
        for name, asset in stretch.card.accounts:
            book.wallet_account(customer, name, asset)


def renew_versions(book: Book, customer: Customer) -> None:
    """Let what is in force price the customer's usage, in the order in which it came into force."""
    stretches = [
        stretch
        for subscription in book.subscriptions[customer.id]
        for stretch in subscription.stretches
    ]
    stretches.sort(key=lambda stretch: stretch.id or NEW)
    book.touch(customer)
    customer.versions = tuple(
        SubscribedVersion(stretch.card, stretch.from_at, stretch.until_at) for stretch in stretches
    )


def post(
    book: Book,
    customer: Customer,
    kind: str,
    name: str,
    account: Account,
    amount: int,
    entries: list[Entry],
    moment: int,
    details: dict[str, Any],
    *,
    earned: Earned | None = None,
    grant: Grant | None = None,
) -> None:
    """A transaction of a subscription, as of `moment`. `name` is unique for its kind."""
    transaction = Transaction(
        tenant_id=customer.tenant_id,
        kind=kind,
        key=ids.text_key(kind, name),
        client_id=name,
        customer_id=customer.id,
        account=account,
        amount=amount,
        recorded_at=book.now,
        executed_at=moment,
        details=details,
        entries=entries,
        grants=[] if grant is None else [(account, grant)],
    )
    if kind in EARNING:
        earn(book, transaction, earned)
    book.record(transaction)


def give_back(
    book: Book,
    customer: Customer,
    subscription: Subscription,
    name: str,
    product: str,
    paid: Paid,
    units: int,
) -> None:
    """Credit the unused part of a fee to the wallet: revenue less, until that credit is used."""
    asset = book.find_asset(customer.tenant_id, paid.asset)
    assert asset is not None, "what was paid in exists"
    account = book.wallet_account(customer, paid.account_name, asset)
    basis = None if is_currency(asset.code) else next_basis(account, book.find_rate)
    earned = worth(account, -units, book.find_rate) if basis is not None else None
    grant = _credit(book, units, "adjustment", "proration", basis)
    revenue = book.business_account(customer.tenant_id, "revenue", asset)
    entries = [book.credit(account, grant), move(revenue, -units)]
    products = [[product, units]]
    details = {
        "subscription_id": subscription.public_id,
        "price": paid.name,
        "products": products,
    }
    kind, now = "subscription_fee", book.now
    post(
        book,
        customer,
        kind,
        name,
        account,
        -units,
        entries,
        now,
        details,
        earned=earned,
        grant=grant,
    )


def put_by(book: Book, customer: Customer, subscription: Subscription, payment: Payment) -> None:
    """Keep a payment in the wallet that came when nothing was owed any more."""
    account = book.wallet_account(customer, "default", payment.currency)
    grant = _credit(book, payment.amount, "paid", "subscription_payment", None)
    funding = book.business_account(customer.tenant_id, "funding", payment.currency)
    entries = [book.credit(account, grant), move(funding, -payment.amount)]
    details = {"subscription_id": subscription.public_id}
    name, amount = payment.public_id, payment.amount
    kind, now = "subscription_credit", book.now
    post(book, customer, kind, name, account, amount, entries, now, details, grant=grant)


def _credit(book: Book, units: int, purpose: str, source: str, basis: Basis | None) -> Grant:
    return Grant(
        id=None,
        purpose=purpose,
        source=source,
        priority=DEFAULT_PRIORITY,
        amount=units,
        remaining=units,
        effective_at=book.now,
        expires_at=None,
        basis=basis,
    )


def tell(
    book: Book,
    customer: Customer,
    subscription: Subscription,
    kind: str,
    moment: int,
    **more: Any,
) -> None:
    """Tell the tenant; absent details are left out."""
    said = {name: value for name, value in more.items() if value is not None}
    details = {"subscription_id": subscription.public_id, **said}
    book.notice(kind, customer.tenant_id, customer.id, details, at=moment)


def _fall_due(book: Book, customer: Customer, subscription: Subscription, moment: int) -> None:
    """Renew at once where the wallet pays; else ask for the payment, which is for the provider."""
    dues = fees_due(subscription, moment)
    payment = payment_for("renewal", dues, moment, book.now, next_attempt_at=book.now)
    if payment is None:
        renewed(book, customer, subscription, moment)
    else:
        ask_for(book, subscription, payment)


def _set_renewal(subscription: Subscription, moment: int) -> None:
    """A date that the tenant gave stands until it is reached where no fee recurs."""
    until = paid_until(subscription, moment)
    given = subscription.renews_at
    subscription.renews_at = given if until is None and (given or 0) > moment else until


def _debit(
    book: Book, customer: Customer, subscription: Subscription, dues: list[Due], moment: int
) -> None:
    """Take fees in custom assets from the wallet, in full whatever the balance."""
    for stretch, fee in dues:
        if fee.by_card or not fee.units:
            continue
        account = book.wallet_account(customer, fee.account_name, fee.asset)
        revenue = book.business_account(customer.tenant_id, "revenue", fee.asset)
        earned = worth(account, fee.units, book.find_rate)
        entries = [book.debit(account, fee.units), move(revenue, fee.units)]
        details = {
            "subscription_id": subscription.public_id,
            "price": fee.name,
            "products": [[stretch.card.product_code, fee.units]],
        }
        # A product may come back to a version within one moment, but not to a stretch.
        number = subscription.stretches.index(stretch)
        name = f"{subscription.public_id}:{number}:{fee.name}:{moment}"
        kind, units = "subscription_fee", fee.units
        post(book, customer, kind, name, account, units, entries, moment, details, earned=earned)
