"""Wallets as the last batches left them, for a lane that alone writes to its database.

Only SQLite can tell, inside the transaction, that nobody else has written since; there a wallet
that was loaded once need not be read again. Batches change what is kept here, so it must be
forgotten when one is rolled back, and no caller may be answered with it: the next batch may have
changed it when they look.
"""

from __future__ import annotations

from collections.abc import Iterable

from credyt_mcp.domain.book import Book, Customer, CustomerRef

WALLETS_MAX = 20_000


class RememberedWallets:
    def __init__(self) -> None:
        self._customers: dict[int, Customer] = {}
        self._named: dict[CustomerRef, int] = {}

    def forget(self) -> None:
        self._customers.clear()
        self._named.clear()

    def open(self, book: Book, refs: Iterable[CustomerRef]) -> set[CustomerRef]:
        """Put the known customers into the book; answers the refs that are unknown."""
        unknown = set[CustomerRef]()
        for ref in refs:
            customer_id = self._named.get(ref)
            if customer_id is None:
                unknown.add(ref)
                continue
            customer = book.customers[ref] = self._customers[customer_id]
            customer.authorizations = []  # read anew for each batch
        return unknown

    def keep(self, book: Book) -> None:
        """Remember the book's customers, as they are once it is written."""
        if len(self._customers) + len(book.customers) > WALLETS_MAX:
            self.forget()
        for ref, customer in book.customers.items():
            self._customers[customer.id] = customer
            if ref.authorization_id is None:
                self._named[ref] = customer.id
