"""Proves the rollups: each is what the events, charges and fees under its heading add up to.

Reads customer by customer, so that memory is bounded by the days and vendors there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any

from credyt_mcp import exact_json
from credyt_mcp.domain.earnings import (
    DAY,
    EARNING,
    Tally,
    face_value,
    total,
    usage_tallies,
    vendor_costs,
)
from credyt_mcp.domain.usage import StoredFee
from credyt_mcp.storage.rollups import EPOCH, NOTHING, PART, Heading, Sums, summed

Query = Callable[[str], Iterable[Any]]
"""Runs SQL in which `{where}` and `{and}` narrow the alias `a` to the tenants asked for."""

_EVENTS = """
    SELECT a.customer_id, a.tenant_id, a.occurred_at, a.fees, a.costs FROM events a
    {where} {and} (a.fees IS NOT NULL OR a.costs IS NOT NULL) ORDER BY a.customer_id"""
_EARNING = f"""
    SELECT a.customer_id, a.tenant_id, COALESCE(a.executed_at, a.recorded_at), l.asset, a.amount,
           a.details
    FROM ledger_transactions a JOIN ledger_accounts l ON l.id = a.account_id
    {{where}} {{and}} a.kind IN {EARNING} ORDER BY a.customer_id"""  # noqa: S608 - our own words
_LATE = """
    SELECT a.customer_id, a.tenant_id, a.booked_at, a.late FROM unpriced_costs a
    {where} {and} a.late IS NOT NULL ORDER BY a.customer_id"""
_STORED = """
    SELECT {owner}, a.tenant_id, a.day, a.dimension, a.name, a.detail, a.currency,
           SUM(a.revenue), SUM(a.revenue_rest), SUM(a.costs), SUM(a.costs_rest), SUM(a.events)
    FROM rollups a {where} {and} a.dimension {which} 'customer'
    GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1"""
_COST_IDS = "SELECT a.tenant_id, COUNT(*) FROM cost_ids a {where} GROUP BY a.tenant_id"


_Stored = tuple[Heading, Sums]


def problems(query: Query) -> Iterator[str]:
    """Sentences about what does not hold."""
    shared: dict[Heading, Sums] = {}
    costs: dict[int, int] = {}
    of_customers = _STORED.replace("{owner}", "CAST(a.name AS BIGINT)").replace("{which}", "=")
    parts: Iterator[tuple[int, Tally | _Stored]] = merge(
        ((row[0], tally) for row in query(_EVENTS) for tally in _event_tallies(row)),
        ((row[0], _late_tally(row)) for row in query(_LATE)),
        ((row[0], _transaction_tally(row)) for row in query(_EARNING)),
        ((row[0], _stored(row)) for row in query(of_customers)),
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
        own: dict[Heading, Sums] = {}
        for heading, sums in summed(tallies).items():
            mine = heading.dimension == "customer"
            _add(own if mine else shared, heading, sums)
        for tally in tallies:
            counted = sum(cost.counted and cost.unpriced >= 0 for cost in tally.costs)
            costs[tally.tenant_id] = costs.get(tally.tenant_id, 0) + counted
        yield from _differences(own, stored)
    others = _STORED.replace("{owner}", "0").replace("{which}", "<>")
    yield from _differences(shared, map(_stored, query(others)))
    known: dict[int, int] = dict(map(tuple, query(_COST_IDS)))
    for tenant_id in sorted(costs.keys() | known.keys()):
        if costs.get(tenant_id, 0) != known.get(tenant_id, 0):
            yield f"a cost is counted twice, or not at all: tenant {tenant_id}"


def _event_tallies(row: Any) -> Iterator[Tally]:
    customer_id, tenant_id, occurred_at, fees, costs = row
    revenue = total(StoredFee(*fee).revenue for fee in exact_json.loads(fees or "[]"))
    spent = vendor_costs(exact_json.loads(costs or "[]"))
    return usage_tallies(tenant_id, customer_id, occurred_at, revenue, spent)


def _late_tally(row: Any) -> Tally:
    customer_id, tenant_id, booked_at, late = row
    return Tally(
        tenant_id, customer_id, booked_at // DAY, {}, vendor_costs([exact_json.loads(late)])
    )


def _transaction_tally(row: Any) -> Tally:
    customer_id, tenant_id, moment, asset, amount, details = row
    revenue = face_value(asset, amount, exact_json.loads(details).get("earned"))
    return Tally(tenant_id, customer_id, moment // DAY, revenue)


def _stored(row: Any) -> _Stored:
    _, tenant_id, day, dimension, name, detail, currency, *parts = row
    revenue, rest, costs, costs_rest, events = map(int, parts)
    heading = Heading(tenant_id, day, dimension, name, detail, currency)
    return heading, Sums(revenue * PART + rest, costs * PART + costs_rest, events)


def _add(into: dict[Heading, Sums], heading: Heading, sums: Sums) -> None:
    pairs = zip(into.get(heading, NOTHING), sums, strict=True)
    into[heading] = Sums(*(before + more for before, more in pairs))


def _differences(wanted: dict[Heading, Sums], stored: Iterable[_Stored]) -> Iterator[str]:
    found = dict(stored)
    for heading in sorted(wanted.keys() | found.keys()):
        has, should = found.get(heading, NOTHING), wanted.get(heading, NOTHING)
        if has != should:
            day = EPOCH + timedelta(days=heading.day)
            what = " ".join(filter(None, (heading.dimension, heading.name, heading.detail)))
            yield (
                f"a rollup is not what its events add up to: {what} on {day} in "
                f"{heading.currency} says {has._asdict()}, not {should._asdict()}"
            )
