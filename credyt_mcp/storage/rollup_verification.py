"""Proves the rollups: each is what the events, charges and fees under its heading add up to.

Reads customer by customer, so that memory is bounded by what one customer did, and by the kinds of
usage there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any

from credyt_mcp import exact_json
from credyt_mcp.domain.earnings import EARNING, face_value, transaction_tally
from credyt_mcp.domain.fees import StoredFee
from credyt_mcp.domain.late_costs import late_tally
from credyt_mcp.domain.margins import DAY, Tally, Usage, usage_cells, vendor_costs
from credyt_mcp.domain.shared_costs import EVENT_TYPE
from credyt_mcp.domain.true_ups import TrueUp, TrueUpPlace, true_up_tally
from credyt_mcp.storage.rollups import (
    NOTHING,
    PART,
    CustomerHeading,
    Heading,
    Places,
    Sums,
    UseHeading,
    add,
    period_name,
    summed,
)

Query = Callable[[str], Iterable[Any]]
"""Runs SQL in which `{where}` and `{and}` narrow the alias `a` to the tenants asked for."""

_USAGE = "v.event_type, v.user_id, v.subject, v.fees"
_EVENTS = f"""
    SELECT a.customer_id, a.tenant_id, a.occurred_at, {_USAGE.replace("v.", "a.")}, a.costs
    FROM events a
    {{where}} {{and}} (a.fees IS NOT NULL OR a.costs IS NOT NULL)
    ORDER BY a.customer_id"""  # noqa: S608 - our own words
_EARNING = f"""
    SELECT a.customer_id, a.tenant_id, COALESCE(a.executed_at, a.recorded_at), l.asset, a.amount,
           a.kind, a.details
    FROM ledger_transactions a JOIN ledger_accounts l ON l.id = a.account_id
    {{where}} {{and}} a.kind IN {EARNING} ORDER BY a.customer_id"""  # noqa: S608
_LATE = f"""
    SELECT a.customer_id, a.tenant_id, a.booked_at, {_USAGE}, a.late
    FROM unpriced_costs a JOIN events v ON v.id = a.event_id
    {{where}} {{and}} a.late IS NOT NULL ORDER BY a.customer_id"""  # noqa: S608
_TRUE_UPS = """
    SELECT a.customer_id, a.tenant_id, a.day, a.vendor, a.model, a.currency, a.number, a.units
    FROM true_ups a {where} ORDER BY a.customer_id"""
_COMMON = "SUM(a.revenue), SUM(a.revenue_rest), SUM(a.costs), SUM(a.costs_rest)"
_OWN = """
    SELECT {headings}, {common}, 0, 0, SUM(a.events), SUM(a.unpriced)
    FROM {table} a {{where}} GROUP BY {headings} ORDER BY a.customer_id"""
_SHARED = f"""
    SELECT {", ".join(f"a.{name}" for name in Heading._fields)}, {_COMMON}, SUM(a.repeated),
           SUM(a.repeated_rest), SUM(a.events), SUM(a.unpriced)
    FROM margins a {{where}} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9"""  # noqa: S608
_COST_IDS = "SELECT a.tenant_id, COUNT(*) FROM cost_ids a {where} GROUP BY a.tenant_id"

_Stored = tuple[Any, Sums]


def _own(query: Query, table: str, fields: tuple[str, ...]) -> Iterator[tuple[int, _Stored]]:
    """Rows of one customer after the other, each with whose it is."""
    headings = ", ".join(f"a.{name}" for name in fields)
    place = fields.index("customer_id")
    for row in query(_OWN.format(table=table, headings=headings, common=_COMMON)):
        yield row[place], _stored(row, len(fields))


def problems(query: Query) -> Iterator[str]:
    """Sentences about what does not hold."""
    shared: Places = {}
    costs: dict[int, int] = {}
    parts: Iterator[tuple[int, Tally | _Stored]] = merge(
        ((row[0], _event_tally(row, costs)) for row in query(_EVENTS)),
        ((row[0], _late_tally(row)) for row in query(_LATE)),
        ((row[0], _true_up_tally(row)) for row in query(_TRUE_UPS)),
        ((row[0], _transaction_tally(row)) for row in query(_EARNING)),
        _own(query, "customer_margins", CustomerHeading._fields),
        _own(query, "use_margins", UseHeading._fields),
        key=itemgetter(0),
    )
    for _, of_customer in groupby(parts, key=itemgetter(0)):
        tallies: list[Tally] = []
        stored: list[_Stored] = []
        for _, part in of_customer:
            if isinstance(part, Tally):
                tallies.append(part)
            else:
                stored.append(part)
        sums = summed(tallies)
        for place, amounts in sums.shared.items():
            add(shared, place, amounts)
        yield from _differences(sums.customers | sums.uses, stored)
    yield from _differences(shared, (_stored(row, len(Heading._fields)) for row in query(_SHARED)))
    for place, amounts in sorted(shared.items()):
        heading = Heading(*place)
        if heading.event_type == EVENT_TYPE and Sums(*amounts).costs:
            yield (
                f"costs that moved between customers do not add up to nothing: {heading.vendor} "
                f"{heading.model} of {period_name(heading.day)} in {heading.currency}"
            )
    known: dict[int, int] = dict(map(tuple, query(_COST_IDS)))
    for tenant_id in sorted(costs.keys() | known.keys()):
        if costs.get(tenant_id, 0) != known.get(tenant_id, 0):
            yield f"a cost is counted twice, or not at all: tenant {tenant_id}"


def _event_tally(row: Any, counted: dict[int, int]) -> Tally:
    """`counted` grows by the costs that count, by tenant."""
    customer_id, tenant_id, occurred_at, *of, costs = row
    usage = _usage(*of)
    spent = vendor_costs(exact_json.loads(costs or "[]"))
    counted[tenant_id] = counted.get(tenant_id, 0) + sum(cost.counted for cost in spent)
    cells = usage_cells(occurred_at // DAY, usage.fees, spent)
    return usage.tally(tenant_id, customer_id, cells)


def _late_tally(row: Any) -> Tally:
    customer_id, tenant_id, booked_at, *of, late = row
    return late_tally(tenant_id, customer_id, booked_at, _usage(*of), exact_json.loads(late))


def _usage(event_type: str, user_id: str | None, subject: str | None, fees: str | None) -> Usage:
    stored = (StoredFee(*fee) for fee in exact_json.loads(fees or "[]"))
    earned = tuple((fee.price, fee.revenue) for fee in stored)
    return Usage(event_type, user_id or "", subject or "", earned)


def _true_up_tally(row: Any) -> Tally:
    customer_id, tenant_id, day, vendor, model, currency, number, units = row
    place = TrueUpPlace(tenant_id, day, vendor, model, currency)
    return true_up_tally(TrueUp(place, number, units, customer_id))


def _transaction_tally(row: Any) -> Tally:
    customer_id, tenant_id, moment, asset, amount, kind, text = row
    details = exact_json.loads(text)
    revenue = face_value(asset, amount, details.get("earned"))
    return transaction_tally(tenant_id, customer_id, moment // DAY, kind, revenue, details)


def _stored(row: Any, width: int) -> _Stored:
    revenue, rest, costs, costs_rest, repeated, repeated_rest, events, unpriced = map(
        int, row[width:]
    )
    sums = Sums(
        revenue * PART + rest,
        costs * PART + costs_rest,
        repeated * PART + repeated_rest,
        events,
        unpriced,
    )
    return tuple(row[:width]), sums


def _differences(wanted: Places, stored: Iterable[_Stored]) -> Iterator[str]:
    found = dict(stored)
    for place in sorted(wanted.keys() | found.keys()):
        has, should = found.get(place, NOTHING), Sums(*wanted.get(place, NOTHING))
        if has != should:
            _, period, *names, currency = place
            what = " ".join(str(name) for name in names if name not in ("", 0))
            yield (
                f"a rollup is not what its events add up to: {what} of {period_name(period)} in "
                f"{currency} says {has._asdict()}, not {should._asdict()}"
            )
