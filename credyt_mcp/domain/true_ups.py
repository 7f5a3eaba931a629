"""Booking what a vendor billed beyond what was recorded: a cost alone, no wallet is touched. Pure.

What is booked is set, not added: a second booking, or one for a later bill, books the difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from credyt_mcp.domain.book import Book, CustomerRef
from credyt_mcp.domain.margins import Tally, VendorCost, cost_cells
from credyt_mcp.domain.money import Asset, within_range

CATEGORY = "true_up"


class TrueUpPlace(NamedTuple):
    """What a true-up is of; `day` counts since 1970, `vendor` is a public id."""

    tenant_id: int
    day: int
    vendor: str
    model: str
    currency: str


class TrueUp(NamedTuple):
    """One booking: ledger units of the place's currency, its number there, and the internal
    customer (our row id)."""

    place: TrueUpPlace
    number: int
    units: int
    customer_id: int


@dataclass(frozen=True)
class BookTrueUp:
    """Make `units` what is booked at a place; `ref` is the internal customer. Answers what this
    adds to what was booked. Raises AmountOutOfRange."""

    ref: CustomerRef
    place: TrueUpPlace
    asset: Asset
    units: int

    @property
    def keys(self) -> list[tuple[int, bytes]]:
        return []

    def decide(self, book: Book) -> int:
        customer = book.customer(self.ref)
        known = book.tallies.true_ups.get(self.place, [])
        added = within_range(self.units - sum(known), self.asset)
        if added:
            booked = TrueUp(self.place, len(known) + 1, added, customer.id)
            book.tallies.true_up(booked)
            book.tallies.add(true_up_tally(booked))
        return added


def true_up_tally(booked: TrueUp) -> Tally:
    """What a booking adds to the rollups."""
    tenant_id, day, vendor, model, currency = booked.place
    cost = VendorCost(vendor, CATEGORY, currency, booked.units, counted=True, model=model)
    return Tally(tenant_id, booked.customer_id, "", "", "", [*cost_cells(day, (), cost)])
