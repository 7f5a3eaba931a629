"""REST routes of usage events; `POST /events` is a hot one. Translation only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.hot import HotRoute
from credyt_mcp.entrypoints.rest.replies import ExactRoute, reply
from credyt_mcp.use_cases import events

router = APIRouter(prefix="/events", tags=["events"], route_class=ExactRoute)

NO_CONTENT = Response(status_code=204)

HOT_ROUTES = (
    HotRoute(
        "/events",
        events.submit_events,
        events.SubmitEvents,
        events.SubmitEvents,
        lambda _: NO_CONTENT,
        {204: "Recorded; a known id is billed once"},
    ),
)


@router.get("", response_model=events.EventPage)
async def list_events(caller: Caller, page: Annotated[events.EventPageOf, Query()]) -> Response:
    return await reply(caller, events.list_events, page)


@router.get("/{event_id:path}", response_model=events.EventDetails)
async def get_event(caller: Caller, event_id: str) -> Response:
    return await reply(caller, events.get_event, events.GetEvent(event_id=event_id))
