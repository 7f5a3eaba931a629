"""What a margin report is for: who is dearest, who costs more than they bring, how far the tail is
from the middle."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
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
    groups = [one for one in margin_queries.every(session, rows) if one.revenue or one.costs]
    groups.sort(key=lambda one: (-one.costs, one.key))
    losing = [one.costs for one in groups if one.revenue <= 0 < one.costs]
    return Decisions(
        customers=len(groups),
        dearest=_dearest(session, groups, asked.asset, wanted),
        at_risk=_at_risk(session, groups, asked.asset, wanted),
        without_revenue=WithoutRevenue(
            count=len(losing), total_costs=from_units(sum(losing), asked.asset)
        ),
        percentiles=_percentiles(groups, asked.asset),
    )


def _dearest(session: Session, groups: list[Group], asset: Asset, command: Wanted) -> Dearest:
    """Of groups by falling cost."""
    top = groups[: -(-len(groups) * command.top_percent // 100)]
    costs, whole = sum(one.costs for one in top), sum(one.costs for one in groups)
    return Dearest(
        percent=command.top_percent,
        count=len(top),
        total_costs=from_units(costs, asset),
        share=margin(whole, costs),
        items=_items(session, top[: command.limit], asset),
    )


def _at_risk(session: Session, groups: list[Group], asset: Asset, command: Wanted) -> AtRisk:
    limit = int(command.margin_below * 10**10)
    found = [one for one in groups if margin_order(one.revenue, one.net) < limit]
    found.sort(key=lambda one: (one.net, one.key))
    return AtRisk(
        margin_below=command.margin_below,
        count=len(found),
        net_revenue=from_units(sum(one.net for one in found), asset),
        items=_items(session, found[: command.limit], asset),
    )


def _percentiles(groups: list[Group], asset: Asset) -> list[Percentile]:
    if not groups:
        return []
    costs = sorted(one.costs for one in groups)
    falling = sorted(groups, key=lambda one: -margin_order(one.revenue, one.net))
    return [
        Percentile(
            percent=percent,
            cost=from_units(costs[rank], asset),
            margin=margin(falling[rank].revenue, falling[rank].net),
        )
        for percent, rank in ranks(len(groups), PERCENTS).items()
    ]


def _items(session: Session, groups: list[Group], asset: Asset) -> list[ProfitOf]:
    named = labels(session, 0, "customer", [one.key for one in groups])
    return [shown(one, label, asset) for one, label in zip(groups, named, strict=True)]
