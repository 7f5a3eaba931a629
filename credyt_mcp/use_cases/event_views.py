"""How a recorded event reads: its fees with the terms they were computed on, and its profit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from credyt_mcp.domain.assets import plain
from credyt_mcp.domain.compiled_prices import UsagePrice
from credyt_mcp.domain.earnings import vendor_costs
from credyt_mcp.domain.money import Asset, from_units
from credyt_mcp.domain.pricing import describe
from credyt_mcp.domain.usage import StoredFee
from credyt_mcp.storage.ledger_tables import EventRow
from credyt_mcp.use_cases.context import (
    Billing,
    Number,
    Result,
)
from credyt_mcp.use_cases.profits import Profitability, added, profitability
from credyt_mcp.use_cases.usage_fields import Data


class FeeFields(Result):
    """One price's part of an event, `amount` in major units of `currency` (an asset code)."""

    price_id: str
    price_name: str
    currency: str
    dimensions: Mapping[str, str] | None = None
    usage_type: str
    volume_field: str | None = None
    input_volume: Number | None = None
    unit_price: Number | None = None
    volume_rate: Number | None = None
    package_size: Number | None = None
    description: str | None = None
    amount: Number


class EventFee(FeeFields):
    """A fee as it was recorded."""

    id: str
    product_id: str
    product_code: str
    product_version: int


class StoredCost(Result):
    """A cost as it was recorded; `counted` false when an earlier event had brought it."""

    id: str
    vendor_id: str
    vendor_external_id: str | None = None
    category: str | None = None
    description: str | None = None
    metadata: Data | None = None
    units: Number | None = None
    unit_price: Number | None = None
    input_volume: Number | None = None
    volume_rate: Number | None = None
    package_size: Number | None = None
    amount: Number
    currency: str
    counted: bool | None = None


def fees_of(billing: Billing, event_id: int | None, stored: Sequence[Any]) -> list[EventFee]:
    """The fees inside an event row, written out. `event_id` is the row's."""
    fees = [StoredFee(*fee) for fee in stored]
    prices = billing.prices.get(fee.price for fee in fees)
    written = []
    for index, fee in enumerate(fees):
        known = prices[fee.price]
        price, terms = known.price, describe(known.price, fee.asset, fee.entry, fee.value)
        asset = _asset(price, fee.asset)
        written.append(
            EventFee(
                id=f"fee_{event_id}_{index}",
                product_id=known.product_id,
                product_code=known.product_code,
                product_version=known.product_version,
                price_id=price.id,
                price_name=price.name,
                currency=fee.asset,
                dimensions=terms.dimensions,
                usage_type=price.usage_type,
                volume_field=price.volume_field,
                input_volume=fee.volume,
                unit_price=_plain(terms.unit_price),
                volume_rate=_plain(terms.volume_rate),
                package_size=_plain(terms.package_size),
                description=terms.description,
                amount=from_units(fee.amount, asset),
            )
        )
    return written


def stats_of(billing: Billing, event: EventRow) -> Profitability | None:
    """What the event earned against what it cost; absent when it did neither."""
    fees = [StoredFee(*fee) for fee in event.fees or []]
    if not fees and not event.costs:
        return None
    earned = [(code, units, 0) for fee in fees for code, units in fee.revenue.items()]
    costs = [(cost.currency, 0, cost.units) for cost in vendor_costs(event.costs) if cost.counted]
    prices = billing.prices.get(fee.price for fee in fees)
    assets = {fee.asset: _asset(prices[fee.price].price, fee.asset) for fee in fees}
    return profitability(added([*earned, *costs]), assets.get)


def _asset(price: UsagePrice, code: str) -> Asset:
    return next(item.asset for item in price.pricing if item.asset.code == code)


def _plain(value: Decimal | None) -> Decimal | None:
    return None if value is None else plain(value)
