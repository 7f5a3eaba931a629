"""What reports of margins share: a period and a currency that were made sure of, and how a group of
usage is shown."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, NamedTuple

from pydantic import Field, model_validator
from sqlmodel import Session

from credyt_mcp.domain.assets import currency as known_currency
from credyt_mcp.domain.costs import DEFAULT_CURRENCY, main_currency, profit
from credyt_mcp.domain.money import Asset
from credyt_mcp.errors import InvalidRequest, NotFound
from credyt_mcp.storage import assets, customers
from credyt_mcp.storage import profitability as sums_of
from credyt_mcp.storage.margin_queries import Group, Scope
from credyt_mcp.storage.profitability import Days, Periods
from credyt_mcp.use_cases.context import Billing, Command, Number, Result
from credyt_mcp.use_cases.margin_names import Label
from credyt_mcp.use_cases.profits import Profitability
from credyt_mcp.use_cases.stats import profitability_of

OF_ONE_CUSTOMER = ("customer", "user_id", "subject", "day")
DAYS_MAX = 3660
_SHORT = {"from": "period_from", "to": "period_to"}


class PeriodOf(Command):
    """UTC days, both included; by default this month so far."""

    period_from: Annotated[
        date | None, Field(description="first UTC day, or `from`; default: the month's first")
    ] = None
    period_to: Annotated[date | None, Field(description="last, or `to`; default: today")] = None
    currency: Annotated[
        str | None, Field(max_length=50, description="default: USD, or the only one there is")
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _short_names(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {_SHORT.get(name, name): value for name, value in given.items()}


class ProfitOf(Result):
    """Of one group. `key` is null where usage has none: no vendor was named, no price matched."""

    key: str | None
    name: str | None = None
    external_id: str | None = None
    customer_id: str | None = None
    product: str | None = None
    gross_revenue: Number
    total_costs: Number
    net_revenue: Number
    margin: Annotated[Number, Field(description="net as a percentage of gross revenue")]
    events: int | None = None
    unpriced_calls: Annotated[int | None, Field(description="whose cost is not in here")] = None


class WithoutRevenue(Result):
    """Groups that cost and earned nothing."""

    count: int
    total_costs: Number


class Asked(NamedTuple):
    """A period and a currency that were made sure of."""

    days: Days
    scope: Scope
    asset: Asset
    totals: Profitability


def ask(
    session: Session, billing: Billing, command: PeriodOf, customer: str | None = None, by: str = ""
) -> Asked:
    """What is asked for, and the totals of it."""
    last = command.period_to or billing.now().date()
    days = Days(command.period_from or last.replace(day=1), last)
    if days.first > days.last:
        raise InvalidRequest("period_to", "must not be before period_from")
    if (days.last - days.first).days > DAYS_MAX:
        raise InvalidRequest("period_from", f"must be at most {DAYS_MAX} days before period_to")
    tenant_id = billing.tenant.id
    customer_id = None
    if customer is not None:
        if by not in OF_ONE_CUSTOMER:
            one_of = ", ".join(OF_ONE_CUSTOMER)
            raise InvalidRequest("customer_id", f"goes with group_by of {one_of}")
        row = customers.find(session, tenant_id, customer)
        if row is None:
            raise NotFound(f"there is no customer '{customer}'")
        customer_id = row.id
        found = sums_of.of_customers(session, tenant_id, [row.id], days).get(row.id, {})
    else:
        found = sums_of.of_all(session, tenant_id, days)
    money = [code for code, one in found.items() if known_currency(code) and any(one)]
    asset = _asset(
        session, tenant_id, command.currency or main_currency(money or [DEFAULT_CURRENCY])
    )
    totals = profitability_of(session, billing, found)
    return Asked(days, Scope(tenant_id, asset.code, customer_id), asset, totals)


def within(session: Session, asked: Asked, *, by_day: bool = False) -> Periods:
    """The rows of customers that a period is made of."""
    edges = sums_of.edges(session, asked.scope.tenant_id)
    return sums_of.periods(*sums_of.numbers(asked.days), edges, whole_months=not by_day)


def shown(group: Group, named: Label, asset: Asset, *, counted: bool = True) -> ProfitOf:
    sums = profit(group.revenue, group.costs, asset)
    return ProfitOf(
        **named._asdict(),
        gross_revenue=sums.gross_revenue,
        total_costs=sums.total_costs,
        net_revenue=sums.net_revenue,
        margin=sums.margin,
        events=group.events if counted else None,
        unpriced_calls=group.unpriced or None,
    )


def _asset(session: Session, tenant_id: int, code: str) -> Asset:
    found = known_currency(code) or assets.find(session, tenant_id, code)
    if found is None:
        raise InvalidRequest("currency", f"there is no currency or asset '{code}'")
    return found
