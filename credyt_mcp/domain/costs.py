"""What the tenant earned set against what it cost, without mixing currencies. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from decimal import Decimal, localcontext
from typing import NamedTuple

from credyt_mcp.domain.money import EXACT, Asset, from_units

MARGIN_DECIMALS = 4
DEFAULT_CURRENCY = "USD"


class Profit(NamedTuple):
    """Revenue against cost in one currency; `margin` is a percentage of revenue."""

    gross_revenue: Decimal
    total_costs: Decimal
    net_revenue: Decimal
    margin: Decimal
    currency: str


def profit(revenue: int, costs: int, currency: Asset) -> Profit:
    """From amounts in ledger units."""
    return Profit(
        from_units(revenue, currency),
        from_units(costs, currency),
        from_units(revenue - costs, currency),
        margin(revenue, revenue - costs),
        currency.code,
    )


def margin(revenue: int, net: int) -> Decimal:
    """Net as a percentage of revenue, rounded once, half-even.

    Costs without revenue are a margin of -100: a loss never looks like nothing. Of a negative
    revenue (more was paid back than earned) it is taken of its size, so that a loss stays negative.
    """
    if not revenue:
        return Decimal(-100 if net < 0 else 0)
    with localcontext(EXACT):
        return round(Decimal(net * 100) / abs(revenue), MARGIN_DECIMALS).normalize() + 0


def margin_order(revenue: int, net: int) -> int:
    """What margins are sorted by: a whole number, finer than `margin` and quicker to compare."""
    return net * 10**12 // abs(revenue) if revenue else -(10**12) if net < 0 else 0


def ranks(count: int, percents: Iterable[int]) -> dict[int, int]:
    """Where in `count` sorted values each percentile stands, by nearest rank, from 0."""
    return {percent: max(0, -(-count * percent // 100) - 1) for percent in percents}


def main_currency(codes: Collection[str]) -> str:
    """The currency that figures are given in first: USD, unless all are in one other currency."""
    distinct = set(codes)
    return distinct.pop() if len(distinct) == 1 else DEFAULT_CURRENCY
