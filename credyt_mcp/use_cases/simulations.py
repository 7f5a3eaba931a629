"""Simulated usage: what events would cost under a product version. Nothing is billed or kept."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from credyt_mcp.clock import to_micros
from credyt_mcp.domain.assets import plain
from credyt_mcp.domain.compiled_prices import UsagePrice
from credyt_mcp.domain.fees import no_price_warning
from credyt_mcp.domain.metering import matching
from credyt_mcp.domain.money import from_units
from credyt_mcp.domain.pricing import (
    NO_COUNTS,
    CounterKey,
    Counts,
    Unpriced,
    counter_key,
    describe,
    measure,
    quote,
)
from credyt_mcp.errors import InvalidRequest, TooMany
from credyt_mcp.storage import assets, products
from credyt_mcp.storage.rate_cards import compile_usage_prices
from credyt_mcp.use_cases.context import (
    Billing,
    Command,
    Number,
    Result,
    ShortText,
)
from credyt_mcp.use_cases.event_views import FeeFields
from credyt_mcp.use_cases.llm_costs import call_costs
from credyt_mcp.use_cases.product_fields import ProductRef, VersionRef
from credyt_mcp.use_cases.products import known_product, known_version
from credyt_mcp.use_cases.usage_fields import EventType, LlmUsage, OccurredAt

EVENTS_MAX = 1000
EVENTS_SHOWN_PER_WARNING = 3


class SimulatedEvent(Command):
    id: Annotated[ShortText, Field(description="any id; fees refer to it as usage_id")]
    event_type: EventType
    occurred_at: OccurredAt = None
    data: Annotated[
        dict[str, Any] | None,
        WithJsonSchema(
            {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
        ),
        Field(description='what prices read, such as {"total_tokens": 1200, "model": "x"}'),
    ] = None
    llm_usage: Annotated[
        LlmUsage | Annotated[list[LlmUsage], Field(max_length=100)] | None,
        WithJsonSchema({"type": ["object", "array"]}),
        Field(description="as in record_event; answers costs"),
    ] = None


class SimulationFields(Command):
    events: Annotated[
        list[SimulatedEvent],
        Field(
            description='in order: [{"id":"1","event_type","data"}], also occurred_at, and '
            "llm_usage to see its cost, as in record_event"
        ),
    ]


class SimulateUsage(SimulationFields):
    """What events would cost under a product version, drafts included, to check prices before
    billing. Nothing is stored. Counts of tiers start at 0; with several assets the first listed
    is charged. An event without a fee is in `warnings`."""

    product_id: ProductRef
    version: VersionRef = "default"


class CalculatedFee(FeeFields):
    """A fee as it would be; `usage_id` is the event's id."""

    usage_id: str
    event_type: str


class CalculatedCost(Result):
    """What a model call would cost; without an amount `reason` says why."""

    usage_id: str
    provider: str
    model: str
    amount: Number | None = None
    currency: str
    reason: str | None = None


class Simulation(Result):
    fees: list[CalculatedFee]
    costs: list[CalculatedCost] | None = None
    warnings: list[str]


def simulate_usage(billing: Billing, command: SimulateUsage) -> Simulation:
    """Raises InvalidRequest, naming the event and field, for a volume that is no number >= 0."""
    if len(command.events) > EVENTS_MAX:
        raise TooMany("events", f"must be at most {EVENTS_MAX} events")
    prices = _usage_prices(billing, command)
    now = billing.now()
    counts: dict[CounterKey, Counts] = {}
    fees: list[CalculatedFee] = []
    unpaid: dict[str, list[str]] = {}
    for index, event in enumerate(command.events):
        try:
            own, warnings = _price_event(prices, event, event.occurred_at or now, counts)
        except InvalidRequest as error:
            raise error.renamed(f"events[{index}].") from None
        fees += own
        for warning in warnings:
            unpaid.setdefault(warning, []).append(event.id)
    warnings = [_warning(*item) for item in unpaid.items()]
    return Simulation(fees=fees, costs=_costs(billing, command), warnings=warnings)


def _costs(billing: Billing, command: SimulationFields) -> list[CalculatedCost] | None:
    if not any(event.llm_usage for event in command.events):
        return None
    with billing.database.read() as session:
        priced = call_costs(session, billing, command.events)
    return [
        CalculatedCost(
            usage_id=event.id,
            provider=cost["llm"]["provider"],
            model=cost["llm"]["model"],
            amount=cost.get("amount"),
            currency=cost["currency"],
            reason=cost["llm"].get("reason"),
        )
        for event, costs in zip(command.events, priced, strict=True)
        for cost in costs
    ]


def _usage_prices(billing: Billing, command: SimulateUsage) -> list[UsagePrice]:
    with billing.database.read() as session:
        product = known_product(session, billing, command.product_id)
        version = known_version(session, product, command.version)
        rows = [row.model_dump() for row in products.prices(session, version)]
        return list(
            compile_usage_prices(
                rows, lambda tenant_id, code: assets.find(session, tenant_id, code)
            )
        )


def _price_event(
    prices: list[UsagePrice],
    event: SimulatedEvent,
    occurred_at: datetime,
    counts: dict[CounterKey, Counts],
) -> tuple[list[CalculatedFee], list[str]]:
    """Its fees, and what made none; adds to the running `counts`."""
    fees: list[CalculatedFee] = []
    warnings: list[str] = []
    for price in matching(prices, event.event_type):
        usage = measure(price, event.data or {})
        if isinstance(usage, Unpriced):
            warnings.append(f"Event type '{event.event_type}': {usage.warning}")
            continue
        counter = counter_key(price, usage, to_micros(occurred_at))
        if counter is None:
            quoted = quote(price, usage)
        else:
            quoted = quote(price, usage, counts.get(counter, NO_COUNTS))
            if quoted.after is not None:
                counts[counter] = quoted.after
        option = quoted.options[0]
        terms = describe(price, option.asset.code, option.entry, option.value)
        fees.append(
            CalculatedFee(
                price_id=price.id,
                price_name=price.name,
                currency=option.asset.code,
                usage_id=event.id,
                event_type=event.event_type,
                dimensions=terms.dimensions,
                usage_type=price.usage_type,
                volume_field=price.volume_field,
                input_volume=_plain(usage.input_volume),
                unit_price=_plain(terms.unit_price),
                volume_rate=_plain(terms.volume_rate),
                package_size=_plain(terms.package_size),
                description=terms.description,
                amount=from_units(option.amount, option.asset),
            )
        )
    if not fees and not warnings:
        warnings.append(no_price_warning(event.event_type, (p.event_type for p in prices)))
    return fees, warnings


def _warning(text: str, event_ids: list[str]) -> str:
    shown = ", ".join(event_ids[:EVENTS_SHOWN_PER_WARNING])
    more = len(event_ids) - EVENTS_SHOWN_PER_WARNING
    return f"{text} (event {shown}{f' and {more} more' if more > 0 else ''})"


def _plain(value: Decimal | None) -> Decimal | None:
    return None if value is None else plain(value)
