"""Tables of what a payment provider told us and how it calls our things. Declarations only."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from credyt_mcp.storage.types import Micros, RowId

NOT_DONE = text("done_at IS NULL")


class ProviderEventRow(SQLModel, table=True):
    """A hint of a provider's, kept before it is answered and until it was looked into.

    `tenant_id` is known once its payment is found. `outcome` says what came of it.
    """

    __tablename__ = "provider_events"
    __table_args__ = (
        UniqueConstraint("provider", "account", "event_id"),
        Index(
            "provider_events_due",
            "next_attempt_at",
            sqlite_where=NOT_DONE,
            postgresql_where=NOT_DONE,
        ),
    )

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int | None = None
    provider: str = Field(sa_type=Text)
    account: str = Field(sa_type=Text)
    event_id: str = Field(sa_type=Text)
    livemode: int
    object_kind: str = Field(sa_type=Text)
    object_id: str = Field(sa_type=Text)
    body: str = Field(sa_type=Text)
    attempts: int = 0
    received_at: datetime = Field(sa_type=Micros)
    next_attempt_at: datetime = Field(sa_type=Micros)
    done_at: datetime | None = Field(default=None, sa_type=Micros)
    outcome: str | None = Field(default=None, sa_type=Text)


class ProviderRefRow(SQLModel, table=True):
    """The provider's id of a customer or a charge of ours."""

    __tablename__ = "provider_refs"

    tenant_id: int = Field(primary_key=True)
    provider: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(primary_key=True, sa_type=Text)
    ref: str = Field(sa_type=Text)
