"""What was sent to webhook destinations and what came of it; sending it again; sending a test."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlmodel import Session

from credyt_mcp import exact_json
from credyt_mcp.domain.webhooks import NEVER_SENT, TOPICS, wants
from credyt_mcp.errors import InvalidRequest, NotFound, TooLarge, WrongState
from credyt_mcp.storage import accounts, deliveries, delivery_log, notices, webhooks
from credyt_mcp.storage.delivery_log import LogFilter, Logged
from credyt_mcp.storage.ledger_tables import NoticeRow
from credyt_mcp.storage.webhook_tables import WebhookDestinationRow
from credyt_mcp.use_cases.context import Billing, Command, Moment, Result
from credyt_mcp.use_cases.webhooks import WebhookId, destination_of

TEST_BYTES_MAX = 65_536


class ListWebhookEvents(Command):
    """Deliveries, newest first; each field given narrows the list."""

    limit: Annotated[int, Field(ge=1, le=100, description="how many to return")] = 20
    next: Annotated[str | None, Field(description="`pagination.next` of the page before")] = None
    prev: Annotated[str | None, Field(description="`pagination.prev` of the page after")] = None
    destination_id: Annotated[
        str | None, Field(description="ids of destinations, separated by commas")
    ] = None
    status: Annotated[
        Literal["Success", "Failed"] | None,
        Field(description="Failed: the last attempt failed, whether or not another follows"),
    ] = None
    time_gte: Moment | None = None
    time_lte: Moment | None = None


class WebhookEvent(Result):
    """A delivery of an event to one destination."""

    id: str = Field(description="of the event, the same for each destination")
    destination_id: str
    topic: str
    time: datetime
    successful_at: datetime | None = None
    failed_at: datetime | None = Field(default=None, description="the last failure")
    metadata: dict[str, Any] = Field(
        description="`state` (pending, delivered, given_up), `attempts`, `next_attempt_at`, "
        "`response_status`, `response_text`, `error`, `replays`, `test`"
    )
    data: Any


class CursorPagination(Result):
    limit: int
    next: str | None = Field(default=None, description="cursor of older events, if there are any")
    prev: str | None = Field(default=None, description="cursor of newer events, if there are any")


class WebhookEventPage(Result):
    models: list[WebhookEvent]
    pagination: CursorPagination


class SendTest(Command):
    """Any JSON, sent as the data of a topic; none is {}."""

    topic: str
    data: Any = None


class SendTestTo(SendTest):
    webhook_id: WebhookId


class SendConnectedTest(SendTest):
    connected_account_id: str


class SendConnectedTestTo(SendTestTo):
    connected_account_id: str


class WebhookTestSent(Result):
    id: str = Field(description="of the test event")


class ReplayWebhookEvent(Command):
    event_id: str
    destination_id: str | None = None


class WebhookEventReplayed(Result):
    id: str
    destination_ids: list[str] = Field(description="where it is sent again")


def list_webhook_events(billing: Billing, command: ListWebhookEvents) -> WebhookEventPage:
    """Raises InvalidRequest for a cursor that is not one of ours."""
    if command.next is not None and command.prev is not None:
        raise InvalidRequest("next", "give next or prev, not both")
    wanted = LogFilter(
        destinations=None if command.destination_id is None else command.destination_id.split(","),
        status=command.status,
        time_gte=command.time_gte,
        time_lte=command.time_lte,
    )
    older, newer = _cursor(command.next, "next"), _cursor(command.prev, "prev")
    with billing.database.read() as session:
        page = delivery_log.page(
            session, billing.tenant.id, wanted, command.limit, older_than=older, newer_than=newer
        )
    pagination = CursorPagination(
        limit=command.limit,
        next=str(page.rows[-1].delivery.id) if page.more_older else None,
        prev=str(page.rows[0].delivery.id) if page.more_newer else None,
    )
    return WebhookEventPage(models=[_shown(row) for row in page.rows], pagination=pagination)


def send_test(billing: Billing, command: SendTest) -> WebhookTestSent:
    """To every destination that takes the topic. Raises InvalidRequest for an unknown topic."""
    return _send_to_all(billing, command, None)


def send_connected_test(billing: Billing, command: SendConnectedTest) -> WebhookTestSent:
    """As `send_test`, as if it had happened in a connected account. Raises NotFound for one that is
    not connected."""
    return _send_to_all(billing, command, command.connected_account_id)


def send_test_to(billing: Billing, command: SendTestTo) -> WebhookTestSent:
    """To one destination, whatever its topics. Raises as `send_test` does, NotFound, and WrongState
    when the destination is disabled."""
    return _send_to_one(billing, command, None)


def send_connected_test_to(billing: Billing, command: SendConnectedTestTo) -> WebhookTestSent:
    """As `send_test_to`, as if it had happened in a connected account."""
    return _send_to_one(billing, command, command.connected_account_id)


def replay_webhook_event(billing: Billing, command: ReplayWebhookEvent) -> WebhookEventReplayed:
    """Send an event again, to one destination or to every one that takes its topic; also to those
    that were not sent it, because they were disabled or not there yet. It does not wait for what
    else is due to its customer. Raises NotFound."""
    now = billing.clock.now()
    with billing.database.write() as session:
        notice = notices.find(session, billing.tenant.id, command.event_id)
        if notice is None:
            raise NotFound(f"there is no webhook event '{command.event_id}'")
        if command.destination_id is None:
            platform = billing.tenant.id if notice.tenant_id != billing.tenant.id else None
            listening = webhooks.listening(session, notice.tenant_id, platform)
            own = [one for one in listening if one.tenant_id == billing.tenant.id]
            chosen = [one for one in own if wants(one.topics, notice.kind)]
        else:
            chosen = [_enabled(session, billing, command.destination_id)]
        for destination in chosen:
            deliveries.replay(session, destination, notice, now)
        ids = [destination.public_id for destination in chosen]
    return WebhookEventReplayed(id=notice.public_id, destination_ids=ids)


def _enabled(session: Session, billing: Billing, webhook_id: str) -> WebhookDestinationRow:
    row = destination_of(session, billing, webhook_id, lock=True)
    if not row.enabled:
        raise WrongState(
            f"webhook destination '{webhook_id}' is disabled",
            hint="Enable it first: PATCH /webhooks/{id} with enabled true.",
        )
    return row


def _check_test(command: SendTest) -> None:
    if command.topic not in TOPICS and command.topic not in NEVER_SENT:
        raise InvalidRequest(
            "topic", f"'{command.topic}' is not a topic; there are {', '.join(TOPICS)}"
        )
    if len(exact_json.dumps(command.data)) > TEST_BYTES_MAX:
        raise TooLarge(f"the data of a test may have {TEST_BYTES_MAX} bytes")


def _send_to_all(billing: Billing, command: SendTest, account_id: str | None) -> WebhookTestSent:
    _check_test(command)
    with billing.database.write() as session:
        notice = _test_notice(session, billing, command, account_id)
        return WebhookTestSent(id=notice.public_id)


def _send_to_one(billing: Billing, command: SendTestTo, account_id: str | None) -> WebhookTestSent:
    _check_test(command)
    with billing.database.write() as session:
        destination = _enabled(session, billing, command.webhook_id)
        notice = _test_notice(session, billing, command, account_id)
        notice.dispatched = 1
        deliveries.add(session, destination, notice, billing.clock.now())
        return WebhookTestSent(id=notice.public_id)


def _test_notice(
    session: Session, billing: Billing, command: SendTest, account_id: str | None
) -> NoticeRow:
    tenant_id = billing.tenant.id
    if account_id is not None:
        connected = accounts.find(session, tenant_id, account_id)
        if connected is None:
            raise NotFound(f"there is no connected account '{account_id}'")
        tenant_id = connected.id
    data = {} if command.data is None else command.data
    return notices.add(session, tenant_id, command.topic, 0, data, billing.now(), is_test=True)


def _cursor(given: str | None, field: str) -> int | None:
    if given is None:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", given):
        raise InvalidRequest(field, "is no cursor; take it from the `pagination` of a page")
    return int(given)


def _shown(logged: Logged) -> WebhookEvent:
    delivery, notice, destination = logged
    metadata = {
        "state": delivery.state,
        "attempts": delivery.attempts,
        "next_attempt_at": delivery.next_attempt_at,
        "response_status": delivery.response_status,
        "response_text": delivery.response_text,
        "error": delivery.error,
        "replays": delivery.replays or None,
        "test": bool(notice.is_test) or None,
    }
    return WebhookEvent(
        id=notice.public_id,
        destination_id=destination.public_id,
        topic=notice.kind,
        time=notice.created_at,
        successful_at=delivery.successful_at,
        failed_at=delivery.failed_at,
        metadata={name: value for name, value in metadata.items() if value is not None},
        data=notice.details,
    )
