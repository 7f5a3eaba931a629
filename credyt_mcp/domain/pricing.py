"""One cumulative function turns usage into fees. Pure and exact: never a float, never a clock.

A compiled price answers three questions per event, in this order: `measure` (which entry, how
much), `counter_key` (which running count, if any), `quote` (the fee in each listed asset). The fee
of an event that takes the count from a to b is round(P(b)) - round(P(a)), so the fees of a period
add up to round(P(total)) however the usage was split into events.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal, localcontext
from typing import NamedTuple

from credyt_mcp.domain.compiled_prices import (
    ONE,
    ZERO,
    AssetTables,
    RateTable,
    Tier,
    UsagePrice,
    whole_units,
)
from credyt_mcp.domain.fields import (
    QUANTITY_DECIMALS,
    QUANTITY_LIMIT,
    dimension_text,
    has_more_decimals,
)
from credyt_mcp.domain.money import EXACT, Asset, within_range
from credyt_mcp.domain.periods import period_start_micros
from credyt_mcp.errors import InvalidRequest


class Counts(NamedTuple):
    """A quantity of usage: of one event, or the running total of a period."""

    units: Decimal
    volume: Decimal


NO_COUNTS = Counts(ZERO, ZERO)


class Usage(NamedTuple):
    """What one event means to one price; `entries` runs parallel to the price's assets."""

    counts: Counts
    input_volume: Decimal | None
    entries: tuple[int | None, ...]


class Unpriced(NamedTuple):
    """The event makes no fee by this price; `warning` says why and what to do."""

    warning: str


class CounterKey(NamedTuple):
    """Names a running count within a customer and product, whatever the version. The period's start
    is in microseconds since 1970."""

    price_name: str
    dimensions: str
    period_start: int


class FeeOption(NamedTuple):
    """The fee if charged in `asset`: signed ledger units, and where in the price it came from."""

    asset: Asset
    amount: int
    entry: int
    value: int


class Quote(NamedTuple):
    """Fees in the order the price lists its assets; `after` is None without a running count."""

    options: tuple[FeeOption, ...]
    after: Counts | None


class FeeTerms(NamedTuple):
    """The terms a fee was computed on, as the price states them."""

    dimensions: Mapping[str, str] | None
    unit_price: Decimal | None
    volume_rate: Decimal | None
    package_size: Decimal | None
    description: str | None


def measure(price: UsagePrice, data: Mapping[str, object]) -> Usage | Unpriced:
    """How much of what the event's `data` reports. Raises InvalidRequest for an unusable volume."""
    volume: Decimal | None = None
    if price.volume_field is not None:
        if price.volume_field not in data:
            return Unpriced(
                f"Price {price.name!r} makes no fee because the event's data has no field "
                f"{price.volume_field!r}; send it as a number."
            )
        volume = _volume(price.volume_field, data[price.volume_field])
    texts = {key: dimension_text(data.get(key)) for key in price.dimension_keys}
    entries = tuple(_find_entry(tables, texts) for tables in price.pricing)
    if entries.count(None) == len(entries):
        seen = ", ".join(
            f"{key}={text!r:.60}" if text is not None else f"no {key}"
            for key, text in texts.items()
        )
        return Unpriced(
            f"Price {price.name!r} makes no fee because none of its entries is for {seen}; add "
            "that entry, or one with '*', in a new product version."
        )
    return Usage(Counts(ONE, ZERO if volume is None else volume), volume, entries)


def counter_key(price: UsagePrice, usage: Usage, occurred_at: int) -> CounterKey | None:
    """The running count this usage adds to; None when each event stands alone."""
    entry = usage.entries[0]
    if price.period is None or entry is None:
        return None
    counter = price.pricing[0].entries[entry].counter
    return CounterKey(price.name, counter, period_start_micros(price.period, occurred_at))


def quote(price: UsagePrice, usage: Usage, before: Counts = NO_COUNTS) -> Quote:
    """The fee of `usage` in each asset, given the running count `before` it (if there is one).

    Raises AmountOutOfRange when a fee does not fit its asset.
    """
    counting = price.period is not None
    field = "amount" if price.volume_field is None else f"data.{price.volume_field}"
    options = []
    with localcontext(EXACT):
        after = _add(before, usage.counts) if counting else usage.counts
        for tables, entry in zip(price.pricing, usage.entries, strict=True):
            if entry is None:
                continue
            table = tables.entries[entry]
            total, reached = _total(table, after)
            amount = whole_units(total, tables.asset)
            if counting:
                amount -= whole_units(_total(table, before)[0], tables.asset)
            amount = within_range(_clamp(amount, table.tiers[reached]), tables.asset, field)
            options.append(FeeOption(tables.asset, amount, entry, reached))
    return Quote(tuple(options), after if counting else None)


def cumulative(table: RateTable, counts: Counts) -> Decimal:
    """P: what `counts` costs in all when it starts from nothing, before rounding and clamps."""
    with localcontext(EXACT):
        return _total(table, counts)[0]


def describe(price: UsagePrice, asset: str, entry: int, value: int) -> FeeTerms:
    """The terms of a fee, from where it came from. Raises KeyError if the price lacks `asset`."""
    for tables in price.pricing:
        if tables.asset.code == asset:
            table = tables.entries[entry]
            terms = table.tiers[value].value
            return FeeTerms(
                table.dimensions,
                terms.unit_price,
                terms.volume_rate,
                terms.package_size,
                terms.name or table.name,
            )
    raise KeyError(asset)


def _total(table: RateTable, counts: Counts) -> tuple[Decimal, int]:
    """P, and the index of the value reached (`up_to` is inclusive). In the context EXACT."""
    quantity = counts.units if table.counts_units else counts.volume
    if table.package is not None:
        quantity = (quantity / table.package).to_integral_value(ROUND_CEILING)
    total = table.other_rate * (counts.volume if table.counts_units else counts.units)
    reached = bisect_left(table.bounds, quantity)
    if quantity:
        tier = table.tiers[reached]
        total += tier.base + tier.rate * (quantity - tier.lower)
    return total if table.divisor == ONE else total / table.divisor, reached


def _clamp(amount: int, tier: Tier) -> int:
    if tier.min_units is not None and amount < tier.min_units:
        return tier.min_units
    if tier.max_units is not None and amount > tier.max_units:
        return tier.max_units
    return amount


def _add(one: Counts, other: Counts) -> Counts:
    return Counts(one.units + other.units, one.volume + other.volume)


def _volume(field: str, value: object) -> Decimal:
    if isinstance(value, float):
        value = Decimal(str(value))
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise InvalidRequest(f"data.{field}", "must be a number")
    volume = Decimal(value)
    if not volume.is_finite():
        raise InvalidRequest(f"data.{field}", "must be a finite number")
    if volume < 0:
        raise InvalidRequest(f"data.{field}", "must not be negative")
    if volume >= QUANTITY_LIMIT:
        raise InvalidRequest(f"data.{field}", "must be less than 1000000000000000")
    if isinstance(value, Decimal) and has_more_decimals(volume, QUANTITY_DECIMALS):
        raise InvalidRequest(f"data.{field}", f"must have at most {QUANTITY_DECIMALS} decimals")
    return volume.copy_abs()  # turns -0 into 0


def _find_entry(tables: AssetTables, texts: Mapping[str, str | None]) -> int | None:
    found: int | None = None
    matched = 0
    for keys, entries in tables.lookup:
        if found is not None and len(keys) < matched:
            break
        entry = entries.get(tuple(map(texts.get, keys)))
        if entry is not None and (found is None or entry < found):
            found, matched = entry, len(keys)
    return found
