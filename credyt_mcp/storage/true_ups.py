"""Costs that were booked to agree with a vendor's bill: by the lane, read by everybody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, select

from credyt_mcp.domain.book import Book
from credyt_mcp.domain.true_ups import BookTrueUp, TrueUpPlace
from credyt_mcp.storage.bill_tables import TrueUpRow
from credyt_mcp.storage.lane_connection import LaneConnection, table_of

TRUE_UPS = table_of(TrueUpRow)


def load(connection: LaneConnection, book: Book, commands: Sequence[Any]) -> None:
    """What is booked where something is to be."""
    places = {command.place for command in commands if isinstance(command, BookTrueUp)}
    if places:
        rows = connection.find(TRUE_UPS, TrueUpPlace._fields, sorted(places))
        for row in sorted(rows, key=lambda row: row["number"]):
            place = TrueUpPlace(*(row[name] for name in TrueUpPlace._fields))
            book.tallies.true_ups.setdefault(place, []).append(row["units"])


def save(connection: LaneConnection, book: Book) -> None:
    rows = [
        {
            **booked.place._asdict(),
            "number": booked.number,
            "units": booked.units,
            "customer_id": booked.customer_id,
            "created_at": book.now,
        }
        for booked in book.tallies.new_true_ups
    ]
    if rows:
        connection.insert(TRUE_UPS, rows)


def booked(
    session: Session, tenant_id: int, first: int, last: int, vendor: str | None = None
) -> dict[tuple[int, str, str, str], int]:
    """Ledger units by day, vendor, model and currency, on days `first` to `last`."""
    query = select(TrueUpRow).where(
        TrueUpRow.tenant_id == tenant_id, TrueUpRow.day >= first, TrueUpRow.day <= last
    )
    if vendor is not None:
        query = query.where(TrueUpRow.vendor == vendor)
    sums: dict[tuple[int, str, str, str], int] = {}
    for row in session.exec(query):
        place = (row.day, row.vendor, row.model, row.currency)
        sums[place] = sums.get(place, 0) + row.units
    return {place: units for place, units in sums.items() if units}
