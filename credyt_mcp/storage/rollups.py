"""Rollups of revenue and cost as the lane adds to them; profitability.py reads them.

The lane adds to each row it touches once a batch, with nothing read before and nothing locked that
another wallet needs: see rollup_tables.py. An amount is kept as a whole number of billions and the
rest, because a day of a large tenant may not fit 64 bits.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from credyt_mcp.domain.book import Book
from credyt_mcp.domain.margins import Tally
from credyt_mcp.domain.usage import RecordUsage
from credyt_mcp.ids import client_key
from credyt_mcp.storage import shared_costs, true_ups
from credyt_mcp.storage.lane_connection import LaneConnection, table_of
from credyt_mcp.storage.rollup_tables import CostIdRow, CustomerMarginRow, MarginRow, UseMarginRow
from credyt_mcp.storage.unpriced import load_open_costs, save_costs

MARGINS = table_of(MarginRow)
CUSTOMER_MARGINS = table_of(CustomerMarginRow)
USE_MARGINS = table_of(UseMarginRow)
COST_IDS = table_of(CostIdRow)
KEY, CUSTOMER_KEY, USE_KEY = (
    tuple(column.name for column in table.primary_key)
    for table in (MARGINS, CUSTOMER_MARGINS, USE_MARGINS)
)
PART = 10**9
EPOCH = date(1970, 1, 1)
MONTHS = 1_000_000
"""Periods from here on are months (counted since 1970), those below are days."""


class Heading(NamedTuple):
    """What a row of all customers sums up, but for its shard."""

    tenant_id: int
    day: int
    event_type: str
    price: int
    product: str
    vendor: str
    model: str
    category: str
    currency: str


class CustomerHeading(NamedTuple):
    """What a row of one customer sums up."""

    tenant_id: int
    period: int
    customer_id: int
    currency: str


class UseHeading(NamedTuple):
    """What a row of one end user and task sums up."""

    tenant_id: int
    period: int
    customer_id: int
    user_id: str
    subject: str
    currency: str


class Sums(NamedTuple):
    """Ledger units of one currency; `repeated` in the rows of all customers alone."""

    revenue: int = 0
    costs: int = 0
    repeated: int = 0
    events: int = 0
    unpriced: int = 0


NOTHING = Sums()
REPEATED = Sums._fields.index("repeated")

Places = dict[tuple[Any, ...], Sequence[int]]
"""Amounts in the order of `Sums`, by the fields of a heading."""


@lru_cache(maxsize=1000)
def month_of(day: int) -> int:
    """The period of the month that a day is in."""
    at = date.fromordinal(EPOCH.toordinal() + day)
    return MONTHS + (at.year - EPOCH.year) * 12 + at.month - 1


class Summed(NamedTuple):
    """The rows that tallies add up to, by the headings of each table."""

    shared: Places
    customers: Places
    uses: Places


def summed(tallies: Iterable[Tally]) -> Summed:
    shared: Places = {}
    customers: Places = {}
    uses: Places = {}
    amounts: list[int]
    for tenant_id, customer_id, event_type, user_id, subject, cells in tallies:
        for day, price, product, vendor, model, category, currency, *amounts in cells:
            add(
                shared,
                (tenant_id, day, event_type, price, product, vendor, model, category, currency),
                amounts,
            )
            if amounts[REPEATED]:  # no customer is shown them
                amounts = list(amounts)
                amounts[REPEATED] = 0
            add(customers, (tenant_id, day, customer_id, currency), amounts)
            if user_id or subject:
                add(uses, (tenant_id, day, customer_id, user_id, subject, currency), amounts)
    months: Places = {}
    for (tenant_id, day, customer_id, currency), of_day in customers.items():
        add(months, (tenant_id, month_of(day), customer_id, currency), of_day)
    return Summed(shared, customers | months, uses)


def period_name(period: int) -> str:
    """A day or a month as people write it."""
    if period < MONTHS:
        return str(EPOCH + timedelta(days=period))
    year, month = divmod(period - MONTHS, 12)
    return f"{EPOCH.year + year}-{month + 1:02}"


def add(into: Places, place: tuple[Any, ...], amounts: Sequence[int]) -> None:
    """Add what one row sums up to what is known of it."""
    known = into.get(place)
    if known is None:
        into[place] = amounts
    else:
        into[place] = [have + more for have, more in zip(known, amounts, strict=True)]


def as_rows(sums: Places, shard: int) -> list[dict[str, Any]]:
    """In key order, as everybody writes them, so that nobody waits in a circle."""
    rows = []
    for place, (revenue, costs, repeated, events, unpriced) in sorted(sums.items()):
        row = _row(Heading._fields, place, revenue, costs, events, unpriced)
        row["shard"] = shard
        row["repeated"], row["repeated_rest"] = divmod(repeated, PART)
        rows.append(row)
    return rows


def own_rows(fields: tuple[str, ...], sums: Places) -> list[dict[str, Any]]:
    """Likewise, of single customers."""
    return [
        _row(fields, place, revenue, costs, events, unpriced)
        for place, (revenue, costs, _, events, unpriced) in sorted(sums.items())
    ]


def _row(
    fields: tuple[str, ...],
    place: tuple[Any, ...],
    revenue: int,
    costs: int,
    events: int,
    unpriced: int,
) -> dict[str, Any]:
    revenues, revenue_rest = divmod(revenue, PART)
    spent, costs_rest = divmod(costs, PART)
    return {
        **dict(zip(fields, place, strict=True)),
        "revenue": revenues,
        "revenue_rest": revenue_rest,
        "costs": spent,
        "costs_rest": costs_rest,
        "events": events,
        "unpriced": unpriced,
    }


class Rollups:
    """The rollups' part of loading and saving a book."""

    def __init__(self, connection: LaneConnection) -> None:
        self._connection = connection
        self._shard = secrets.randbelow(connection.shards)

    def load(self, book: Book, commands: Sequence[Any]) -> None:
        """Which of the commands' cost ids are known."""
        load_open_costs(self._connection, book, commands)
        shared_costs.load_open(self._connection, book, commands)
        true_ups.load(self._connection, book, commands)
        keys = {
            (command.ref.tenant_id, client_key(cost["id"]))
            for command in commands
            if isinstance(command, RecordUsage)
            for event in command.events
            for cost in event.costs or ()
        }
        if keys:
            found = self._connection.find(COST_IDS, ("tenant_id", "key"), sorted(keys))
            book.tallies.cost_ids = {(row["tenant_id"], row["key"]) for row in found}

    def save(self, book: Book) -> None:
        tallies = book.tallies
        if tallies.new_cost_ids:
            ids = [{"tenant_id": one, "key": key} for one, key in sorted(tallies.new_cost_ids)]
            self._connection.insert(COST_IDS, ids)
        save_costs(self._connection, book)
        shared_costs.save(self._connection, book)
        true_ups.save(self._connection, book)
        sums = summed(tallies.rows)
        if sums.shared:
            own = own_rows(CustomerHeading._fields, sums.customers)
            self._connection.add(CUSTOMER_MARGINS, CUSTOMER_KEY, own)
            if sums.uses:
                uses = own_rows(UseHeading._fields, sums.uses)
                self._connection.add(USE_MARGINS, USE_KEY, uses)
            self._connection.add(MARGINS, KEY, as_rows(sums.shared, self._shard))
