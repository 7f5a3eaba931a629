"""Profitability of customers and what vendors cost, from rollups: live, and cheap at any size."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field
from sqlmodel import Session

from credyt_mcp.domain.assets import currency
from credyt_mcp.domain.costs import main_currency
from credyt_mcp.domain.money import from_units
from credyt_mcp.errors import InvalidRequest, NotFound
from credyt_mcp.storage import assets, customers, vendors
from credyt_mcp.storage import profitability as sums_of
from credyt_mcp.storage.customers import CustomerFilter
from credyt_mcp.storage.profitability import EVER, ByCurrency, Days
from credyt_mcp.use_cases.context import Billing, Command, Number, PageOf, Result
from credyt_mcp.use_cases.profits import Profitability, profitability
from credyt_mcp.use_cases.subscriptions import CustomerId, customer_of

PeriodFrom = Annotated[date | None, Field(description="first UTC day")]
PeriodTo = Annotated[date | None, Field(description="last UTC day, included")]


class PeriodFields(Command):
    period_from: PeriodFrom = None
    period_to: PeriodTo = None


class GetCustomerStats(PeriodFields):
    """What a customer brought in and cost, ever or over a period."""

    customer_id: CustomerId


class ListCustomerStats(PageOf):
    """Profitability of every customer over a period: by default up to today, and from the first
    day of the month in which it ends."""

    period_from: PeriodFrom = None
    period_to: PeriodTo = None


class VendorStatsFields(PeriodFields):
    category: Annotated[str | None, Field(max_length=255)] = None


class GetVendorStats(VendorStatsFields):
    """What a vendor cost by category, ever or over a period."""

    vendor_id: Annotated[str, Field(description="vendor id, or your external id")]


class CustomerStatsItem(Result):
    id: str
    external_id: str | None = None
    name: str
    stats: Profitability


class CustomerStatsPage(Result):
    summary: Profitability
    period_from: date
    period_to: date
    items: list[CustomerStatsItem]
    total_count: int
    limit: int
    offset: int


class CategoryCost(Result):
    category: str
    cost: Number


class CurrencyCosts(Result):
    currency: str
    total_costs: Number
    repeated_costs: Annotated[
        Number | None, Field(description="left out, since their ids had come before")
    ] = None
    categories: list[CategoryCost]


class VendorStats(CurrencyCosts):
    """In USD, unless all costs are in one other currency."""

    other_currencies: list[CurrencyCosts] | None = None
    unpriced_calls: Annotated[
        dict[str, int] | None, Field(description="by model: calls whose cost is not in here")
    ] = None


def get_customer_stats(billing: Billing, command: GetCustomerStats) -> Profitability:
    days = _days(command.period_from, command.period_to)
    with billing.database.read() as session:
        row = customer_of(session, billing, command.customer_id)
        found = sums_of.of_customers(session, row.tenant_id, [row.id], days)
        return profitability_of(session, billing, found.get(row.id, {}))


def list_customer_stats(billing: Billing, command: ListCustomerStats) -> CustomerStatsPage:
    """All customers, newest first, also those that did nothing; the summary is of all, whatever
    the page."""
    last = command.period_to or billing.now().date()
    days = _checked(Days(command.period_from or last.replace(day=1), last))
    tenant_id = billing.tenant.id
    with billing.database.read() as session:
        total = sums_of.of_all(session, tenant_id, days)
        rows, count = customers.page(
            session, tenant_id, CustomerFilter(), command.offset, command.limit
        )
        found = sums_of.of_customers(session, tenant_id, [row.id for row in rows], days)
        items = [
            CustomerStatsItem(
                id=row.public_id,
                external_id=row.external_id,
                name=row.name,
                stats=profitability_of(session, billing, found.get(row.id, {})),
            )
            for row in rows
        ]
        summary = profitability_of(session, billing, total)
    return CustomerStatsPage(
        summary=summary,
        period_from=days.first,
        period_to=days.last,
        items=items,
        total_count=count,
        limit=command.limit,
        offset=command.offset,
    )


def get_vendor_stats(billing: Billing, command: GetVendorStats) -> VendorStats:
    days = _days(command.period_from, command.period_to)
    tenant_id, category = billing.tenant.id, command.category
    with billing.database.read() as session:
        vendor = vendors.find(session, tenant_id, command.vendor_id)
        if vendor is None:
            raise NotFound(f"there is no vendor '{command.vendor_id}'")
        found = sums_of.of_vendor(session, tenant_id, vendor.public_id, days, category)
    counted = _costs(found, "costs")
    repeated = _costs(found, "repeated")
    unpriced: dict[str, int] = {}
    for (model, _), by_currency in found.items():
        calls = sum(sums.unpriced for sums in by_currency.values())
        unpriced[model] = unpriced.get(model, 0) + calls
    codes = sorted(counted.keys() | repeated.keys())
    first = main_currency(codes)
    costs = {
        code: _currency_costs(code, counted.get(code, {}), repeated.get(code, {}))
        for code in {first, *codes}
    }
    others = [costs[code] for code in codes if code != first]
    return VendorStats(
        **costs[first].model_dump(),
        other_currencies=others or None,
        unpriced_calls={model: calls for model, calls in unpriced.items() if calls} or None,
    )


def _days(first: date | None, last: date | None) -> Days:
    return _checked(Days(first or EVER.first, last or EVER.last))


def _checked(days: Days) -> Days:
    if days.first > days.last:
        raise InvalidRequest("period_to", "must not be before period_from")
    return days


def profitability_of(session: Session, billing: Billing, found: ByCurrency) -> Profitability:
    return profitability(
        {code: (one.revenue, one.costs) for code, one in found.items() if one.revenue or one.costs},
        lambda code: assets.find(session, billing.tenant.id, code),
        sum(one.unpriced for one in found.values()),
    )


def _costs(
    found: dict[tuple[str, str], ByCurrency], which: Literal["costs", "repeated"]
) -> dict[str, dict[str, int]]:
    """Ledger units by currency and category."""
    costs: dict[str, dict[str, int]] = {}
    for (_, category), by_currency in found.items():
        for code, sums in by_currency.items():
            if units := getattr(sums, which):
                of = costs.setdefault(code, {})
                of[category] = of.get(category, 0) + units
    return costs


def _currency_costs(code: str, counted: dict[str, int], repeated: dict[str, int]) -> CurrencyCosts:
    asset = currency(code)
    assert asset is not None, "costs are in currencies"
    return CurrencyCosts(
        currency=code,
        total_costs=from_units(sum(counted.values()), asset),
        repeated_costs=from_units(sum(repeated.values()), asset) if repeated else None,
        categories=[
            CategoryCost(category=category, cost=from_units(units, asset))
            for category, units in sorted(counted.items())
        ],
    )
