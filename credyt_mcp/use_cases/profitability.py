"""Revenue, cost, net and margin, grouped by what they are to be decided about: live, from rollups.

One currency at a time, because nothing is converted; totals say which others there are. What has
no price, and what cost without earning, is counted beside the sums and never averaged away.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, model_validator
from sqlmodel import Session

from credyt_mcp.domain.assets import currency as known_currency
from credyt_mcp.domain.costs import DEFAULT_CURRENCY, main_currency, margin_order, profit
from credyt_mcp.domain.money import Asset, from_units
from credyt_mcp.errors import InvalidRequest, NotFound
from credyt_mcp.storage import assets, customers, margin_queries
from credyt_mcp.storage import profitability as sums_of
from credyt_mcp.storage.margin_queries import Group, Page, Scope
from credyt_mcp.storage.profitability import Days, Periods
from credyt_mcp.use_cases.context import Billing, Command, Number, Result
from credyt_mcp.use_cases.margin_names import Label, labels
from credyt_mcp.use_cases.profits import Profitability
from credyt_mcp.use_cases.stats import profitability_of

GroupBy = Literal[
    "customer",
    "user_id",
    "subject",
    "product",
    "price",
    "event_type",
    "vendor",
    "model",
    "day",
]
Sort = Literal[
    "-cost", "cost", "-revenue", "revenue", "-net", "net", "-margin", "margin", "-key", "key"
]
OF_ONE_CUSTOMER = ("customer", "user_id", "subject", "day")
DAYS_MAX = 3660
_SHORT = {"from": "period_from", "to": "period_to"}


class PeriodOf(Command):
    """UTC days, both included; by default this month so far."""

    period_from: Annotated[
        date | None, Field(description="first UTC day (or `from`); default: first of the month")
    ] = None
    period_to: Annotated[date | None, Field(description="last (or `to`); default: today")] = None
    currency: Annotated[
        str | None, Field(max_length=50, description="default: USD, or the only one there is")
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _short_names(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {_SHORT.get(name, name): value for name, value in given.items()}


class GetProfitability(PeriodOf):
    """Revenue, cost, net and margin by customer, end user (user_id), task (subject), product,
    price, event type, vendor, model or day. Calls without a price, and who cost without
    earning, are counted apart."""

    group_by: GroupBy = "customer"
    customer_id: Annotated[
        str | None, Field(description="only this one's, by customer, user_id, subject or day")
    ] = None
    sort: Annotated[Sort | None, Field(description="default: -cost; of days: key")] = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 20
    cursor: Annotated[str | None, Field(description="next_cursor of the page before")] = None


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


class ProfitabilityPage(Result):
    group_by: str
    period_from: date
    period_to: date
    currency: str
    totals: Annotated[Profitability, Field(description="of all usage, whatever the page")]
    without_revenue: WithoutRevenue
    items: list[ProfitOf]
    total_count: int
    next_cursor: str | None = None


class Asked(NamedTuple):
    """A period and a currency that were made sure of."""

    days: Days
    scope: Scope
    asset: Asset
    totals: Profitability


def get_profitability(billing: Billing, command: GetProfitability) -> ProfitabilityPage:
    """Raises InvalidRequest, or NotFound for a customer who is not there."""
    by, sort = command.group_by, command.sort or ("key" if command.group_by == "day" else "-cost")
    offset = _offset(command.cursor)
    with billing.database.read() as session:
        asked = ask(session, billing, command, command.customer_id, by)
        page = _page(session, asked, by, sort, offset, command.limit)
        names = labels(session, billing.tenant.id, by, [group.key for group in page.groups])
    after = offset + len(page.groups)
    return ProfitabilityPage(
        group_by=by,
        period_from=asked.days.first,
        period_to=asked.days.last,
        currency=asked.asset.code,
        totals=asked.totals,
        without_revenue=WithoutRevenue(
            count=page.without_revenue, total_costs=from_units(page.their_costs, asked.asset)
        ),
        items=[
            shown(group, named, asked.asset, counted=by not in ("price", "product"))
            for group, named in zip(page.groups, names, strict=True)
        ],
        total_count=page.total,
        next_cursor=str(after) if after < page.total else None,
    )


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


def _page(session: Session, asked: Asked, by: GroupBy, sort: Sort, offset: int, limit: int) -> Page:
    rows = None
    if by == "customer":
        rows = margin_queries.customers(asked.scope, within(session, asked))
    elif by in ("user_id", "subject"):
        rows = margin_queries.users(asked.scope, within(session, asked, by_day=True), by)
    elif by == "day" and asked.scope.customer_id is not None:
        rows = margin_queries.days_of_customer(asked.scope, asked.days)
    measure = sort.removeprefix("-")
    if rows is not None and measure != "margin":
        return margin_queries.page(session, rows, measure, sort == measure, offset, limit)
    if rows is not None:
        groups = list(margin_queries.every(session, rows))
    elif by == "product":
        groups = margin_queries.products(session, asked.scope, asked.days)
    else:
        groups = margin_queries.usage(session, asked.scope, asked.days, (by,))
    return _sorted(groups, sort, offset, limit)


def _sorted(groups: list[Group], sort: Sort, offset: int, limit: int) -> Page:
    orders: dict[str, Callable[[Group], Any]] = {
        "cost": lambda group: group.costs,
        "revenue": lambda group: group.revenue,
        "net": lambda group: group.net,
        "margin": lambda group: margin_order(group.revenue, group.net),
        "key": lambda group: group.key,
    }
    measure = sort.removeprefix("-")
    groups.sort(key=lambda group: group.key)
    groups.sort(key=orders[measure], reverse=sort != measure)
    losing = [group for group in groups if group.revenue <= 0 < group.costs]
    costs = sum(group.costs for group in losing)
    return Page(groups[offset : offset + limit], len(groups), len(losing), costs)


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isdecimal() or len(cursor) > 12:
        raise InvalidRequest("cursor", "must be the next_cursor of the page before")
    return int(cursor)


def _asset(session: Session, tenant_id: int, code: str) -> Asset:
    found = known_currency(code) or assets.find(session, tenant_id, code)
    if found is None:
        raise InvalidRequest("currency", f"there is no currency or asset '{code}'")
    return found
