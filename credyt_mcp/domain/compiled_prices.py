"""Usage prices compiled into rate tables, once per version and kept. Never sees an event.

Everything that does not depend on the event (tier sums, clamps in units, dimension lookup) is
worked out here, so that pricing an event is a lookup and a few exact operations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal, localcontext
from typing import NamedTuple

from credyt_mcp.domain.money import EXACT, Asset
from credyt_mcp.domain.price_rules import exact_dimensions
from credyt_mcp.domain.prices import (
    DimensionalPrice,
    Period,
    PriceValue,
    UsageBasedAssetPricing,
    UsageBasedPrice,
    UsageType,
)

ZERO, ONE = Decimal(0), Decimal(1)


class Tier(NamedTuple):
    """P is base + rate * (quantity - lower) while this tier is the one reached."""

    lower: Decimal
    rate: Decimal
    base: Decimal
    min_units: int | None
    max_units: int | None
    value: PriceValue


class RateTable(NamedTuple):
    """The values of one entry, for one asset, ready to compute with.

    All rates are multiplied by `divisor` beforehand, so that P takes a single division: sums of
    rounded quotients could miss a tie that the true sum hits.
    """

    dimensions: Mapping[str, str] | None
    counter: str
    name: str | None
    counts_units: bool
    package: Decimal | None
    bounds: tuple[Decimal, ...]
    tiers: tuple[Tier, ...]
    other_rate: Decimal
    divisor: Decimal


class AssetTables(NamedTuple):
    """One asset's entries. `lookup` finds an entry by its exact dimensions, most of them first."""

    asset: Asset
    entries: tuple[RateTable, ...]
    lookup: tuple[tuple[tuple[str, ...], Mapping[tuple[str | None, ...], int]], ...]


class UsagePrice(NamedTuple):
    """A usage price compiled once and kept; immutable. `account_name` is the wallet account it
    is collected from, `default` unless the price says otherwise."""

    key: int
    id: str
    name: str
    event_type: str
    account_name: str
    usage_type: UsageType
    volume_field: str | None
    period: Period | None
    dimension_keys: tuple[str, ...]
    pricing: tuple[AssetTables, ...]


def compile_price(
    price: UsageBasedPrice, *, key: int, price_id: str, assets: Mapping[str, Asset]
) -> UsagePrice:
    """`price` ready for many events; `assets` holds every asset it lists, by code."""
    calculation = price.usage_calculation
    pricing = tuple(_compile_asset(price, item, assets[item.asset]) for item in price.pricing)
    keys = {key for tables in pricing for names, _ in tables.lookup for key in names}
    return UsagePrice(
        key=key,
        id=price_id,
        name=price.name,
        event_type=calculation.event_type,
        account_name=price.account_name,
        usage_type=calculation.usage_type,
        volume_field=None if calculation.usage_type == "unit" else calculation.volume_field,
        period=price.period,
        dimension_keys=tuple(sorted(keys)),
        pricing=pricing,
    )


def whole_units(amount: Decimal, asset: Asset) -> int:
    """Rounded once; unlike money.round_units a running total need not fit 64 bits, only a fee."""
    return int(amount.scaleb(asset.scale, EXACT).to_integral_value(context=EXACT))


def _compile_asset(
    price: UsageBasedPrice, pricing: UsageBasedAssetPricing, asset: Asset
) -> AssetTables:
    entries: list[RateTable] = []
    by_keys: dict[tuple[str, ...], dict[tuple[str | None, ...], int]] = {}
    for index, (dimensional, values) in enumerate(pricing.entries()):
        exact = exact_dimensions(dimensional.dimensions) if dimensional else {}
        by_keys.setdefault(tuple(exact), {})[tuple(exact.values())] = index
        entries.append(_compile_entry(price, dimensional, values, asset))
    lookup = sorted(by_keys.items(), key=lambda item: -len(item[0]))
    return AssetTables(asset, tuple(entries), tuple(lookup))


def _compile_entry(
    price: UsageBasedPrice,
    dimensional: DimensionalPrice | None,
    values: tuple[PriceValue, ...],
    asset: Asset,
) -> RateTable:
    by_units = price.tiers_count_units
    both = price.usage_calculation.usage_type == "unit_and_volume"
    package_size = values[0].package_size
    packaged = "package" in (price.pricing_model, price.basis)
    divisor = ONE if packaged or package_size is None else package_size
    # package_size belongs to the volume where there is one, so beside it units stay undivided
    divides_other = both and by_units
    other = (values[0].volume_rate if by_units else values[0].unit_price) if both else None
    exact = exact_dimensions(dimensional.dimensions) if dimensional else {}
    with localcontext(EXACT):
        return RateTable(
            dimensions=dimensional.dimensions if dimensional else None,
            counter=json.dumps(exact, separators=(",", ":"), ensure_ascii=False) if exact else "",
            name=dimensional.name if dimensional else None,
            counts_units=by_units,
            package=package_size if packaged else None,
            bounds=tuple(value.up_to for value in values if value.up_to is not None),
            tiers=_compile_tiers(price, values, asset, divisor, divides_other),
            other_rate=(other or ZERO) * (ONE if divides_other else divisor),
            divisor=divisor,
        )


def _compile_tiers(
    price: UsageBasedPrice,
    values: tuple[PriceValue, ...],
    asset: Asset,
    divisor: Decimal,
    divides_other: bool,
) -> tuple[Tier, ...]:
    graduated = price.pricing_model == "tiered"
    tiers: list[Tier] = []
    lower = below = ZERO
    for value in values:
        rate = (value.unit_price if price.tiers_count_units else value.volume_rate) or ZERO
        rate *= divisor if divides_other else ONE
        base = below + (value.flat_fee or ZERO) * divisor
        low, high = value.min_amount, value.max_amount
        tiers.append(
            Tier(
                lower,
                rate,
                base,
                None if low is None else whole_units(low, asset),
                None if high is None else whole_units(high, asset),
                value,
            )
        )
        if graduated and value.up_to is not None:
            below = base + rate * (value.up_to - lower)
            lower = value.up_to
    return tuple(tiers)
