"""What a margin report is for: who is dearest, who costs more than they bring, how far the tail is
from the middle."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from operator import itemgetter
from typing import Annotated

from pydantic import Field
from sqlmodel import Session

from credyt_mcp.domain.costs import margin, margin_order, ranks
from credyt_mcp.domain.money import Asset, from_units
from credyt_mcp.storage import margin_queries
from credyt_mcp.storage.margin_queries import Group
from credyt_mcp.use_cases.context import Billing, Number, Result
from credyt_mcp.use_cases.margin_answers import (
    Asked,
    PeriodOf,
    ProfitOf,
    WithoutRevenue,
    ask,
    shown,
    within,
)
from credyt_mcp.use_cases.margin_names import labels

PERCENTS = (50, 75, 90, 95, 99)

Found = tuple[int, int, int]
"""A customer (row id), and in units what they brought and cost: plain, as there are many."""

COSTS = 2


class Wanted(PeriodOf):
    top_percent: Annotated[int, Field(ge=1, le=100, description="how many of the dearest")] = 5
    margin_below: Annotated[
        Number, Field(ge=-100, le=100, description="percent; at or near a loss is below it")
    ] = Decimal(10)
    limit: Annotated[int, Field(ge=1, le=1000, description="most customers a list shows")] = 20


class GetMarginDecisions(Wanted):
    """The dearest customers with their share of all cost, those at or near a loss, and percentiles
    of cost and margin."""


class Dearest(Result):
    """The customers with the highest cost, `count` being `percent` of all who did anything."""

    percent: int
    count: int
    total_costs: Number
    share: Annotated[Number, Field(description="of all cost, in percent")]
    items: list[ProfitOf]


class AtRisk(Result):
    """Customers whose margin is below `margin_below`, the largest loss first."""

    margin_below: Number
    count: int
    net_revenue: Number
    items: list[ProfitOf]


class Percentile(Result):
    """What `percent` of the customers stay within: they cost at most this, and their margin is at
    least this. The two are not of one customer."""

    percent: int
    cost: Number
    margin: Number


class Decisions(Result):
    customers: Annotated[int, Field(description="with revenue or cost in the period")]
    dearest: Dearest
    at_risk: AtRisk
    without_revenue: WithoutRevenue
    percentiles: list[Percentile]


class MarginDecisions(Decisions):
    period_from: date
    period_to: date
    currency: str
    unpriced_calls: Annotated[int | None, Field(description="whose cost is not in here")] = None


def get_margin_decisions(billing: Billing, command: GetMarginDecisions) -> MarginDecisions:
    with billing.database.read() as session:
        asked = ask(session, billing, command)
        found = decide(session, asked, command)
    return MarginDecisions(
        **dict(found),
        period_from=asked.days.first,
        period_to=asked.days.last,
        currency=asked.asset.code,
        unpriced_calls=asked.totals.unpriced_calls,
    )


def decide(session: Session, asked: Asked, wanted: Wanted | None = None) -> Decisions:
    """Of all customers who did anything."""
    wanted = wanted or Wanted()
    rows = margin_queries.customers(asked.scope, within(session, asked))
    found = margin_queries.revenue_and_costs(session, rows)
    dearest = sorted(found, key=itemgetter(COSTS), reverse=True)
    losing = [costs for _, revenue, costs in found if revenue <= 0 < costs]
    top = dearest[: -(-len(found) * wanted.top_percent // 100)]
    orders = [margin_order(revenue, revenue - costs) for _, revenue, costs in found]
    at_risk = _at_risk(found, orders, wanted)

    def items(of: list[Found]) -> list[ProfitOf]:
        ids = [customer for customer, *_ in of[: wanted.limit]]
        return _items(session, margin_queries.of(session, rows, ids), asked.asset)

    return Decisions(
        customers=len(found),
        dearest=Dearest(
            percent=wanted.top_percent,
            count=len(top),
            total_costs=from_units(_sum(top), asked.asset),
            share=margin(_sum(found), _sum(top)),
            items=items(top),
        ),
        at_risk=AtRisk(
            margin_below=wanted.margin_below,
            count=len(at_risk),
            net_revenue=from_units(sum(map(_net, at_risk)), asked.asset),
            items=items(at_risk),
        ),
        without_revenue=WithoutRevenue(
            count=len(losing), total_costs=from_units(sum(losing), asked.asset)
        ),
        percentiles=_percentiles(dearest, found, orders, asked.asset),
    )


def _at_risk(found: list[Found], orders: list[int], wanted: Wanted) -> list[Found]:
    """The largest loss first; `orders` are those of the margins of `found`."""
    limit = int(wanted.margin_below * 10**10)
    below = [one for one, order in zip(found, orders, strict=True) if order < limit]
    return sorted(below, key=_net)


def _percentiles(
    dearest: list[Found], found: list[Found], orders: list[int], asset: Asset
) -> list[Percentile]:
    falling = sorted(orders, reverse=True)
    shown = []
    for percent, rank in ranks(len(found), PERCENTS).items() if found else ():
        _, revenue, costs = found[orders.index(falling[rank])]
        cost = from_units(dearest[-1 - rank][COSTS], asset)
        shown.append(
            Percentile(percent=percent, cost=cost, margin=margin(revenue, revenue - costs))
        )
    return shown


def _net(one: Found) -> int:
    return one[1] - one[COSTS]


def _sum(several: list[Found]) -> int:
    return sum(map(itemgetter(COSTS), several))


def _items(session: Session, groups: list[Group], asset: Asset) -> list[ProfitOf]:
    named = labels(session, 0, "customer", [one.key for one in groups])
    return [shown(one, label, asset) for one, label in zip(groups, named, strict=True)]
