"""What makes a usage price computable: tiers, rates, dimensions. Only refuses, never repairs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from credyt_mcp.domain.prices import PriceValue, UsageBasedAssetPricing, UsageBasedPrice

WILDCARD = "*"


def exact_dimensions(dimensions: Mapping[str, str]) -> dict[str, str]:
    """The dimensions that must match exactly, in key order; a `*` asks for nothing."""
    return {key: dimensions[key] for key in sorted(dimensions) if dimensions[key] != WILDCARD}


def check_assets_once(assets: Iterable[str]) -> None:
    """Raises ValueError when two codes name the same account, which does not look at case."""
    seen: set[str] = set()
    for asset in assets:
        if asset.casefold() in seen:
            raise ValueError(f"asset {asset} is listed twice; list it once")
        seen.add(asset.casefold())


def check_usage_price(price: UsageBasedPrice) -> None:
    """Raises ValueError, saying what to change, when some usage could not be priced by `price`."""
    check_assets_once(entry.asset for entry in price.pricing)
    _check_basis(price)
    for pricing in price.pricing:
        _check_dimensions(price, pricing)
        for dimensional, values in pricing.entries():
            try:
                _check_values(price, values)
            except ValueError as error:
                place = f" for {dimensional.dimensions}" if dimensional else ""
                raise ValueError(f"{pricing.asset} values{place}: {error}") from None
    _check_shared_counter(price)


def _check_basis(price: UsageBasedPrice) -> None:
    usage_type, basis = price.usage_calculation.usage_type, price.basis
    if {usage_type, basis} == {"unit", "volume"}:
        raise ValueError(
            f"tiering.basis {basis} cannot count usage_type {usage_type}; leave it out"
        )
    if basis == "package" and price.pricing_model == "flat":
        raise ValueError("tiering.basis package needs pricing_model tiered, bulk or package")


def _check_dimensions(price: UsageBasedPrice, pricing: UsageBasedAssetPricing) -> None:
    billable = price.usage_calculation.billable_dimensions or ()
    seen: list[dict[str, str]] = []
    for dimensional, _ in pricing.entries():
        if dimensional is None:
            return
        unknown = sorted(set(dimensional.dimensions) - set(billable))
        if unknown or not billable:
            missing = ", ".join(unknown) or "the dimension keys"
            raise ValueError(f"add {missing} to usage_calculation.billable_dimensions")
        exact = exact_dimensions(dimensional.dimensions)
        if exact in seen:
            raise ValueError(
                f"{pricing.asset} has two entries for dimensions {dimensional.dimensions}; keep one"
            )
        seen.append(exact)


def _check_shared_counter(price: UsageBasedPrice) -> None:
    lists = [
        [exact_dimensions(entry.dimensions) if entry else {} for entry, _ in pricing.entries()]
        for pricing in price.pricing
    ]
    if price.period is not None and any(other != lists[0] for other in lists):
        raise ValueError(
            "with tiering.period all assets share one running count: list the same dimensions in "
            "the same order for each asset"
        )


def _check_values(price: UsageBasedPrice, values: tuple[PriceValue, ...]) -> None:
    model = price.pricing_model
    if model in ("tiered", "bulk"):
        _check_tiers(values)
    elif len(values) > 1 or values[0].up_to is not None:
        raise ValueError(
            f"a {model} price has one value without up_to; use pricing_model tiered or bulk for "
            "tiers"
        )
    elif values[0].flat_fee is not None:
        raise ValueError("flat_fee needs pricing_model tiered or bulk")
    for value in values:
        _check_rates(price, value)
    sizes = {value.package_size for value in values}
    if len(sizes) > 1:
        raise ValueError("package_size must be the same in every tier")
    if None in sizes and "package" in (model, price.basis):
        raise ValueError("package_size is required to count packages")
    if price.usage_calculation.usage_type == "unit_and_volume":
        other = "volume_rate" if price.tiers_count_units else "unit_price"
        if len({getattr(value, other) or Decimal(0) for value in values}) > 1:
            raise ValueError(
                f"{other} must be the same in every tier, because the tiers count "
                f"{price.basis}s; use a second price for it"
            )


def _check_tiers(values: tuple[PriceValue, ...]) -> None:
    *closed, last = values
    if last.up_to is not None:
        raise ValueError("the last tier must be open: leave out its up_to")
    previous = Decimal(0)
    for tier in closed:
        if tier.up_to is None:
            raise ValueError("only the last tier may be open: give the tiers before it an up_to")
        if tier.up_to <= previous:
            raise ValueError(
                f"tiers are out of order or overlap: up_to {tier.up_to} follows {previous}; list "
                "them in strictly ascending order"
            )
        previous = tier.up_to


def _check_rates(price: UsageBasedPrice, value: PriceValue) -> None:
    usage_type = price.usage_calculation.usage_type
    rates = {"unit_price": value.unit_price, "volume_rate": value.volume_rate}
    used = {"unit": ["unit_price"], "volume": ["volume_rate"]}.get(usage_type, list(rates))
    if value.flat_fee is None and all(rates[name] is None for name in used):
        raise ValueError(f"usage_type {usage_type} needs {' or '.join(used)}; 0 is allowed")
    for name in rates.keys() - set(used):
        if rates[name]:
            raise ValueError(f"usage_type {usage_type} ignores {name}; use unit_and_volume")
