"""Webhook destinations: where the tenant is told what happens. Their secrets sign what is sent."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, StrictBool
from sqlmodel import Session

from credyt_mcp.domain.webhooks import ANY, TOPICS, unknown_topics
from credyt_mcp.errors import InvalidRequest, NotFound, WrongState
from credyt_mcp.ids import new_id
from credyt_mcp.settings import Settings
from credyt_mcp.storage import deliveries, webhooks
from credyt_mcp.storage.webhook_tables import WebhookDestinationRow
from credyt_mcp.use_cases.context import Billing, Command, Result

DESTINATIONS_MAX = 100
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
SECRET_BYTES = 32


def _known(topics: list[str]) -> list[str]:
    unknown = unknown_topics(topics)
    if unknown:
        raise ValueError(
            f"unknown topic '{unknown[0]}'; there are {ANY}, a noun's all as in top_up.*, and "
            f"{', '.join(TOPICS)}"
        )
    return list(dict.fromkeys(topics))


Topics = Annotated[
    list[str],
    Field(
        min_length=1, max_length=100, description='topics, or ["*"] for all, or as in "top_up.*"'
    ),
    AfterValidator(_known),
]
Url = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2000,
        description="an https URL; in the test environment also http on this machine",
    ),
]
WebhookId = Annotated[str, Field(description="id of a webhook destination, whd_…")]


class CreateWebhook(Command):
    """A place to be told what happens."""

    url: Url
    topics: Topics = Field(default_factory=lambda: [ANY])
    connect: Annotated[
        StrictBool,
        Field(description="true: what happens in connected accounts instead of one's own"),
    ] = False


class ListWebhooks(Command):
    enabled: bool | None = None
    connect: bool | None = None


class GetWebhook(Command):
    webhook_id: WebhookId


class WebhookFields(Command):
    url: Url | None = None
    topics: Topics | None = None
    enabled: Annotated[
        StrictBool | None,
        Field(description="false: send nothing; true: go on with what is waiting, at once"),
    ] = None


class UpdateWebhook(WebhookFields):
    """Change what is given; what is left out stays."""

    webhook_id: WebhookId


class WebhookCreated(Result):
    id: str
    secret: str = Field(description="whsec_…, which signs what is sent")
    created_at: datetime


class WebhookWithoutSecret(Result):
    id: str
    url: str
    topics: list[str]
    connect: bool
    enabled: bool
    created_at: datetime
    updated_at: datetime
    failing_since: datetime | None = Field(
        default=None, description="the first failure since anything arrived last"
    )
    disabled_reason: str | None = Field(default=None, description="why we disabled it, if we did")


class Webhook(WebhookWithoutSecret):
    secret: str


class WebhookList(Result):
    items: list[WebhookWithoutSecret]
    total_count: int


def create_webhook(billing: Billing, command: CreateWebhook) -> WebhookCreated:
    """The host need not resolve yet. Raises InvalidRequest for a URL that is not allowed,
    WrongState when there are too many destinations."""
    _check_url(billing, command.url)
    now = billing.clock.now()
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"
    row = WebhookDestinationRow(
        tenant_id=billing.tenant.id,
        public_id=new_id("whd"),
        url=command.url,
        topics=command.topics,
        connect=int(command.connect),
        enabled=1,
        secret=billing.providers.vault.seal_if_possible(secret),
        created_at=now,
        updated_at=now,
    )
    with billing.database.write() as session:
        if webhooks.count(session, billing.tenant.id) >= DESTINATIONS_MAX:
            raise WrongState(
                f"there are {DESTINATIONS_MAX} webhook destinations, which is the most",
                hint="Delete one that is not needed, or change its URL.",
            )
        session.add(row)
    return WebhookCreated(id=row.public_id, secret=secret, created_at=now)


def list_webhooks(billing: Billing, command: ListWebhooks) -> WebhookList:
    """Destinations without their secrets, newest first."""
    with billing.database.read() as session:
        rows = webhooks.of_tenant(
            session, billing.tenant.id, enabled=command.enabled, connect=command.connect
        )
        items = [WebhookWithoutSecret(**_shown(row)) for row in rows]
    return WebhookList(items=items, total_count=len(items))


def get_webhook(billing: Billing, command: GetWebhook) -> Webhook:
    """A destination with its secret."""
    with billing.database.read() as session:
        row = destination_of(session, billing, command.webhook_id)
        return Webhook(**_shown(row), secret=billing.providers.vault.open(row.secret))


def update_webhook(billing: Billing, command: UpdateWebhook) -> Webhook:
    """Raises NotFound, and as `create_webhook` does."""
    if command.url is not None:
        _check_url(billing, command.url)
    now = billing.clock.now()
    with billing.database.write() as session:
        row = destination_of(session, billing, command.webhook_id, lock=True)
        assert row.id is not None
        if command.url is not None:
            row.url = command.url
        if command.topics is not None:
            row.topics = command.topics
        if command.enabled is True and not row.enabled:
            row.enabled, row.failing_since, row.disabled_reason = 1, None, None
            deliveries.release_all(session, row.id, now)
        if command.enabled is False:
            row.enabled = 0
            deliveries.park(session, row.id)
        row.updated_at = now
        return Webhook(**_shown(row), secret=billing.providers.vault.open(row.secret))


def delete_webhook(billing: Billing, command: GetWebhook) -> None:
    """The destination with what was, or was to be, sent there. Raises NotFound."""
    with billing.database.write() as session:
        webhooks.remove(session, destination_of(session, billing, command.webhook_id, lock=True))


def destination_of(
    session: Session, billing: Billing, webhook_id: str, *, lock: bool = False
) -> WebhookDestinationRow:
    row = webhooks.find(session, billing.tenant.id, webhook_id, lock=lock)
    if row is None:
        raise NotFound(f"there is no webhook destination '{webhook_id}'")
    return row


def private_allowed(settings: Settings, environment: str) -> bool:
    """Whether webhooks may go to addresses that are not public."""
    said = settings.webhook_allow_private
    return environment == "test" if said is None else said


def _check_url(billing: Billing, url: str) -> None:
    """https; also http, in the test environment, on this machine or where the operator says that
    private addresses are meant. Where it leads is checked whenever something is sent."""
    parts = _split(url)
    test = billing.tenant.environment == "test"
    here = parts.hostname in LOOPBACK and private_allowed(billing.settings, "test")
    plain = test and (here or billing.settings.webhook_allow_private is True)
    if not parts.hostname or (parts.scheme != "https" and not (plain and parts.scheme == "http")):
        raise InvalidRequest(
            "url", "must be an https URL" + (", or http on localhost" if test else "")
        )
    if parts.username is not None or parts.password is not None:
        raise InvalidRequest("url", "must not have a user name or password in it")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
        good = url.isprintable() and " " not in url
    except ValueError:
        good = False
    if not good:
        raise InvalidRequest("url", "is not a URL")
    return parts


def _shown(row: WebhookDestinationRow) -> dict[str, object]:
    return {
        "id": row.public_id,
        "url": row.url,
        "topics": row.topics,
        "connect": bool(row.connect),
        "enabled": bool(row.enabled),
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "failing_since": row.failing_since,
        "disabled_reason": row.disabled_reason,
    }
