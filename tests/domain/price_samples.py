"""Sample prices and short ways to charge one event with them. Holds no test."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from credyt_mcp.domain.compiled_prices import UsagePrice, compile_price
from credyt_mcp.domain.money import Asset, from_units
from credyt_mcp.domain.prices import UsageBasedPrice
from credyt_mcp.domain.pricing import NO_COUNTS, Counts, Usage, measure, quote

ASSETS = {"USD": Asset("USD", 9, 2), "CREDIT": Asset("CREDIT", 6, 0)}
MAY = datetime(2026, 5, 17, 12, tzinfo=UTC)
MONTHLY: dict[str, Any] = {"tiering": {"period": "monthly"}}


def compiled(
    values: list[dict[str, Any]],
    usage_type: str = "unit",
    *,
    field: str = "tokens",
    dimensions: tuple[str, ...] = (),
    **more: Any,
) -> UsagePrice:
    calculation: dict[str, Any] = {"event_type": "call", "usage_type": usage_type}
    if usage_type != "unit":
        calculation["volume_field"] = field
    body = {
        "name": "Calls",
        "type": "usage_based",
        "billing_model": {"type": "real_time"},
        "usage_calculation": calculation | {"billable_dimensions": list(dimensions)},
        "pricing": [{"asset": "USD", "values": values}],
    }
    price = UsageBasedPrice.model_validate(body | more)
    return compile_price(price, key=7, price_id="prc_7", assets=ASSETS)


def usage_of(price: UsagePrice, data: Mapping[str, object]) -> Usage:
    usage = measure(price, data)
    assert isinstance(usage, Usage)
    return usage


def fee(price: UsagePrice, data: Mapping[str, object], before: Counts = NO_COUNTS) -> Decimal:
    (option,) = quote(price, usage_of(price, data), before).options
    return from_units(option.amount, option.asset)


def counted(units: Any, volume: Any = 0) -> Counts:
    return Counts(Decimal(units), Decimal(volume))


TIERS: list[dict[str, Any]] = [
    {"up_to": 1000, "volume_rate": "0.01"},
    {"up_to": 10000, "volume_rate": "0.008"},
    {"volume_rate": "0.005"},
]

VIDEO: list[dict[str, Any]] = [
    {"name": "Fast", "dimensions": {"speed": "fast"}, "values": [{"volume_rate": 1}]},
    {"dimensions": {"speed": "regular"}, "values": [{"volume_rate": "0.4", "name": "Regular"}]},
    {"name": "Other", "dimensions": {"speed": "*"}, "values": [{"volume_rate": "0.3"}]},
]
