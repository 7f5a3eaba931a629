"""What usage cost the tenant: summed per event, and set against what it earned. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from credyt_mcp.domain.money import Asset, from_units


class Profit(NamedTuple):
    """Revenue against cost in one currency; `margin` is a percentage of revenue."""

    gross_revenue: Decimal
    total_costs: Decimal
    net_revenue: Decimal
    margin: Decimal
    currency: str


def profit(revenue: int, costs: int, currency: Asset) -> Profit:
    """From amounts in ledger units. The margin of no revenue is 0, to four decimals otherwise."""
    net = revenue - costs
    margin = Decimal(net * 100) / revenue if revenue else Decimal(0)
    return Profit(
        from_units(revenue, currency),
        from_units(costs, currency),
        from_units(net, currency),
        round(margin, 4).normalize() + 0,
        currency.code,
    )


def shared_currency(codes: Iterable[str]) -> str | None:
    """The one currency that all amounts are in, or None when they differ or there are none."""
    distinct = set(codes)
    return distinct.pop() if len(distinct) == 1 else None
