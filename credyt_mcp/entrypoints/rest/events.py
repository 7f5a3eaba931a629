"""REST routes of usage events. `POST /events` is the hot path, and so a plain ASGI route."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import ValidationError
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from credyt_mcp.entrypoints.auth import authenticate
from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, read_json, reply
from credyt_mcp.entrypoints.validation import invalid_request
from credyt_mcp.use_cases import events
from credyt_mcp.use_cases.context import Billing

router = APIRouter(prefix="/events", tags=["events"], route_class=ExactRoute)


class SubmitEvents:
    """`POST /events` without the framework's layers, which cost more than the billing itself."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        tenant = await authenticate(scope["app"].state.keys, request.headers)
        billing: Billing = scope["app"].state.billing
        given = read_json(await request.body())
        try:
            command = events.SubmitEvents.model_validate(given)
        except ValidationError as error:
            found = error.errors(include_input=False, include_url=False, include_context=False)
            raise invalid_request(found, given) from None
        await events.submit_events(billing.as_tenant(tenant), command)
        await Response(status_code=204)(scope, receive, send)


hot_routes = (Route("/events", SubmitEvents(), methods=["POST"]),)

DOCUMENTED: dict[str, Any] = {
    "/events": {
        "post": {
            "tags": ["events"],
            "summary": "Submit Events",
            "operationId": "submit_events",
            "description": "Bill up to 1,000 usage events of one customer, all or none.",
            "security": [{"APIKeyHeader": []}],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/SubmitEvents"}}
                },
            },
            "responses": {"204": {"description": "Recorded; a known id is billed once"}},
        }
    }
}


@router.get("", response_model=events.EventPage)
async def list_events(caller: Caller, page: Annotated[events.EventPageOf, Query()]) -> Response:
    return await reply(caller, events.list_events, page)


@router.get("/{event_id:path}", response_model=events.EventDetails)
async def get_event(caller: Caller, event_id: str) -> Response:
    return await reply(caller, events.get_event, events.GetEvent(event_id=event_id))
