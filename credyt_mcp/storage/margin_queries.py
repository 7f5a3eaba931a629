"""Revenue and cost grouped by what they are asked by: pages of customers, end users and tasks,
sorted by the database, and the few groups that all customers' usage falls into.

Where one month is asked for, its rows are what is wanted, and nothing is summed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy import BigInteger, cast, or_, true
from sqlmodel import Session, col, func, select

from credyt_mcp.storage import margin_names
from credyt_mcp.storage.profitability import Days, Periods, net_sums, numbers
from credyt_mcp.storage.rollup_tables import CustomerMarginRow, MarginRow, UseMarginRow
from credyt_mcp.storage.rollups import EPOCH, PART

Usage = Literal["event_type", "price", "vendor", "model", "day"]
Own = type[CustomerMarginRow] | type[UseMarginRow]

AMOUNTS = ("revenue", "revenue_rest", "costs", "costs_rest", "events", "unpriced")
FAR = 10**6
"""More billions than the rests of a group's rows can add up to."""


class Group(NamedTuple):
    """Ledger units of one currency under one key: a customer's row id, that with the name of an
    end user or task, a day since 1970, or what `Usage` says."""

    key: tuple[Any, ...]
    revenue: int
    costs: int
    events: int
    unpriced: int

    @property
    def net(self) -> int:
        return self.revenue - self.costs


class Page(NamedTuple):
    """Groups in the order asked for; how many there are, and how many cost without earning."""

    groups: list[Group]
    total: int
    without_revenue: int
    their_costs: int


class Scope(NamedTuple):
    """Of which tenant, in which currency, and of one customer (our row id) or all."""

    tenant_id: int
    currency: str
    customer_id: int | None = None


def customers(scope: Scope, within: Periods) -> Any:
    """A row for each customer."""
    return _own(CustomerMarginRow, ("customer_id",), scope, within)


def users(scope: Scope, within: Periods, by: Literal["user_id", "subject"]) -> Any:
    """A row for each end user or task that was named, of each customer."""
    return _own(UseMarginRow, ("customer_id", by), scope, within)


def days_of_customer(scope: Scope, days: Days) -> Any:
    first, last = numbers(days)
    row = CustomerMarginRow
    query = select(col(row.period).label("day"), *(getattr(row, name) for name in AMOUNTS))
    return query.where(
        row.tenant_id == scope.tenant_id,
        col(row.period).in_(range(first, last + 1)),
        row.customer_id == scope.customer_id,
        row.currency == scope.currency,
    ).cte()


def page(
    session: Session,
    rows: Any,
    measure: str,
    ascending: bool,
    offset: int,
    limit: int,
) -> Page:
    """By `revenue`, `cost`, `net` or `key`. Groups are summed once, for the page and the counts."""
    of_page = select(rows).order_by(*_order(rows, measure, ascending)).limit(limit).offset(offset)
    shown, counts = of_page.subquery(), _counts(rows).cte()
    query = select(*counts.c, *_keys(shown), *_amounts(shown))
    query = query.select_from(counts.outerjoin(shown, true()))
    found = session.execute(query.order_by(*_order(shown, measure, ascending))).all()
    width = len(_keys(rows))
    groups = [_group(row[4:], width) for row in found if row[4] is not None]
    count, losers, costs, costs_rest = map(int, found[0][:4])
    return Page(groups, count, losers, costs * PART + costs_rest)


def _order(rows: Any, measure: str, ascending: bool) -> list[Any]:
    keys = _keys(rows)
    order = keys if measure == "key" else _by(rows, measure)
    return [*(order if ascending else [part.desc() for part in order]), *keys]


def _counts(rows: Any) -> Any:
    """How many there are; and how many cost without earning, and what."""
    high, rest = _whole(rows, "revenue")
    lost = (high < 0) | ((high == 0) & (rest == 0))
    cost_high, cost_rest = _whole(rows, "costs")
    losing = lost & ((cost_high > 0) | ((cost_high == 0) & (cost_rest > 0)))
    return select(
        func.count(),
        func.count().filter(losing),
        func.coalesce(func.sum(cost_high).filter(losing), 0),
        func.coalesce(func.sum(cost_rest).filter(losing), 0),
    ).select_from(rows)


def every(session: Session, rows: Any) -> Iterator[Group]:
    """All groups, in no order; for what the database cannot compute exactly."""
    keys = _keys(rows)
    for row in session.execute(select(*keys, *_amounts(rows))):
        yield _group(row, len(keys))


def revenue_and_costs(session: Session, rows: Any) -> list[tuple[int, int, int]]:
    """Of each customer, by row id, what they brought and cost, where that is anything; rising by
    id. Of all customers at once, so nothing more is made of each."""
    amounts = [cast(rows.c[name], BigInteger) for name in AMOUNTS[:4]]
    query = select(rows.c.customer_id, *amounts).order_by(rows.c.customer_id)
    found = [
        (customer, high * PART + rest, cost_high * PART + cost_rest)
        for customer, high, rest, cost_high, cost_rest in session.connection().execute(query).all()
    ]
    return [one for one in found if one[1] or one[2]]


def of(session: Session, rows: Any, customers: Sequence[int]) -> list[Group]:
    """The groups of these customers, in this order."""
    query = select(rows.c.customer_id, *_amounts(rows)).where(rows.c.customer_id.in_(customers))
    found = {row[0]: _group(row, 1) for row in session.execute(query)}
    return [found[customer] for customer in customers]


def usage(session: Session, scope: Scope, days: Days, by: Sequence[str]) -> list[Group]:
    """All customers' usage by columns of `MarginRow`: few groups, whatever was recorded."""
    first, last = numbers(days)
    keys = [getattr(MarginRow, name) for name in by]
    rows = session.execute(
        select(*keys, *(func.sum(getattr(MarginRow, name)) for name in AMOUNTS))
        .where(
            col(MarginRow.tenant_id) == scope.tenant_id,
            col(MarginRow.day) >= first,
            col(MarginRow.day) <= last,
            col(MarginRow.currency) == scope.currency,
        )
        .group_by(*keys)
    )
    return [_group(row, len(keys)) for row in rows]


def products(session: Session, scope: Scope, days: Days) -> list[Group]:
    """All customers' usage by the code of the product that it was priced by."""
    groups = usage(session, scope, days, ("price", "product"))
    names = margin_names.prices(session, {group.key[0] for group in groups})
    found: dict[str, Group] = {}
    for group in groups:
        price, product = group.key
        code = names[price].product if price in names else product
        known = found.get(code, Group((code,), 0, 0, 0, 0))
        pairs = zip(known[1:], group[1:], strict=True)
        found[code] = Group((code,), *(have + more for have, more in pairs))
    return list(found.values())


def date_of(day: int) -> str:
    """A day as it is shown."""
    return (EPOCH + timedelta(days=day)).isoformat()


def _own(table: Own, by: tuple[str, ...], scope: Scope, within: Periods) -> Any:
    keys = [getattr(table, name) for name in by]
    amounts = [getattr(table, name) for name in AMOUNTS]
    asked = [*within.added, *within.taken_off]
    narrow = [
        col(table.tenant_id) == scope.tenant_id,
        col(table.period).in_(asked),
        col(table.currency) == scope.currency,
    ]
    if scope.customer_id is not None:
        narrow.append(col(table.customer_id) == scope.customer_id)
    if by[-1] != "customer_id":
        narrow.append(keys[-1] != "")
    if len(asked) == 1 and table is CustomerMarginRow:
        return select(*keys, *amounts).where(*narrow).subquery()
    sums = net_sums(amounts, within, table)
    named = (part.label(name) for part, name in zip(sums, AMOUNTS, strict=True))
    rows = select(*keys, *named).where(*narrow).group_by(*keys).cte()
    if not within.taken_off:
        return rows
    # Of whoever did all of the month's business on the days that were taken off, nothing is left.
    left = [part != 0 for name in ("revenue", "costs") for part in _whole(rows, name)]
    left += [rows.c.events != 0, rows.c.unpriced != 0]
    return select(*rows.c).where(or_(*left)).cte()


def _keys(rows: Any) -> list[Any]:
    return [column for column in rows.c if column.name not in AMOUNTS]


def _amounts(rows: Any) -> list[Any]:
    return [rows.c[name] for name in AMOUNTS]


def _whole(rows: Any, name: str) -> tuple[Any, Any]:
    """An amount as whole billions and a rest that is less than one, and not negative."""
    return _normal(rows.c[name], rows.c[f"{name}_rest"])


def _normal(high: Any, rest: Any) -> tuple[Any, Any]:
    # Integer division cuts towards zero, so it is done on what cannot be negative.
    lifted = cast(rest, BigInteger) + FAR * PART
    return high + lifted // PART - FAR, lifted % PART


def _by(rows: Any, measure: str) -> list[Any]:
    """What orders the rows by an amount that may not fit 64 bits."""
    if measure == "net":
        high = rows.c.revenue - rows.c.costs
        return [*_normal(high, rows.c.revenue_rest - rows.c.costs_rest)]
    return [*_whole(rows, "revenue" if measure == "revenue" else "costs")]


def _group(row: Iterable[Any], width: int) -> Group:
    values = tuple(row)
    revenue, rest, costs, costs_rest, events, unpriced = map(int, values[width:])
    return Group(values[:width], revenue * PART + rest, costs * PART + costs_rest, events, unpriced)
