"""Pricing a model call after the fact: a cost of its own that points at the unpriced one. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from credyt_mcp.domain.book import Book, CustomerRef
from credyt_mcp.domain.earnings import DAY, Tally, vendor_costs
from credyt_mcp.ids import client_key


@dataclass(frozen=True)
class PriceLate:
    """Book `cost` for the unpriced cost that it `corrects`, on the day of that (microseconds).

    True once it is booked, False if it had been: a cost gets one price.
    """

    ref: CustomerRef
    cost: dict[str, Any]
    booked_at: int

    @property
    def keys(self) -> list[tuple[int, bytes]]:
        return []

    @property
    def unpriced_key(self) -> tuple[int, bytes]:
        return self.ref.tenant_id, client_key(self.cost["corrects"])

    def decide(self, book: Book) -> bool:
        customer = book.customer(self.ref)
        if self.unpriced_key not in book.tallies.open_costs:
            return False
        book.tallies.price(self.unpriced_key, self.cost)
        costs = vendor_costs([self.cost])
        day = self.booked_at // DAY
        book.tallies.add(Tally(customer.tenant_id, customer.id, day, {}, costs))
        return True
