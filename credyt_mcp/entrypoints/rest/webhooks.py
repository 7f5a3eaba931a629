"""REST routes of outgoing webhooks. Translation only."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, reply
from credyt_mcp.use_cases import webhook_events, webhooks
from credyt_mcp.use_cases.webhook_events import (
    ListWebhookEvents,
    ReplayWebhookEvent,
    SendConnectedTest,
    SendConnectedTestTo,
    SendTest,
    SendTestTo,
    WebhookEventPage,
    WebhookEventReplayed,
    WebhookTestSent,
)
from credyt_mcp.use_cases.webhooks import (
    CreateWebhook,
    GetWebhook,
    ListWebhooks,
    UpdateWebhook,
    Webhook,
    WebhookCreated,
    WebhookFields,
    WebhookList,
)

router = APIRouter(prefix="/webhooks", tags=["webhooks"], route_class=ExactRoute)

Data = Annotated[Any, Body(description="any JSON: the `data` of the test event")]


@router.post("", status_code=201, response_model=WebhookCreated)
async def create_webhook(caller: Caller, body: CreateWebhook) -> Response:
    return await reply(caller, webhooks.create_webhook, body, 201)


@router.get("", response_model=WebhookList)
async def list_webhooks(caller: Caller, query: Annotated[ListWebhooks, Query()]) -> Response:
    return await reply(caller, webhooks.list_webhooks, query)


# What comes next stands before /{webhook_id}, which would take it for an id.


@router.get("/events", response_model=WebhookEventPage)
async def list_webhook_events(
    caller: Caller, query: Annotated[ListWebhookEvents, Query()]
) -> Response:
    return await reply(caller, webhook_events.list_webhook_events, query)


@router.post(
    "/events/{webhook_event_id}/replay", status_code=202, response_model=WebhookEventReplayed
)
async def replay_webhook_event(
    caller: Caller,
    webhook_event_id: str,
    destination_id: Annotated[str | None, Query(description="only there")] = None,
) -> Response:
    """Send an event again: to every enabled destination that takes its topic, or to one."""
    command = ReplayWebhookEvent(event_id=webhook_event_id, destination_id=destination_id)
    return await reply(caller, webhook_events.replay_webhook_event, command, 202)


@router.post("/test/{topic}", status_code=202, response_model=WebhookTestSent)
async def send_test(caller: Caller, topic: str, data: Data = None) -> Response:
    command = SendTest(topic=topic, data=data)
    return await reply(caller, webhook_events.send_test, command, 202)


@router.post(
    "/test/{topic}/{connected_account_id}", status_code=202, response_model=WebhookTestSent
)
async def send_connected_test(
    caller: Caller, topic: str, connected_account_id: str, data: Data = None
) -> Response:
    command = SendConnectedTest(topic=topic, data=data, connected_account_id=connected_account_id)
    return await reply(caller, webhook_events.send_connected_test, command, 202)


@router.get("/{webhook_id}", response_model=Webhook)
async def get_webhook(caller: Caller, webhook_id: str) -> Response:
    return await reply(caller, webhooks.get_webhook, GetWebhook(webhook_id=webhook_id))


@router.patch("/{webhook_id}", response_model=Webhook)
async def update_webhook(caller: Caller, webhook_id: str, body: WebhookFields) -> Response:
    command = UpdateWebhook(webhook_id=webhook_id, **dict(body))
    return await reply(caller, webhooks.update_webhook, command)


@router.delete("/{webhook_id}", status_code=204)
async def delete_webhook(caller: Caller, webhook_id: str) -> Response:
    return await reply(caller, webhooks.delete_webhook, GetWebhook(webhook_id=webhook_id), 204)


@router.post("/{webhook_id}/test/{topic}", status_code=202, response_model=WebhookTestSent)
async def send_test_to(caller: Caller, webhook_id: str, topic: str, data: Data = None) -> Response:
    command = SendTestTo(webhook_id=webhook_id, topic=topic, data=data)
    return await reply(caller, webhook_events.send_test_to, command, 202)


@router.post(
    "/{webhook_id}/test/{topic}/{connected_account_id}",
    status_code=202,
    response_model=WebhookTestSent,
)
async def send_connected_test_to(
    caller: Caller, webhook_id: str, topic: str, connected_account_id: str, data: Data = None
) -> Response:
    command = SendConnectedTestTo(
        webhook_id=webhook_id, topic=topic, data=data, connected_account_id=connected_account_id
    )
    return await reply(caller, webhook_events.send_connected_test_to, command, 202)
