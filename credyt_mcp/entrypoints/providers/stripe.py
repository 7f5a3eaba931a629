"""Where Stripe delivers its events, and where its page leads who is to be sent nowhere else. No API
key opens them: an event's signature does, and the page says nothing of anybody."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from credyt_mcp.entrypoints.portal.pages import page
from credyt_mcp.entrypoints.rest.replies import json_response
from credyt_mcp.errors import TooLarge
from credyt_mcp.use_cases import provider_events
from credyt_mcp.use_cases.context import Billing, perform
from credyt_mcp.use_cases.provider_events import ReceiveProviderEvent

BODY_MAX = 1024 * 1024

router = APIRouter(include_in_schema=False)


@router.get("/providers/stripe/done")
async def done() -> Response:
    return page(
        "error.html",
        title="You can close this page",
        detail="you have left the payment page",
        hint="The app shows the payment as soon as it is confirmed.",
    )


@router.post("/providers/stripe/webhook")
async def receive(request: Request) -> Response:
    return await _received(request, None)


@router.post("/providers/stripe/webhook/{endpoint}")
async def receive_at(request: Request, endpoint: str) -> Response:
    """A payment account's own endpoint, with secrets of its own."""
    return await _received(request, endpoint)


async def _received(request: Request, endpoint: str | None) -> Response:
    billing: Billing = request.app.state.billing
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_MAX:
            raise TooLarge("an event of Stripe is smaller than this")
    delivery = ReceiveProviderEvent(
        body=bytes(body),
        signature=request.headers.get("stripe-signature"),
        endpoint=endpoint,
    )
    received = await perform(billing, provider_events.receive_provider_event, delivery)
    return json_response(received)
