"""Rollups of revenue and cost: added to by the lane, read by everybody.

The lane adds to each row it touches once a batch, with nothing read before and nothing locked that
another wallet needs: see RollupRow. An amount is kept as a whole number of billions and the rest,
because a day of a large tenant may not fit 64 bits.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlmodel import Session, col, func, select

from credyt_mcp.domain.book import Book
from credyt_mcp.domain.earnings import Tally
from credyt_mcp.domain.usage import RecordUsage
from credyt_mcp.ids import client_key
from credyt_mcp.storage.lane_connection import LaneConnection, table_of
from credyt_mcp.storage.ledger_tables import CostIdRow, RollupRow
from credyt_mcp.storage.unpriced import load_open_costs, save_costs

ROLLUPS = table_of(RollupRow)
COST_IDS = table_of(CostIdRow)
KEY = ("tenant_id", "shard", "day", "dimension", "name", "detail", "currency")
PART = 10**9
EPOCH = date(1970, 1, 1)


class Heading(NamedTuple):
    """What a rollup row sums up; `day` counts from 1970."""

    tenant_id: int
    day: int
    dimension: str
    name: str
    detail: str
    currency: str


class Sums(NamedTuple):
    """Ledger units of one currency."""

    revenue: int
    costs: int
    events: int


NOTHING = Sums(0, 0, 0)


class Days(NamedTuple):
    """UTC days, both included."""

    first: date
    last: date


EVER = Days(date.min, date.max)
"""Bounds all the same: without any, SQLite reads all rows of the tenant, and uses no index."""


def summed(tallies: Iterable[Tally]) -> dict[Heading, Sums]:
    """The rows that tallies add up to."""
    found: dict[tuple[int, int, str, str, str, str], list[int]] = {}

    def add(place: tuple[int, int, str, str, str, str], *amounts: int) -> None:
        sums = found.setdefault(place, [0, 0, 0])
        for index, amount in enumerate(amounts):
            sums[index] += amount

    for tally in tallies:
        of = tally.tenant_id, tally.day
        for currency, (revenue, costs) in _by_currency(tally).items():
            add(
                (*of, "customer", str(tally.customer_id), "", currency),
                revenue,
                costs,
                tally.events,
            )
            add((*of, "all", "", "", currency), revenue, costs, tally.events)
        for cost in tally.costs:
            if cost.unpriced and cost.counted:
                customer = str(tally.customer_id)
                add((*of, "unpriced", cost.vendor, cost.model, cost.currency), 0, 0, cost.unpriced)
                add((*of, "customer", customer, "unpriced", cost.currency), 0, 0, cost.unpriced)
                add((*of, "all", "", "unpriced", cost.currency), 0, 0, cost.unpriced)
            if cost.unpriced <= 0:
                dimension = "vendor" if cost.counted else "repeated"
                add((*of, dimension, cost.vendor, cost.category, cost.currency), 0, cost.units, 1)
    return {Heading(*place): Sums(*amounts) for place, amounts in found.items()}


def _by_currency(tally: Tally) -> dict[str, tuple[int, int]]:
    """Revenue and cost, in the currencies that have any."""
    found = {currency: (units, 0) for currency, units in tally.revenue.items()}
    for cost in tally.costs:
        if cost.counted and cost.unpriced <= 0:
            revenue, costs = found.get(cost.currency, (0, 0))
            found[cost.currency] = (revenue, costs + cost.units)
    return found


def as_rows(sums: dict[Heading, Sums], shard: int) -> list[dict[str, Any]]:
    """In key order, as everybody writes them, so that nobody waits in a circle. A customer's rows
    have one writer at a time, who holds the wallet."""
    rows = []
    for heading, (revenue, costs, events) in sorted(sums.items()):
        row = dict(zip(Heading._fields, heading, strict=True))
        row["shard"] = 0 if heading.dimension == "customer" else shard
        row["revenue"], row["revenue_rest"] = divmod(revenue, PART)
        row["costs"], row["costs_rest"] = divmod(costs, PART)
        row["events"] = events
        rows.append(row)
    return rows


class Rollups:
    """The rollups' part of loading and saving a book."""

    def __init__(self, connection: LaneConnection) -> None:
        self._connection = connection
        self._shard = secrets.randbelow(connection.shards)

    def load(self, book: Book, commands: Sequence[Any]) -> None:
        """Which of the commands' cost ids are known."""
        load_open_costs(self._connection, book, commands)
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
        if rows := as_rows(summed(tallies.rows), self._shard):
            self._connection.add(ROLLUPS, KEY, rows)


def read(
    session: Session,
    tenant_id: int,
    dimension: str,
    names: Collection[str],
    days: Days,
    detail: str | None = None,
) -> dict[tuple[str, str], dict[str, Sums]]:
    """By name and detail, the sums per currency over `days`."""
    first, last = ((day - EPOCH).days for day in days)
    columns = (RollupRow.revenue, RollupRow.revenue_rest, RollupRow.costs, RollupRow.costs_rest)
    query = (
        select(
            RollupRow.name,
            RollupRow.detail,
            RollupRow.currency,
            *(func.sum(column) for column in (*columns, RollupRow.events)),
        )
        .where(
            RollupRow.tenant_id == tenant_id,
            RollupRow.dimension == dimension,
            col(RollupRow.name).in_(names),
            RollupRow.day >= first,
            RollupRow.day <= last,
        )
        .group_by(RollupRow.name, RollupRow.detail, RollupRow.currency)
    )
    if detail is not None:
        query = query.where(RollupRow.detail == detail)
    found: dict[tuple[str, str], dict[str, Sums]] = {}
    parts: Sequence[int]
    for name, of, currency, *parts in session.exec(query):
        high, rest, costs, costs_rest, events = map(int, parts)
        sums = Sums(high * PART + rest, costs * PART + costs_rest, events)
        found.setdefault((name, of), {})[currency] = sums
    return found
