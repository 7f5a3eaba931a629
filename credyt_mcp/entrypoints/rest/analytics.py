"""REST routes of margins and what to decide about. Translation only."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, reply
from credyt_mcp.use_cases import margin_decisions, profitability
from credyt_mcp.use_cases.context import Billing, perform
from credyt_mcp.use_cases.margin_answers import ProfitOf

router = APIRouter(prefix="/analytics", tags=["analytics"], route_class=ExactRoute)

CSV = "text/csv"
COLUMNS = tuple(ProfitOf.model_fields)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How a text begins that a spreadsheet would run."""


@router.get(
    "/profitability",
    response_model=profitability.ProfitabilityPage,
    responses={200: {"content": {CSV: {"schema": {"type": "string"}}}}},
)
async def get_profitability(
    request: Request,
    caller: Caller,
    query: Annotated[profitability.GetProfitability, Query()],
) -> Response:
    """With `Accept: text/csv` or `format=csv` all groups, not a page."""
    wanted = request.query_params.get("format") or request.headers.get("accept", "")
    if wanted not in ("csv", CSV):
        return await reply(caller, profitability.get_profitability, query)
    first = await perform(caller, profitability.get_profitability, _whole(query, None))
    name = f"profitability-by-{first.group_by}-{first.period_from}-{first.period_to}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_lines(caller, query, first), media_type=CSV, headers=headers)


@router.get("/decisions", response_model=margin_decisions.MarginDecisions)
async def get_margin_decisions(
    caller: Caller, query: Annotated[margin_decisions.GetMarginDecisions, Query()]
) -> Response:
    return await reply(caller, margin_decisions.get_margin_decisions, query)


def _whole(
    query: profitability.GetProfitability, cursor: str | None
) -> profitability.GetProfitability:
    """The largest page from here on; in the order of keys unless asked, which stays while others
    go on recording."""
    sort = query.sort or "key"
    return query.model_copy(update={"limit": 1000, "cursor": cursor, "sort": sort})


async def _lines(
    caller: Billing,
    query: profitability.GetProfitability,
    page: profitability.ProfitabilityPage,
) -> AsyncIterator[str]:
    """A page at a time, so that any number of groups takes the memory of one."""
    yield _csv([(*COLUMNS, "currency")])
    while True:
        yield _csv([_row(item.model_dump(), page.currency) for item in page.items])
        if page.next_cursor is None:
            return
        again = _whole(query, page.next_cursor)
        page = await perform(caller, profitability.get_profitability, again)


def _row(item: dict[str, Any], currency: str) -> tuple[Any, ...]:
    return (*(_cell(item.get(name)) for name in COLUMNS), currency)


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    return "" if value is None else f"{value:f}" if not isinstance(value, int) else value


def _csv(rows: list[tuple[Any, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
