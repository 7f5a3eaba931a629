"""Pricing a model call after the fact: a cost of its own that points at the unpriced one. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from credyt_mcp.domain.book import Book, CustomerRef
from credyt_mcp.domain.budgets import Who, cost_items, spend
from credyt_mcp.domain.margins import DAY, Tally, Usage, cost_cells, vendor_costs
from credyt_mcp.ids import client_key


@dataclass(frozen=True)
class PriceLate:
    """Book `cost` for the unpriced cost that it `corrects`, on the day of that (microseconds), for
    the usage that the first one came with.

    True once it is booked, False if it had been: a cost gets one price.
    """

    ref: CustomerRef
    cost: dict[str, Any]
    booked_at: int
    usage: Usage

    @property
    def keys(self) -> list[tuple[int, bytes]]:
        return []

    @property
    def unpriced_key(self) -> tuple[int, bytes]:
        return self.ref.tenant_id, client_key(self.cost["corrects"])

    @property
    def spenders(self) -> list[tuple[str | None, str | None]]:
        return [(self.usage.user_id, self.usage.subject)]

    def decide(self, book: Book) -> bool:
        customer = book.customer(self.ref)
        if self.unpriced_key not in book.tallies.open_costs:
            return False
        book.tallies.price(self.unpriced_key, self.cost)
        if "rule" in self.cost:
            day = self.booked_at // DAY
            book.tallies.pools.note(customer.tenant_id, customer.id, day, self.cost)
        book.tallies.add(
            late_tally(customer.tenant_id, customer.id, self.booked_at, self.usage, self.cost)
        )
        who = Who(customer.id, self.usage.user_id, self.usage.subject)
        spend(book, who, cost_items([self.cost], self.booked_at))
        return True


def late_tally(
    tenant_id: int, customer_id: int, booked_at: int, usage: Usage, cost: dict[str, Any]
) -> Tally:
    """What a price that came late adds to the rollups."""
    [spent] = vendor_costs([cost])
    cells = [*cost_cells(booked_at // DAY, usage.fees, spent)]
    return usage.tally(tenant_id, customer_id, cells)
