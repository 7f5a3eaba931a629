"""Tables of our access to payment providers, what they told us and how they call our things.
Declarations only."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from credyt_mcp.storage.types import ExactDecimal, ExactJson, Micros, RowId

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
    """What a customer or a charge of ours is called at one account of a provider."""

    __tablename__ = "provider_refs"

    tenant_id: int = Field(primary_key=True)
    provider: str = Field(primary_key=True, sa_type=Text)
    account: str = Field(
        default="",
        primary_key=True,
        sa_type=Text,
        sa_column_kwargs={"server_default": text("''")},
    )
    name: str = Field(primary_key=True, sa_type=Text)
    ref: str = Field(sa_type=Text)


class PaymentAccountRow(SQLModel, table=True):
    """An account at a payment provider that a tenant takes payments with: `account` is the
    provider's id for it. One is `active` and takes new payments; what was begun with another is
    brought to its end there.

    With a key of its own, `secret_key` holds it, sealed; one that is `connected` is reached through
    the platform's. `webhook_secrets` is a sealed list in JSON. `shown` says how the key looks.
    """

    __tablename__ = "payment_accounts"
    __table_args__ = (
        UniqueConstraint("public_id"),
        UniqueConstraint("tenant_id", "provider", "account"),
        Index("payment_accounts_at", "provider", "account"),
    )

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    public_id: str = Field(sa_type=Text)
    provider: str = Field(sa_type=Text)
    account: str = Field(sa_type=Text)
    connected: int
    secret_key: str | None = Field(default=None, sa_type=Text)
    shown: str | None = Field(default=None, sa_type=Text)
    restricted: int = 0
    webhook_secrets: str | None = Field(default=None, sa_type=Text)
    fee_percent: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    active: int = 1
    created_at: datetime = Field(sa_type=Micros)
    key_set_at: datetime = Field(sa_type=Micros)


class PaymentSettingsRow(SQLModel, table=True):
    """What a tenant set for its payments. `limits` are by currency, in major units; where a setting
    is absent, the server's applies."""

    __tablename__ = "payment_settings"

    tenant_id: int = Field(primary_key=True)
    return_url_hosts: Any = Field(default=None, nullable=True, sa_type=ExactJson)
    limits: Any = Field(default=None, nullable=True, sa_type=ExactJson)
    automatic_tax: int = 0
    invoices: int = 0
