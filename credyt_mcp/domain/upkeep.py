"""What time does to a customer, in the order of time: holds and credit expire, credit takes effect,
subscriptions start, renew and grant. Pure.

Readers see the same at once; here it is written down, when the wallet is touched or swept.
"""

from __future__ import annotations

from credyt_mcp import ids
from credyt_mcp.domain import notices
from credyt_mcp.domain.book import Book, Customer
from credyt_mcp.domain.grants import Grant
from credyt_mcp.domain.ledger import Account, AccountKind, Entry, Transaction, move
from credyt_mcp.domain.subscription_life import advance
from credyt_mcp.domain.subscriptions import Subscription, due_moment

SIDES: dict[str, AccountKind] = {
    "promotion": "promotion",
    "bundled": "bundled",
    "adjustment": "adjustment",
}
"""Where credit comes from, by its purpose; any other was paid for."""


def bring_up_to_date(book: Book, customer: Customer) -> None:
    """Book what time did since the wallet was last touched."""
    for authorization in customer.authorizations:
        if authorization.status == "open" and authorization.expires_at <= book.now:
            details, at = notices.authorization(authorization), authorization.expires_at
            book.close_authorization(authorization, "expired")
            book.notice("authorization.expired", customer.tenant_id, customer.id, details, at=at)
    subscriptions = book.subscriptions.get(customer.id)
    if subscriptions is None:
        _book_grants(book, customer, book.now)
        return
    following = _first_due(subscriptions)
    while following is not None and following[0] <= book.now:
        moment, subscription = following
        _book_grants(book, customer, moment)
        advance(book, customer, subscription, moment)
        following = _first_due(subscriptions)
    _book_grants(book, customer, book.now)
    next_due_at = None if following is None else following[0]
    if customer.next_due_at != next_due_at:
        book.touch(customer)
        customer.next_due_at = next_due_at


def _first_due(subscriptions: list[Subscription]) -> tuple[int, Subscription] | None:
    due = [(moment, one) for one in subscriptions if (moment := due_moment(one)) is not None]
    return min(due, key=lambda item: item[0], default=None)


def _book_grants(book: Book, customer: Customer, until: int) -> None:
    for account in customer.accounts.values():
        due = [(grant.effective_at, 0, grant) for grant in account.grants if not grant.booked]
        due += [
            (grant.expires_at, 1, grant) for grant in account.grants if grant.expires_at is not None
        ]
        for moment, ends, grant in sorted(due, key=lambda item: (*item[:2], item[2].id or 0)):
            if moment > until:
                break
            if ends:
                _expire(book, customer, account, grant, moment)
            else:
                _activate(book, customer, account, grant, moment)


def _activate(book: Book, customer: Customer, account: Account, grant: Grant, moment: int) -> None:
    side = SIDES.get(grant.purpose, "funding")
    book.touch(account)
    book.touch(grant)
    account.grants = [other for other in account.grants if other is not grant]
    grant.booked = True
    entries = [
        book.credit(account, grant),
        move(book.business_account(account.tenant_id, side, account.asset), -grant.amount),
    ]
    _note(book, "activation", customer, account, grant, grant.amount, moment, entries)


def _expire(book: Book, customer: Customer, account: Account, grant: Grant, moment: int) -> None:
    remainder = grant.remaining
    if not remainder:
        return
    book.touch(account)
    book.touch(grant)
    account.grants = [other for other in account.grants if other is not grant]
    details = notices.grant(account, grant)
    book.notice("grant.expired", account.tenant_id, customer.id, details, account, at=moment)
    grant.remaining = 0
    breakage = book.business_account(account.tenant_id, "breakage", account.asset)
    entries = [move(account, -remainder), move(breakage, remainder)]
    book.watch(account, -remainder)
    _note(book, "expiry", customer, account, grant, -remainder, moment, entries)


def _note(
    book: Book,
    kind: str,
    customer: Customer,
    account: Account,
    grant: Grant,
    amount: int,
    moment: int,
    entries: list[Entry],
) -> None:
    book.record(
        Transaction(
            tenant_id=account.tenant_id,
            key=ids.text_key(kind, str(grant.id)),
            kind=kind,
            client_id=f"{kind}:{grant.id}",
            customer_id=customer.id,
            account=account,
            amount=amount,
            recorded_at=book.now,
            executed_at=moment,
            details={"grant_id": grant.id},
            entries=entries,
        )
    )
