"""REST routes of top-ups. Translation only."""

from __future__ import annotations

from fastapi import APIRouter, Response

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, reply
from credyt_mcp.use_cases import top_ups

router = APIRouter(prefix="/top-ups", tags=["top-ups"], route_class=ExactRoute)


@router.post("", status_code=201, response_model=top_ups.TopUpStarted)
async def start_top_up(caller: Caller, body: top_ups.StartTopUpFields) -> Response:
    return await reply(caller, top_ups.start_top_up, body, 201)


@router.get("/{top_up_id}", response_model=top_ups.TopUpDetails)
async def get_top_up(caller: Caller, top_up_id: str) -> Response:
    return await reply(caller, top_ups.get_top_up, top_ups.GetTopUp(top_up_id=top_up_id))
