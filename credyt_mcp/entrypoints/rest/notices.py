"""REST route of notices, an extension of ours. Translation only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, reply
from credyt_mcp.use_cases import notices
from credyt_mcp.use_cases.context import PageOf

router = APIRouter(prefix="/notices", tags=["notices"], route_class=ExactRoute)


@router.get("", response_model=notices.NoticePage)
async def list_notices(caller: Caller, page: Annotated[PageOf, Query()]) -> Response:
    return await reply(caller, notices.list_notices, page)
