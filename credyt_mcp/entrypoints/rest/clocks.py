"""REST routes of the test clock, an extension of ours. Translation only."""

from __future__ import annotations

from fastapi import APIRouter, Response

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, reply
from credyt_mcp.use_cases import clocks

router = APIRouter(prefix="/clock", tags=["clock"], route_class=ExactRoute)


@router.get("", response_model=clocks.ClockView)
async def get_clock(caller: Caller) -> Response:
    return await reply(caller, clocks.get_clock, clocks.GetClock())


@router.post("", response_model=clocks.ClockAdvanced)
async def advance_clock(caller: Caller, body: clocks.AdvanceClock) -> Response:
    """Test data only: move this account's clock ahead, to a moment or by a duration. All that
    falls due on the way happens, in order."""
    return await reply(caller, clocks.advance_clock, body)
