"""Fees worked out a second time, from DESIGN section 6 and the wire's price shapes, in fractions.

Shares nothing with `credyt_mcp.domain`: slow, plain, and read beside the design page.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

Price = dict[str, Any]


class Refused(Exception):
    """The command must be refused with the error of this code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def volume_of(price: Price, data: dict[str, Any]) -> Fraction | None:
    """What the event reports for the price; None when it makes no fee."""
    calculation = price["usage_calculation"]
    if calculation["usage_type"] == "unit":
        return Fraction(0)
    if calculation["volume_field"] not in data:
        return None
    value = data[calculation["volume_field"]]
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or value < 0:
        raise Refused("invalid_request")
    return Fraction(value)


def entry_for(values: list[dict[str, Any]], data: dict[str, Any]) -> tuple[str, Any] | None:
    """The dimension entry with most exact matches: its exact dimensions, and its values."""
    if "dimensions" not in values[0]:
        return "", values
    best: tuple[int, str, Any] | None = None
    for entry in values:
        exact = {key: text for key, text in entry["dimensions"].items() if text != "*"}
        fits = all(key in data and str(data[key]) == text for key, text in exact.items())
        if fits and (best is None or len(exact) > best[0]):
            best = len(exact), str(sorted(exact.items())), entry["values"]
    return best and best[1:]


def total(
    price: Price, values: list[dict[str, Any]], units: Fraction, volume: Fraction
) -> Fraction:
    """P(q), before rounding: what this much usage costs in all when it starts from nothing."""
    kind = price["usage_calculation"]["usage_type"]
    rate_name, quantity = ("unit_price", units) if kind == "unit" else ("volume_rate", volume)
    first = values[0]
    aside = _number(first, "unit_price") * units if kind == "unit_and_volume" else Fraction(0)
    if not quantity:
        return aside
    model = price.get("pricing_model", "flat")
    if model == "flat":
        size = _number(first, "package_size") or 1
        return aside + _number(first, rate_name) * quantity / size
    if model == "package":
        packages = math.ceil(quantity / _number(first, "package_size"))
        return aside + _number(first, rate_name) * packages
    if model == "bulk":
        tier = values[tier_of(price, values, units, volume)]
        return aside + _number(tier, "flat_fee") + _number(tier, rate_name) * quantity
    lower = Fraction(0)
    for tier in values:
        if quantity > lower:
            upper = min(quantity, _number(tier, "up_to") or quantity)
            aside += _number(tier, "flat_fee") + _number(tier, rate_name) * (upper - lower)
            lower = _number(tier, "up_to") or quantity
    return aside


def tier_of(price: Price, values: list[dict[str, Any]], units: Fraction, volume: Fraction) -> int:
    quantity = units if price["usage_calculation"]["usage_type"] == "unit" else volume
    closed = [index for index, tier in enumerate(values) if "up_to" in tier]
    return next((i for i in closed if quantity <= _number(values[i], "up_to")), len(values) - 1)


def fee(
    price: Price,
    values: list[dict[str, Any]],
    before: tuple[Fraction, Fraction],
    after: tuple[Fraction, Fraction],
    scale: int,
) -> Fraction:
    """P(b) - P(a), each rounded half-even to the ledger scale, within the tier's limits."""
    amount = rounded(total(price, values, *after), scale)
    amount -= rounded(total(price, values, *before), scale)
    reached = values[tier_of(price, values, *after)]
    if "min_amount" in reached:
        amount = max(amount, _number(reached, "min_amount"))
    if "max_amount" in reached:
        amount = min(amount, _number(reached, "max_amount"))
    return amount


def rounded(amount: Fraction, scale: int) -> Fraction:
    return Fraction(round(amount * 10**scale), 10**scale)  # Python rounds a fraction half-even


def period_of(price: Price, moment: datetime) -> datetime | None:
    """Start of the UTC calendar period over which the price counts; None when it does not."""
    period = price.get("tiering", {}).get("period")
    first_month = {
        "monthly": moment.month,
        "quarterly": (moment.month - 1) // 3 * 3 + 1,
        "yearly": 1,
    }
    if period is None:
        return None
    if period == "lifetime":
        return datetime.min.replace(tzinfo=UTC)
    return datetime(moment.year, first_month[period], 1, tzinfo=UTC)


def _number(value: dict[str, Any], name: str) -> Fraction:
    return Fraction(value.get(name, 0))
