"""Tables of outgoing webhooks: where to, and what was sent. Declarations only. The outbox itself is
`NoticeRow`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from credyt_mcp.storage.types import ExactJson, Micros, RowId

PENDING = text("state = 'pending'")
IN_LINE = text("state = 'pending' AND object IS NOT NULL")


class WebhookDestinationRow(SQLModel, table=True):
    """Where a tenant's webhooks go. Whoever changes what is due at a destination locks its row.

    `failing_since` is the first failure after the last success.
    """

    __tablename__ = "webhook_destinations"
    __table_args__ = (UniqueConstraint("tenant_id", "public_id"),)

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    public_id: str = Field(sa_type=Text)
    url: str = Field(sa_type=Text)
    topics: Any = Field(sa_type=ExactJson)
    connect: int
    enabled: int
    secret: str = Field(sa_type=Text)
    failing_since: datetime | None = Field(default=None, sa_type=Micros)
    disabled_reason: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(sa_type=Micros)
    updated_at: datetime = Field(sa_type=Micros)


class WebhookDeliveryRow(SQLModel, table=True):
    """A notice on its way to a destination; `state` is pending, delivered or given_up.

    Deliveries of one `object` (a customer) go in order of their ids: of those pending only the
    first has a `next_attempt_at`. It has none either while the destination is disabled.
    `leased_until` is set while a process sends it; a process that dies lets it lapse.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("tenant_id", "notice_id", "destination_id"),
        Index("webhook_deliveries_newest", "tenant_id", "id"),
        Index(
            "webhook_deliveries_due",
            "next_attempt_at",
            "destination_id",
            sqlite_where=PENDING,
            postgresql_where=PENDING,
        ),
        Index(
            "webhook_deliveries_order",
            "destination_id",
            "object",
            "id",
            sqlite_where=IN_LINE,
            postgresql_where=IN_LINE,
        ),
    )

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    notice_id: int = Field(sa_type=BigInteger)
    destination_id: int = Field(sa_type=BigInteger)
    object: int | None = Field(default=None, sa_type=BigInteger)
    state: str = Field(default="pending", sa_type=Text)
    attempts: int = 0
    replays: int = 0
    next_attempt_at: datetime | None = Field(default=None, sa_type=Micros)
    leased_until: datetime | None = Field(default=None, sa_type=Micros)
    first_attempt_at: datetime | None = Field(default=None, sa_type=Micros)
    successful_at: datetime | None = Field(default=None, sa_type=Micros)
    failed_at: datetime | None = Field(default=None, sa_type=Micros)
    response_status: int | None = None
    response_text: str | None = Field(default=None, sa_type=Text)
    error: str | None = Field(default=None, sa_type=Text)
