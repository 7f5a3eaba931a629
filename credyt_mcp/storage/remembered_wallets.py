"""Wallets as the last batches left them, for a lane that alone writes to its database.

Only SQLite can tell, inside the transaction, that nobody else has written since; there a wallet
that was loaded once need not be read again. Books get copies: what is kept here never changes, and
neither does what callers were answered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from credyt_mcp.domain.book import Book, Customer, CustomerRef
from credyt_mcp.domain.ledger import Account

WALLETS_MAX = 20_000

T = TypeVar("T")


class RememberedWallets:
    def __init__(self) -> None:
        self._customers: dict[int, Customer] = {}
        self._named: dict[CustomerRef, int] = {}

    def forget(self) -> None:
        self._customers.clear()
        self._named.clear()

    def open(self, book: Book, refs: Iterable[CustomerRef]) -> set[CustomerRef]:
        """Put copies of the known customers into the book; answers the refs that are unknown."""
        unknown, opened = set[CustomerRef](), dict[int, Customer]()
        for ref in refs:
            customer_id = self._named.get(ref)
            if customer_id is None:
                unknown.add(ref)
                continue
            if customer_id not in opened:
                opened[customer_id] = _copy(self._customers[customer_id])
            book.customers[ref] = opened[customer_id]
        for customer in opened.values():
            # What is counted here was read or written before, so it is stored.
            owner = customer.tenant_id, customer.id
            book.stored_counts.update((*owner, key) for key in customer.counts)
        return unknown

    def keep(self, book: Book) -> None:
        """Remember the book's customers, as they are once it is written."""
        if len(self._customers) + len(book.customers) > WALLETS_MAX:
            self.forget()
        for ref, customer in book.customers.items():
            self._customers[customer.id] = customer
            if ref.authorization_id is None:
                self._named[ref] = customer.id


def _copy(customer: Customer) -> Customer:
    """With accounts and grants of its own. Holds are read anew for each batch."""
    copied = Customer(customer.id, customer.tenant_id, customer.public_id, customer.versions)
    copied.next_due_at = customer.next_due_at
    copied.has_budgets = customer.has_budgets
    copied.counts = customer.counts.copy()
    copied.accounts = {name: _copy_account(one) for name, one in customer.accounts.items()}
    return copied


def _copy_account(account: Account) -> Account:
    copied = _shallow(account)
    copied.grants = [_shallow(grant) for grant in account.grants]
    return copied


def _shallow(row: T) -> T:
    copied = object.__new__(type(row))
    copied.__dict__.update(row.__dict__)
    return copied
