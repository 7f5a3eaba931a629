"""Credit that subscriptions include: granted at the start and again each period. Pure.

Each period's grant is made in its turn, however late, so that the books are the same as if
somebody had watched all the time.
"""

from __future__ import annotations

from credyt_mcp import ids
from credyt_mcp.domain.assets import is_currency
from credyt_mcp.domain.book import Book, Customer
from credyt_mcp.domain.earnings import revenue_basis
from credyt_mcp.domain.grants import FREE, Basis, Grant
from credyt_mcp.domain.ledger import AccountKind, Transaction, move
from credyt_mcp.domain.subscriptions import Schedule, Subscription, terms_of
from credyt_mcp.domain.terms import EntitlementTerms


def align(book: Book, customer: Customer, subscription: Subscription, moment: int) -> None:
    """Let schedules follow the versions that the subscription is on.

    What is new is granted at `moment`, what is gone rests, what stays goes on as scheduled with
    the new terms. What comes back before its period is over is not granted again.
    """
    wanted = {
        (stretch.card.product_id, *terms.key): terms
        for stretch in subscription.current
        for terms in stretch.card.entitlements
    }
    known = {(one.product_id, *one.key): one for one in subscription.schedules}
    for place, schedule in known.items():
        if place not in wanted:
            rest(book, schedule)
    for place, terms in wanted.items():
        found = known.get(place)
        if found is None:
            found = Schedule(place[0], terms.name, terms.asset.code, terms.every, moment, moment)
            book.touch(subscription)
            subscription.schedules = [*subscription.schedules, found]
            _grant(book, customer, subscription, found, terms, moment)
        else:
            _resume(book, customer, subscription, found, terms, moment)


def refresh(book: Book, customer: Customer, subscription: Subscription, moment: int) -> None:
    """Grant what is scheduled for `moment`."""
    for schedule in subscription.schedules:
        if schedule.ended_at is None and schedule.next_at == moment:
            terms = terms_of(subscription, schedule)
            if terms is None:
                rest(book, schedule)
            else:
                _grant(book, customer, subscription, schedule, terms, moment)


def rest(book: Book, schedule: Schedule) -> None:
    if schedule.ended_at is None:
        book.touch(schedule)
        schedule.ended_at = book.now


def _resume(
    book: Book,
    customer: Customer,
    subscription: Subscription,
    schedule: Schedule,
    terms: EntitlementTerms,
    moment: int,
) -> None:
    rested = schedule.ended_at is not None
    book.touch(schedule)
    schedule.ended_at = None
    if terms.refresh is None:
        schedule.next_at = None  # it was granted, and once is enough
        return
    if schedule.every != terms.every:
        schedule.every, schedule.anchor_at = terms.every, schedule.next_at or schedule.anchor_at
    if schedule.next_at is None:
        schedule.next_at = terms.every.after(schedule.anchor_at, moment)
    elif rested and schedule.next_at <= moment:
        schedule.anchor_at = moment
        _grant(book, customer, subscription, schedule, terms, moment)


def _grant(
    book: Book,
    customer: Customer,
    subscription: Subscription,
    schedule: Schedule,
    terms: EntitlementTerms,
    moment: int,
) -> None:
    """Grant at `moment`, and plan the next time. A rollover never expires."""
    account = book.wallet_account(customer, "default", terms.asset)
    book.touch(schedule)
    following = terms.every.after(schedule.anchor_at, moment)
    schedule.next_at = None if terms.refresh is None else following
    grant = Grant(
        id=book.take_id(),
        purpose=terms.purpose,
        source="entitlement",
        priority=terms.priority,
        amount=terms.units,
        remaining=terms.units,
        effective_at=moment,
        expires_at=None if terms.refresh == "rollover" else following,
        basis=_basis(terms),
    )
    side: AccountKind = "promotion" if terms.purpose == "promotion" else "bundled"
    business = book.business_account(customer.tenant_id, side, terms.asset)
    details = {"subscription_id": subscription.public_id, "entitlement": terms.name}
    name = (subscription.public_id, str(schedule.product_id), *schedule.key, str(moment))
    book.record(
        Transaction(
            tenant_id=customer.tenant_id,
            kind="entitlement",
            key=ids.text_key("entitlement", *name),
            client_id=":".join(name),
            customer_id=customer.id,
            account=account,
            amount=terms.units,
            recorded_at=book.now,
            executed_at=moment,
            details=details,
            entries=[book.credit(account, grant), move(business, -terms.units)],
            grants=[(account, grant)],
        )
    )


def _basis(terms: EntitlementTerms) -> Basis:
    """Using included credit earns its `revenue_basis`; without one nothing, since the fee earned it
    or it was a gift."""
    if terms.revenue_basis is None:
        return FREE
    is_money = is_currency(terms.asset.code)
    code = terms.asset.code if is_money else "USD"
    return revenue_basis(terms.asset, terms.revenue_basis, code)
