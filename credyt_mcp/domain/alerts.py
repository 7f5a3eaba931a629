"""When a watched figure is across its threshold, and when its window began. Pure."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from credyt_mcp.domain.costs import margin
from credyt_mcp.domain.money import Asset, from_units

Metric = Literal["cost", "revenue", "net", "margin", "unpriced_calls"]
WatchedScope = Literal["account", "customer", "each_customer", "product", "model"]
Window = Literal["hour", "day", "month"]

FALLING = ("net", "margin")
"""What is watched for being at or below its threshold; the others for being at or above it."""


class Watched(NamedTuple):
    """Sums of a window so far, in ledger units of one currency."""

    revenue: int = 0
    costs: int = 0
    unpriced: int = 0

    def less(self, before: Watched) -> Watched:
        return Watched(*(now - then for now, then in zip(self, before, strict=True)))

    def value(self, metric: Metric, asset: Asset) -> Decimal:
        """An amount, a percentage of revenue, or a count."""
        if metric == "unpriced_calls":
            return Decimal(self.unpriced)
        net = self.revenue - self.costs
        if metric == "margin":
            return margin(self.revenue, net)
        units = {"cost": self.costs, "revenue": self.revenue, "net": net}[metric]
        return from_units(units, asset)


def crossed(metric: Metric, value: Decimal, threshold: Decimal) -> bool:
    return value <= threshold if metric in FALLING else value >= threshold


def began(window: Window, now: datetime) -> datetime:
    """When the UTC hour, day or month of `now` began."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    if window == "hour":
        return hour
    day = hour.replace(hour=0)
    return day if window == "day" else day.replace(day=1)
