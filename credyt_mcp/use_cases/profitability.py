"""Revenue, cost, net and margin, grouped by what they are to be decided about: live, from rollups.

One currency at a time, because nothing is converted; totals say which others there are. What has
no price, and what cost without earning, is counted beside the sums and never averaged away.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlmodel import Session

from credyt_mcp.domain.costs import margin_order
from credyt_mcp.domain.money import from_units
from credyt_mcp.errors import InvalidRequest
from credyt_mcp.storage import margin_queries
from credyt_mcp.storage.margin_queries import Group, Page
from credyt_mcp.use_cases.context import Billing, Result
from credyt_mcp.use_cases.margin_answers import (
    Asked,
    PeriodOf,
    ProfitOf,
    WithoutRevenue,
    ask,
    shown,
    within,
)
from credyt_mcp.use_cases.margin_decisions import Decisions, decide
from credyt_mcp.use_cases.margin_names import labels
from credyt_mcp.use_cases.profits import Profitability

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
Sort = Annotated[str, Field(pattern=r"^-?(cost|revenue|net|margin|key)$")]


class GetProfitability(PeriodOf):
    """Revenue, cost, net and margin by customer, end user (user_id), task (subject), price, model
    and more. Calls without a price and customers without revenue are counted apart."""

    group_by: Annotated[GroupBy, Field(description="what a row is of")] = "customer"
    customer_id: Annotated[
        str | None, Field(description="only theirs, by customer, user_id, subject or day")
    ] = None
    sort: Annotated[
        Sort | None, Field(description="-cost (default), or revenue, net, margin, key; - descends")
    ] = None
    limit: Annotated[int, Field(ge=1, le=1000, description="rows of a page")] = 20
    cursor: Annotated[str | None, Field(description="next_cursor of the page before")] = None
    decisions: Annotated[
        bool, Field(description="add dearest customers, losses and percentiles")
    ] = False


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
    decisions: Decisions | None = None


def get_profitability(billing: Billing, command: GetProfitability) -> ProfitabilityPage:
    """Raises InvalidRequest, or NotFound for a customer who is not there."""
    by, sort = command.group_by, command.sort or ("key" if command.group_by == "day" else "-cost")
    offset = _offset(command.cursor)
    with billing.database.read() as session:
        asked = ask(session, billing, command, command.customer_id, by)
        page = _page(session, asked, by, sort, offset, command.limit)
        decisions = decide(session, asked) if command.decisions else None
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
        decisions=decisions,
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
