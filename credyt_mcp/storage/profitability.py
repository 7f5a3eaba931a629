"""Reads the rollups: revenue and cost of customers, vendors, and all together, over UTC days."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlmodel import Session, case, col, func, select

from credyt_mcp.storage.rollup_tables import CustomerMarginRow, MarginRow
from credyt_mcp.storage.rollups import EPOCH, MONTHS, PART, Sums, month_of


class Days(NamedTuple):
    """UTC days, both included."""

    first: date
    last: date


EVER = Days(date.min, date.max)

ByCurrency = dict[str, Sums]

_ALL = (MarginRow.revenue, MarginRow.revenue_rest, MarginRow.costs, MarginRow.costs_rest)
_REPEATED = (MarginRow.repeated, MarginRow.repeated_rest)
_COUNTS = (MarginRow.events, MarginRow.unpriced)
_OWN = (
    CustomerMarginRow.revenue,
    CustomerMarginRow.revenue_rest,
    CustomerMarginRow.costs,
    CustomerMarginRow.costs_rest,
    CustomerMarginRow.events,
    CustomerMarginRow.unpriced,
)


class Periods(NamedTuple):
    """A stretch of days as the fewest rows of a customer: whole months and single days, less the
    days of a month that are not in it."""

    added: list[int]
    taken_off: list[int]


def numbers(days: Days) -> tuple[int, int]:
    """Days as they are stored."""
    return (days.first - EPOCH).days, (days.last - EPOCH).days


def periods(first: int, last: int, edges: tuple[int, int], *, whole_months: bool = True) -> Periods:
    """Of the days `first` to `last`, where nothing happened outside the `edges`."""
    first, last = max(first, edges[0]), min(last, edges[1])
    found = Periods([], [])
    start = first
    while start <= last:
        begins, ends = _month(start)
        inside = range(start, min(last, ends) + 1)
        outside = [
            day
            for day in range(max(begins, edges[0]), min(ends, edges[1]) + 1)
            if day not in inside
        ]
        if whole_months and len(outside) < len(inside):
            found.added.append(month_of(start))
            found.taken_off.extend(outside)
        else:
            found.added.extend(inside)
        start = ends + 1
    return found


def edges(session: Session, tenant_id: int) -> tuple[int, int]:
    """The first and the last day on which a customer of the tenant earned or cost something."""
    own = (CustomerMarginRow.tenant_id == tenant_id, CustomerMarginRow.period < MONTHS)
    first, last = (
        select(which(CustomerMarginRow.period)).where(*own).scalar_subquery()
        for which in (func.min, func.max)
    )
    found = session.exec(select(first, last)).one()
    return (0, -1) if found[0] is None else (found[0], found[1])


def of_customers(
    session: Session, tenant_id: int, customer_ids: Collection[int], days: Days
) -> dict[int, ByCurrency]:
    """What each customer brought in and cost."""
    within = periods(*numbers(days), edges(session, tenant_id))
    found: dict[int, ByCurrency] = {}
    if not within.added:
        return found
    rows = session.exec(
        select(
            CustomerMarginRow.customer_id,
            CustomerMarginRow.currency,
            *net_sums(_OWN, within),
        )
        .where(
            CustomerMarginRow.tenant_id == tenant_id,
            col(CustomerMarginRow.period).in_([*within.added, *within.taken_off]),
            col(CustomerMarginRow.customer_id).in_(customer_ids),
        )
        .group_by(col(CustomerMarginRow.customer_id), col(CustomerMarginRow.currency))
    )
    for customer_id, currency, *parts in rows:
        found.setdefault(customer_id, {})[currency] = own_sums(parts)
    return found


def net_sums(columns: Iterable[Any], within: Periods, table: Any = CustomerMarginRow) -> list[Any]:
    """Sums of a customer's rows over these periods, without those that are to be taken off."""
    if not within.taken_off:
        return [func.sum(column) for column in columns]
    off = col(table.period).in_(within.taken_off)
    return [func.sum(case((off, -column), else_=column)) for column in columns]


def own_sums(parts: Iterable[Any]) -> Sums:
    """From the parts that rows of customers are kept in."""
    revenue, rest, costs, costs_rest, events, unpriced = map(int, parts)
    return Sums(revenue * PART + rest, costs * PART + costs_rest, 0, events, unpriced)


def of_all(session: Session, tenant_id: int, days: Days) -> ByCurrency:
    """All customers together."""
    columns = [func.sum(column) for column in (*_ALL, *_COUNTS)]
    query = select(MarginRow.currency, *columns).where(*_on(tenant_id, days))
    rows: Iterable[Any] = session.exec(query.group_by(MarginRow.currency))
    return {currency: own_sums(parts) for currency, *parts in rows}


def of_vendor(
    session: Session, tenant_id: int, vendor: str, days: Days, category: str | None
) -> dict[tuple[str, str], ByCurrency]:
    """What a vendor cost (by public id), by model and category."""
    sums = [func.sum(column) for column in (*_ALL, *_COUNTS, *_REPEATED)]
    query = (
        select(MarginRow.model, MarginRow.category, MarginRow.currency, *sums)
        .where(*_on(tenant_id, days), MarginRow.vendor == vendor)
        .group_by(MarginRow.model, MarginRow.category, MarginRow.currency)
    )
    if category is not None:
        query = query.where(MarginRow.category == category)
    found: dict[tuple[str, str], ByCurrency] = {}
    parts: list[Any]
    for model, of, currency, *parts in session.exec(query):
        *own, repeated, rest = parts
        both = own_sums(own)._replace(repeated=int(repeated) * PART + int(rest))
        found.setdefault((model, of), {})[currency] = both
    return found


def _on(tenant_id: int, days: Days) -> tuple[Any, ...]:
    # Bounds also where there are none: without any, SQLite reads all rows of the tenant.
    first, last = numbers(days)
    return MarginRow.tenant_id == tenant_id, MarginRow.day >= first, MarginRow.day <= last


def _month(day: int) -> tuple[int, int]:
    """The first and the last day of the month that a day is in."""
    at = EPOCH + timedelta(days=day)
    begins = day - at.day + 1
    later = (at.replace(day=28) + timedelta(days=4)).replace(day=1)
    return begins, (later - EPOCH).days - 1
