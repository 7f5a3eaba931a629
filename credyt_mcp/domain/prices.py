"""Prices and entitlements as the wire writes them, checked. Never computes a fee.

What passes here can be compiled and charged without another check; what cannot be priced exactly
is refused with a message that says what to do instead. Fields that only other systems act on
(collection, funding destination, a usage price's billing model) are kept so they can be echoed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from credyt_mcp.domain.fields import (
    Filled,
    PositiveRate,
    Quantity,
    Rate,
    Text,
    Wire,
    dimension_texts,
    no_expression,
    not_bool,
    only,
)
from credyt_mcp.domain.price_rules import check_assets_once, check_usage_price

Basis: TypeAlias = Literal["unit", "volume", "package"]
Period: TypeAlias = Literal["lifetime", "monthly", "quarterly", "yearly"]
UsageType: TypeAlias = Literal["unit", "volume", "unit_and_volume"]
PricingModel: TypeAlias = Literal["flat", "tiered", "bulk", "package"]
Interval: TypeAlias = Literal["day", "week", "month", "year"]


class PriceValue(Wire):
    """One tier (or the only rate) of a price; `flat_fee` is ours, all else is the wire's."""

    name: str | None = None
    up_to: Quantity | None = None
    unit_price: Rate | None = None
    volume_rate: Rate | None = None
    package_size: Quantity | None = None
    min_amount: Rate | None = None
    max_amount: Rate | None = None
    flat_fee: Rate | None = None

    @model_validator(mode="after")
    def _range(self) -> Self:
        low, high = self.min_amount, self.max_amount
        if low is not None and high is not None and low > high:
            raise ValueError("min_amount must not be greater than max_amount")
        return self


class DimensionalPrice(Wire):
    """The values that apply to events whose data equals `dimensions`; `*` equals anything."""

    name: str | None = None
    dimensions: Annotated[dict[str, str], BeforeValidator(dimension_texts)]
    values: Filled[tuple[PriceValue, ...]]


def _value_kind(value: object) -> str:
    keys: Any = value if isinstance(value, Mapping) else getattr(value, "__dict__", {})
    return "dimensional" if "dimensions" in keys or "values" in keys else "plain"


class UsageBasedAssetPricing(Wire):
    asset: Text
    values: Filled[
        tuple[
            Annotated[
                Annotated[PriceValue, Tag("plain")]
                | Annotated[DimensionalPrice, Tag("dimensional")],
                Discriminator(_value_kind),
            ],
            ...,
        ]
    ]

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if len({type(value) for value in self.values}) > 1:
            raise ValueError("values must all have dimensions or none may; give the rest a '*'")
        return self

    def entries(self) -> list[tuple[DimensionalPrice | None, tuple[PriceValue, ...]]]:
        """The dimension entries with their values; a plain price is one entry without any."""
        dimensional = [value for value in self.values if isinstance(value, DimensionalPrice)]
        if dimensional:
            return [(entry, entry.values) for entry in dimensional]
        return [(None, tuple(v for v in self.values if isinstance(v, PriceValue)))]


class FixedPriceValue(Wire):
    name: str | None = None
    unit_price: Rate
    quantity: Annotated[int, BeforeValidator(not_bool), Field(ge=1, lt=10**9)] = 1


class FixedAssetPricing(Wire):
    asset: Text
    values: Filled[tuple[FixedPriceValue, ...]]


class UsageCalculation(Wire):
    event_type: Text
    usage_type: Annotated[UsageType, BeforeValidator(no_expression)]
    unit_aggregation: Annotated[Literal["count"] | None, only("count")] = None
    volume_field: Text | None = None
    volume_aggregation: Annotated[Literal["sum"] | None, only("sum")] = None
    billable_dimensions: tuple[Text, ...] | None = None
    source_reference_field: str | None = None

    @model_validator(mode="after")
    def _volume_field_named(self) -> Self:
        if self.usage_type != "unit" and self.volume_field is None:
            raise ValueError(
                f"volume_field is required for usage_type {self.usage_type}: name the data field "
                "that holds the quantity"
            )
        return self


class Tiering(Wire):
    basis: Annotated[Basis | None, BeforeValidator(no_expression)] = None
    period: Annotated[Period | None, BeforeValidator(no_expression)] = None


class OneTimeTerms(Wire):
    service_period: str | None = None


class OneTimeBilling(Wire):
    type: Literal["one_time"]
    one_time: OneTimeTerms = OneTimeTerms()


class RecurringTerms(Wire):
    interval: Interval
    interval_count: Annotated[int, Field(ge=1, le=1000)] = 1


class RecurringBilling(Wire):
    type: Literal["recurring"]
    recurring: RecurringTerms


class RealTimeBilling(Wire):
    type: Literal["real_time"] = "real_time"


class BalanceCollection(Wire):
    type: Literal["balance"]
    timing: Literal["in_advance", "in_arrears"] | None = None
    address: str | None = None


class InvoiceCollection(Wire):
    type: Literal["invoice"]
    timing: Literal["in_advance", "in_arrears"] | None = None


class FundingDestination(Wire):
    address: Text
    currency: str | None = None
    exchange_rate: PositiveRate | None = None


class _PriceBase(Wire):
    id: str | None = None
    name: Text
    tiering: Tiering | None = None
    collection: (
        Annotated[BalanceCollection | InvoiceCollection, Field(discriminator="type")] | None
    ) = None
    funding_destination: FundingDestination | None = None

    @property
    def account_name(self) -> str:
        """Name of the wallet account it is collected from; an address may be `name:ASSET`."""
        address = self.collection.address if isinstance(self.collection, BalanceCollection) else ""
        return (address or "").partition(":")[0] or "default"


class FixedPrice(_PriceBase):
    type: Literal["fixed"]
    pricing_model: Literal["flat"] | None = None
    billing_model: Annotated[OneTimeBilling | RecurringBilling, Field(discriminator="type")]
    pricing: Filled[tuple[FixedAssetPricing, ...]]

    @model_validator(mode="after")
    def _assets_once(self) -> Self:
        check_assets_once(entry.asset for entry in self.pricing)
        return self


class UsageBasedPrice(_PriceBase):
    type: Literal["usage_based"]
    pricing_model: PricingModel = "flat"
    usage_calculation: UsageCalculation
    billing_model: Annotated[
        OneTimeBilling | RecurringBilling | RealTimeBilling, Field(discriminator="type")
    ] = RealTimeBilling()
    pricing: Filled[tuple[UsageBasedAssetPricing, ...]]

    @model_validator(mode="after")
    def _can_be_priced(self) -> Self:
        check_usage_price(self)
        return self

    @property
    def basis(self) -> Basis:
        """What the tiers count."""
        if self.tiering is not None and self.tiering.basis is not None:
            return self.tiering.basis
        return "unit" if self.usage_calculation.usage_type == "unit" else "volume"

    @property
    def period(self) -> Period | None:
        """How long the running count lasts; None when each event stands alone."""
        return None if self.tiering is None else self.tiering.period

    @property
    def tiers_count_units(self) -> bool:
        """Whether events, not volume, are what the tiers or packages run over."""
        return self.usage_calculation.usage_type == "unit" or self.basis == "unit"


Price: TypeAlias = Annotated[UsageBasedPrice | FixedPrice, Field(discriminator="type")]


class EntitlementRefresh(Wire):
    strategy: Literal["expire_and_replace", "rollover"]


class EntitlementLifecycle(Wire):
    duration: Interval
    duration_count: Annotated[int, Field(ge=1, le=1000)] = 1
    refresh: EntitlementRefresh | None = None


class EntitlementAccounting(Wire):
    revenue_basis: Rate
    cost_basis: Literal["auto"]


class Entitlement(Wire):
    name: Text
    asset: Text
    amount: PositiveRate
    purpose: Literal["bundled", "promotion"]
    lifecycle: EntitlementLifecycle
    accounting: EntitlementAccounting | None = None
    priority: Annotated[int, Field(ge=-(2**31), lt=2**31)] | None = None


def validate_price_names(prices: Iterable[UsageBasedPrice | FixedPrice]) -> None:
    """Raises ValueError when two prices share a name: running counts belong to the name."""
    for name, times in Counter(price.name for price in prices).items():
        if times > 1:
            raise ValueError(f"price name {name!r} is used {times} times; give each its own name")


def validate_entitlement_names(items: Iterable[Entitlement]) -> None:
    """Raises ValueError when two entitlements share name and asset: by these a new version goes on
    where the last one stopped."""
    for (name, asset), times in Counter((item.name, item.asset) for item in items).items():
        if times > 1:
            raise ValueError(f"{name!r} in {asset} is granted {times} times; name each differently")
