"""The flat arguments of define_price, and the price they mean. Every refusal names an argument."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from credyt_mcp.domain.fields import Filled, Quantity, Rate, Text, dimension_texts
from credyt_mcp.domain.price_rules import WILDCARD
from credyt_mcp.domain.prices import FixedPrice, Interval, Period, UsageBasedPrice
from credyt_mcp.errors import InvalidRequest
from credyt_mcp.use_cases.context import Command
from credyt_mcp.use_cases.product_fields import OBJECTS, ProductRef

_FEE_NAMES = {"day": "Daily", "week": "Weekly", "month": "Monthly", "year": "Yearly"}
_NAME_MAX = 255


class RateFor(Command):
    model_config = ConfigDict(frozen=True, extra="forbid")

    dimensions: Annotated[Filled[dict[str, str]], BeforeValidator(dimension_texts)]
    unit_price: Rate | None = None
    volume_rate: Rate | None = None
    name: Text | None = None


class PriceTier(Command):
    model_config = ConfigDict(frozen=True, extra="forbid")

    up_to: Quantity | None = None
    unit_price: Rate | None = None
    volume_rate: Rate | None = None
    flat_fee: Rate | None = None


class DefinePrice(Command):
    """Set one price of a product; call once per price. Adds it, or replaces the one of that name.
    A draft is edited; a published product gets a next version with its other prices carried over.
    It is published as default; existing subscribers keep their version. 10 credits per image:
    event_type image_generated, asset credits, unit_price 10. $1.25 per million input tokens:
    volume_field input_tokens, volume_rate 1.25, package_size 1000000. Twice that for model x: also
    rates [{"dimensions":{"model":"x"},"volume_rate":2.5}]."""

    product_id: ProductRef
    name: Annotated[Text | None, Field(description="default: from event_type and volume_field")] = (
        None
    )
    event_type: Annotated[Text | None, Field(description="which events are charged")] = None
    asset: Annotated[str, Field(description="currency or credits charged")] = "USD"
    unit_price: Annotated[Rate | None, Field(description="per event")] = None
    volume_rate: Annotated[Rate | None, Field(description="per package_size of volume_field")] = (
        None
    )
    volume_field: Annotated[Text | None, Field(description="data field with the quantity")] = None
    package_size: Annotated[Quantity | None, Field(description="default 1")] = None
    rates: Annotated[
        list[RateFor],
        WithJsonSchema(OBJECTS),
        Field(max_length=200, description="by data values; the plain rate is for the rest"),
    ] = Field(default_factory=list)
    tiers: Annotated[
        list[PriceTier],
        WithJsonSchema(OBJECTS),
        Field(
            max_length=100,
            description='[{"up_to":1000,"unit_price":0.01},{"unit_price":0.008}], or volume_rate; '
            "also flat_fee. up_to is inclusive",
        ),
    ] = Field(default_factory=list)
    pricing_model: Annotated[
        Literal["tiered", "bulk", "package"] | None,
        Field(
            description="tiered: each part at its tier; bulk: all at the tier reached; "
            "package: whole packages"
        ),
    ] = None
    period: Annotated[Period | None, Field(description="over which tiers and packages count")] = (
        None
    )
    min_amount: Annotated[Rate | None, Field(description="per event")] = None
    max_amount: Rate | None = None
    fixed_price: Annotated[
        Rate | None, Field(description="a fee without usage; one-time without interval")
    ] = None
    interval: Interval | None = None
    publish: bool = True

    @property
    def values(self) -> list[DefinePrice | RateFor | PriceTier]:
        """Everything that states a rate."""
        plain = self.unit_price is not None or self.volume_rate is not None
        return [*([self] if plain else []), *self.rates, *self.tiers]

    @property
    def derived_name(self) -> str:
        if self.fixed_price is not None:
            return f"{_FEE_NAMES[self.interval] if self.interval else 'One-time'} fee"
        return " ".join(filter(None, [self.event_type, self.volume_field]))[:_NAME_MAX]


_USAGE_ARGUMENTS = (
    "event_type",
    "unit_price",
    "volume_rate",
    "volume_field",
    "package_size",
    "rates",
    "tiers",
    "pricing_model",
    "period",
    "min_amount",
    "max_amount",
)


def check(command: DefinePrice) -> None:
    """Raises InvalidRequest for arguments that do not go together."""
    if command.fixed_price is not None:
        for argument in _USAGE_ARGUMENTS:
            if getattr(command, argument) not in (None, []):
                raise InvalidRequest(
                    argument, "does not go with fixed_price; define usage in a call of its own"
                )
        return
    if command.interval is not None:
        raise InvalidRequest("interval", "goes with fixed_price; tiers count over a period")
    if command.event_type is None:
        raise InvalidRequest("event_type", "is required, or fixed_price for a fee without usage")
    _check_rates(command)
    _check_volume(command)
    _check_counting(command)
    if (
        command.min_amount is not None
        and command.max_amount is not None
        and command.min_amount > command.max_amount
    ):
        raise InvalidRequest("min_amount", "must not be greater than max_amount")


def build(command: DefinePrice, name: str, asset: str) -> UsageBasedPrice | FixedPrice:
    """The price that checked arguments mean. Raises InvalidRequest where it cannot be computed."""
    if command.fixed_price is not None:
        return FixedPrice.model_validate(_fixed(command, name, asset))
    try:
        return UsageBasedPrice.model_validate(_usage_based(command, name, asset))
    except ValidationError as error:
        place = "tiers" if command.tiers else "rates" if command.rates else "pricing_model"
        said = [entry["msg"].removeprefix("Value error, ") for entry in error.errors()]
        raise InvalidRequest({place: said}) from None


def _check_rates(command: DefinePrice) -> None:
    if not command.values:
        raise InvalidRequest(
            "unit_price", "give unit_price (per event), volume_rate, rates, tiers or fixed_price"
        )
    for index, rate in enumerate(command.rates):
        if rate.unit_price is None and rate.volume_rate is None:
            raise InvalidRequest(f"rates[{index}]", "needs unit_price or volume_rate")
    if command.tiers:
        if command.rates:
            raise InvalidRequest(
                "rates", "do not go with tiers here; create_product_version takes both"
            )
        for argument in ("unit_price", "volume_rate"):
            if getattr(command, argument) is not None:
                raise InvalidRequest(argument, "goes inside each of the tiers")


def _check_volume(command: DefinePrice) -> None:
    by_volume = any(value.volume_rate is not None for value in command.values)
    by_unit = any(value.unit_price is not None for value in command.values)
    if by_volume and command.volume_field is None:
        raise InvalidRequest(
            "volume_field", "is required with volume_rate: the data field with the quantity"
        )
    if command.volume_field is not None and by_unit and not by_volume:
        raise InvalidRequest(
            "volume_field", "goes with volume_rate; unit_price is the price of a whole event"
        )


def _check_counting(command: DefinePrice) -> None:
    packages = command.pricing_model == "package"
    if packages and command.tiers:
        raise InvalidRequest("tiers", "do not go with pricing_model package")
    if packages and command.package_size is None:
        raise InvalidRequest("package_size", "is required with pricing_model package")
    if command.pricing_model in ("tiered", "bulk") and not command.tiers:
        raise InvalidRequest("tiers", f"are required with pricing_model {command.pricing_model}")
    counting = packages or bool(command.tiers)
    if command.period is not None and not counting:
        raise InvalidRequest("period", "goes with tiers or pricing_model package")
    if counting and command.volume_field is None and command.period is None:
        raise InvalidRequest(
            "period", "is required to count events: without it each event is a count of 1"
        )


def _fixed(command: DefinePrice, name: str, asset: str) -> dict[str, Any]:
    billing: dict[str, Any] = {"type": "one_time"}
    if command.interval is not None:
        billing = {"type": "recurring", "recurring": {"interval": command.interval}}
    return {
        "name": name,
        "type": "fixed",
        "billing_model": billing,
        "pricing": [{"asset": asset, "values": [{"unit_price": command.fixed_price}]}],
    }


def _usage_based(command: DefinePrice, name: str, asset: str) -> dict[str, Any]:
    by_volume = command.volume_field is not None
    by_unit = any(value.unit_price is not None for value in command.values)
    calculation: dict[str, Any] = {
        "event_type": command.event_type,
        "usage_type": "unit_and_volume" if by_volume and by_unit else "unit",
    }
    if by_volume:
        calculation["volume_field"] = command.volume_field
        calculation["usage_type"] = "unit_and_volume" if by_unit else "volume"
    if command.rates:
        calculation["billable_dimensions"] = _keys(command)
    return {
        "name": name,
        "type": "usage_based",
        "pricing_model": command.pricing_model or ("tiered" if command.tiers else "flat"),
        "tiering": {"period": command.period} if command.period else None,
        "usage_calculation": calculation,
        "pricing": [{"asset": asset, "values": _values(command)}],
    }


def _values(command: DefinePrice) -> list[dict[str, Any]]:
    shared = command.model_dump(include={"package_size", "min_amount", "max_amount"})
    if command.tiers:
        return [{**tier.model_dump(), **shared} for tier in command.tiers]
    plain = {**command.model_dump(include={"unit_price", "volume_rate"}), **shared}
    if not command.rates:
        return [plain]
    entries = [
        {
            "name": rate.name,
            "dimensions": rate.dimensions,
            "values": [{**rate.model_dump(include={"unit_price", "volume_rate"}), **shared}],
        }
        for rate in command.rates
    ]
    if command.unit_price is not None or command.volume_rate is not None:
        rest = dict.fromkeys(_keys(command), WILDCARD)
        entries.append({"dimensions": rest, "values": [plain]})
    return entries


def _keys(command: DefinePrice) -> list[str]:
    return list(dict.fromkeys(key for rate in command.rates for key in rate.dimensions))
