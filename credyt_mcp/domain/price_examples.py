"""A price in one sentence with worked figures, for people and models to check what they defined.

The figures come from the code that charges; nothing is computed a second way.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal

from credyt_mcp.domain.assets import plain
from credyt_mcp.domain.compiled_prices import ONE, ZERO, UsagePrice, compile_price
from credyt_mcp.domain.money import Asset, from_units, to_units
from credyt_mcp.domain.price_rules import exact_dimensions
from credyt_mcp.domain.prices import (
    FixedPrice,
    OneTimeBilling,
    PriceValue,
    UsageBasedPrice,
)
from credyt_mcp.domain.pricing import Counts, Unpriced, measure, quote
from credyt_mcp.errors import AmountOutOfRange

ENTRIES_SHOWN = 4
MANY, FEW = Decimal(1000), Decimal(10)
CHEAP = Decimal("0.01")
"""Below this rate a handful of the volume would make an example of mostly zeros."""

PERIODS = {
    "monthly": " in a month",
    "quarterly": " in a quarter",
    "yearly": " in a year",
    "lifetime": " in all",
}


def fixed_example(price: FixedPrice, asset: Asset) -> str:
    """Raises AmountOutOfRange when the fee cannot be charged in `asset`."""
    fee = sum((value.unit_price * value.quantity for value in price.pricing[0].values), ZERO)
    amount = from_units(to_units(fee, asset, "fixed_price"), asset)
    if isinstance(price.billing_model, OneTimeBilling):
        return f"{amount:f} {asset.code} once"
    terms = price.billing_model.recurring
    many = terms.interval_count > 1
    every = f"{terms.interval_count} {terms.interval}s" if many else terms.interval
    return f"{amount:f} {asset.code} every {every}"


def usage_example(price: UsageBasedPrice, asset: Asset) -> str:
    """What some usage costs in `asset`, the first the price lists.

    Raises AmountOutOfRange when the price is too large for any use of it to be charged.
    """
    compiled = compile_price(price, key=0, price_id="", assets={asset.code: asset})
    entries = price.pricing[0].entries()
    parts = []
    for dimensional, values in entries[:ENTRIES_SHOWN]:
        exact = exact_dimensions(dimensional.dimensions) if dimensional else {}
        label = ", ".join(f"{key}={text}" for key, text in exact.items())
        if dimensional and not label:
            label = "otherwise"
        parts.append(f"{label}: " * bool(label) + _entry_example(price, compiled, exact, values))
    left = len(entries) - ENTRIES_SHOWN
    return "; ".join(parts) + (f"; and {left} more" if left > 0 else "")


def _entry_example(
    price: UsageBasedPrice,
    compiled: UsagePrice,
    exact: Mapping[str, str],
    values: tuple[PriceValue, ...],
) -> str:
    said: list[str] = []
    for quantity in _quantities(price, values):
        try:
            fee = _fee(compiled, exact, quantity)
        except AmountOutOfRange:
            if said:
                break
            raise
        if fee is not None:
            cost = "costs" if _is_one_event(price, quantity) else "cost"
            usage = f"{quantity:,f}" if said else _usage(price, quantity)
            said.append(f"{usage} {cost} {fee}")
    return ", ".join(said)


def _quantities(price: UsageBasedPrice, values: tuple[PriceValue, ...]) -> list[Decimal]:
    """Of what the price counts: up to the first bound, and across the last one."""
    size = values[0].package_size
    bounds = [value.up_to for value in values if value.up_to is not None]
    if "package" in (price.pricing_model, price.basis) and size is not None:
        bounds = [bound * size for bound in bounds] or [size]
    if bounds and _counts_events(price):
        bounds = [max(bound.to_integral_value(ROUND_FLOOR), ONE) for bound in bounds]
    if bounds:
        return [plain(bounds[0]), plain(bounds[-1] + 1)]
    if _counts_events(price):
        return [ONE]
    if size is not None:
        return [plain(min(size, MANY))]
    return [MANY if (values[0].volume_rate or ZERO) < CHEAP else FEW]


def _fee(compiled: UsagePrice, exact: Mapping[str, str], quantity: Decimal) -> str | None:
    data: dict[str, object] = dict(exact)
    if compiled.volume_field is not None:
        data[compiled.volume_field] = quantity
    usage = measure(compiled, data)
    if isinstance(usage, Unpriced):
        return None
    if compiled.volume_field is None:
        usage = usage._replace(counts=Counts(quantity, ZERO))
    option = quote(compiled, usage).options[0]
    return f"{from_units(option.amount, option.asset):f} {option.asset.code}"


def _usage(price: UsageBasedPrice, quantity: Decimal) -> str:
    calculation = price.usage_calculation
    period = PERIODS.get(price.period or "", "")
    if calculation.usage_type == "unit":
        events = "event" if quantity == 1 else "events"
        return f"{quantity:,f} {calculation.event_type} {events}{period}"
    volume = f"{quantity:,f} {calculation.volume_field}"
    if calculation.usage_type == "volume":
        return f"{volume}{period}"
    return f"1 {calculation.event_type} event with {volume}{period}"


def _is_one_event(price: UsageBasedPrice, quantity: Decimal) -> bool:
    usage_type = price.usage_calculation.usage_type
    return usage_type == "unit_and_volume" or (usage_type == "unit" and quantity == 1)


def _counts_events(price: UsageBasedPrice) -> bool:
    return price.usage_calculation.usage_type == "unit"
