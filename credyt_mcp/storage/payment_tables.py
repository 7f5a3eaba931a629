"""Tables of payments, of customers' way in to make them, and the sandbox provider's own books.
Declarations only, by the rules of tables.py.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from credyt_mcp.storage.types import ExactDecimal, ExactJson, Micros, RowId

POLLED = text("next_poll_at IS NOT NULL")


class SubscriptionPaymentRow(SQLModel, table=True):
    """Fees that a provider collects, see `domain.subscriptions.Payment`. `link` counts the payment
    pages made for it, of which `provider_ref` is the last."""

    __tablename__ = "subscription_payments"
    __table_args__ = (
        UniqueConstraint("tenant_id", "public_id"),
        # Two processes cannot ask for the fees of one moment twice.
        Index(
            "subscription_payments_once",
            "tenant_id",
            "subscription_id",
            "kind",
            "period_from",
            unique=True,
            sqlite_where=text("status <> 'canceled'"),
            postgresql_where=text("status <> 'canceled'"),
        ),
        Index("subscription_payments_customer", "tenant_id", "customer_id"),
        Index(
            "subscription_payments_due",
            "tenant_id",
            "next_attempt_at",
            sqlite_where=text("next_attempt_at IS NOT NULL"),
            postgresql_where=text("next_attempt_at IS NOT NULL"),
        ),
    )

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    public_id: str = Field(sa_type=Text)
    customer_id: int = Field(sa_type=BigInteger)
    subscription_id: int = Field(sa_type=BigInteger)
    kind: str = Field(sa_type=Text)
    period_from: datetime = Field(sa_type=Micros)
    period_to: datetime | None = Field(default=None, sa_type=Micros)
    lines: Any = Field(sa_type=ExactJson)
    amount: int = Field(sa_type=BigInteger)
    currency: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    reason: str | None = Field(default=None, sa_type=Text)
    attempt: int = 0
    next_attempt_at: datetime | None = Field(default=None, sa_type=Micros)
    link: int = 0
    provider_ref: str | None = Field(default=None, sa_type=Text)
    redirect_url: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(sa_type=Micros)
    settled_at: datetime | None = Field(default=None, sa_type=Micros)


class TopUpRow(SQLModel, table=True):
    """A payment on its way to becoming a grant; asked after at `next_poll_at` of real time."""

    __tablename__ = "top_ups"
    __table_args__ = (
        UniqueConstraint("tenant_id", "public_id"),
        Index("top_ups_to_poll", "next_poll_at", sqlite_where=POLLED, postgresql_where=POLLED),
    )

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    public_id: str = Field(sa_type=Text)
    customer_id: int = Field(sa_type=BigInteger, index=True)
    status: str = Field(sa_type=Text)
    amount: int = Field(sa_type=BigInteger)
    currency: str = Field(sa_type=Text)
    account_name: str = Field(sa_type=Text)
    asset: str = Field(sa_type=Text)
    exchange_rate: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    details: Any = Field(sa_type=ExactJson)
    provider: str = Field(sa_type=Text)
    provider_ref: str | None = Field(default=None, sa_type=Text)
    redirect_url: str | None = Field(default=None, sa_type=Text)
    credit_expires_at: datetime | None = Field(default=None, sa_type=Micros)
    created_at: datetime = Field(sa_type=Micros)
    expires_at: datetime = Field(sa_type=Micros)
    settled_at: datetime | None = Field(default=None, sa_type=Micros)
    next_poll_at: datetime | None = Field(default=None, sa_type=Micros)
    polls: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})


class PortalSessionRow(SQLModel, table=True):
    """A customer let into their billing page: by link until `link_expires_at`, then by the cookie
    that the link was exchanged for. Only the cookie's hash is kept."""

    __tablename__ = "portal_sessions"
    __table_args__ = (
        UniqueConstraint("key_hash"),
        Index("portal_sessions_customer", "tenant_id", "customer_id"),
    )

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    customer_id: int = Field(sa_type=BigInteger)
    key_hash: bytes
    return_url: str = Field(sa_type=Text)
    failure_url: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=Micros)
    link_expires_at: datetime = Field(sa_type=Micros)
    expires_at: datetime = Field(sa_type=Micros)


class SandboxSessionRow(SQLModel, table=True):
    """What the sandbox payment provider remembers of a checkout; the provider's books, not ours."""

    __tablename__ = "sandbox_sessions"
    __table_args__ = (Index("sandbox_sessions_paid", "tenant_id", "created_at"),)

    id: str = Field(sa_type=Text, primary_key=True)
    tenant_id: int
    reference: str = Field(sa_type=Text, unique=True)
    status: str = Field(sa_type=Text)
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str = Field(sa_type=Text)
    description: str = Field(sa_type=Text)
    return_url: str = Field(sa_type=Text)
    failure_url: str = Field(sa_type=Text)
    save_card: int = 0
    customer_key: str | None = Field(default=None, sa_type=Text)
    setup: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    card: str | None = Field(default=None, sa_type=Text)
    refunds: str = Field(default="succeeded", sa_type=Text)
    created_at: datetime = Field(sa_type=Micros)
    expires_at: datetime = Field(sa_type=Micros)


class SandboxCardRow(SQLModel, table=True):
    """A test card that the sandbox provider keeps for a customer. Never a real number."""

    __tablename__ = "sandbox_payment_methods"
    __table_args__ = (UniqueConstraint("tenant_id", "customer_key", "number"),)

    id: str = Field(sa_type=Text, primary_key=True)
    tenant_id: int
    customer_key: str = Field(sa_type=Text)
    number: str = Field(sa_type=Text)
    authenticated: int = 0
    created_at: datetime = Field(sa_type=Micros)


class SandboxChargeRow(SQLModel, table=True):
    """A charge of a kept card, by the caller's key: asking twice charges once."""

    __tablename__ = "sandbox_charges"

    tenant_id: int = Field(primary_key=True)
    key: str = Field(sa_type=Text, primary_key=True)
    status: str = Field(sa_type=Text)
    reason: str | None = Field(default=None, sa_type=Text)
    code: str | None = Field(default=None, sa_type=Text)
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str = Field(sa_type=Text)
