"""How a recorded event reads: its fees with the terms they were computed on, and its profit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from credyt_mcp.clock import from_micros
from credyt_mcp.domain.assets import plain
from credyt_mcp.domain.compiled_prices import UsagePrice
from credyt_mcp.domain.fees import StoredFee
from credyt_mcp.domain.margins import vendor_costs
from credyt_mcp.domain.money import Asset, from_units
from credyt_mcp.domain.pricing import describe
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


class ModelCall(Result):
    """What a cost was worked out from: `usage` as it was sent, and in `lines` how much of what at
    which rate (`per` so many). Without a price `reason` says why."""

    provider: str
    model: str
    response_id: str | None = None
    service_tier: str | None = None
    batch: bool | None = None
    attempt: int | None = None
    outcome: str | None = None
    requested_at: datetime | None = None
    usage: dict[str, Any] | None = None
    tier: str | None = None
    priced_as: str | None = None
    priced_by: str | None = None
    lines: list[dict[str, Any]] | None = None
    reason: str | None = None


class CostRule(Result):
    """How a cost that is a matter of choice was attributed: `on` what, by which `rule`. With
    `carries` the call bears its share of what is spread. What is moved to others is moved by the
    `allocation`, whose own costs say for which `day`: `uses` of all (`of`), in a `total`."""

    on: str
    rule: str
    shared_key: str | None = None
    days: int | None = None
    carries: bool | None = None
    allocation: str | None = None
    day: str | None = None
    uses: int | None = None
    of: int | None = None
    total: Number | None = None


class StoredCost(Result):
    """A cost as it was recorded; `counted` false when an earlier event had brought it. `unpriced`
    has no amount; the price that it got later is a cost of its own that `corrects` it."""

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
    amount: Number | None = None
    currency: str
    counted: bool | None = None
    unpriced: bool | None = None
    corrects: str | None = None
    rule: CostRule | None = None
    llm: ModelCall | None = None


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


def stored_cost(cost: Mapping[str, Any], settled: Mapping[str, str]) -> StoredCost:
    """A cost inside an event row, written out; `settled` says by what, by ids of costs."""
    shown = dict(cost)
    if "rule" in cost and cost["id"] in settled:
        shown["rule"] = {**cost["rule"], "allocation": settled[cost["id"]]}
    booked_at = shown.pop("booked_at", None)
    if booked_at is not None and "llm" in shown:
        shown["llm"] = {**shown["llm"], "requested_at": from_micros(booked_at)}
    return StoredCost(**shown)


def stats_of(
    billing: Billing, event: EventRow, late: Sequence[dict[str, Any]] = ()
) -> Profitability | None:
    """What the event earned against what it cost, with prices that came `late`; absent when it did
    neither."""
    fees = [StoredFee(*fee) for fee in event.fees or []]
    if not fees and not event.costs:
        return None
    earned = [(code, units, 0) for fee in fees for code, units in fee.revenue.items()]
    spent = [cost for cost in vendor_costs([*(event.costs or ()), *late]) if cost.counted]
    costs = [(cost.currency, 0, cost.units) for cost in spent]
    open_calls = sum(cost.unpriced for cost in spent)
    prices = billing.prices.get(fee.price for fee in fees)
    assets = {fee.asset: _asset(prices[fee.price].price, fee.asset) for fee in fees}
    return profitability(added([*earned, *costs]), assets.get, open_calls)


def _asset(price: UsagePrice, code: str) -> Asset:
    return next(item.asset for item in price.pricing if item.asset.code == code)


def _plain(value: Decimal | None) -> Decimal | None:
    return None if value is None else plain(value)
