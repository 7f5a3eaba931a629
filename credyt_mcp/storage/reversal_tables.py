"""Tables of money that goes back to customers, and of payments that others collect for us; with the
sandbox provider's own books of both. Declarations only, by the rules of tables.py."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from credyt_mcp.storage.types import ExactJson, Key, Micros, RowId

TO_POLL = text("next_poll_at IS NOT NULL")
DISPUTES = text("kind = 'dispute'")


class ReversalRow(SQLModel, table=True):
    """A refund or dispute of a top-up, see `domain.reversals.Reversal`. `amount` is in units of the
    payment's currency, `credit` and `frozen` in units of the asset of the account."""

    __tablename__ = "reversals"
    __table_args__ = (
        UniqueConstraint("tenant_id", "public_id"),
        # What a provider tells of one refund or dispute is one row, whoever hears it first.
        UniqueConstraint("tenant_id", "provider", "external_id"),
        Index("reversals_top_up", "tenant_id", "top_up_id"),
        Index(
            "reversals_disputed",
            *("tenant_id", "customer_id"),
            sqlite_where=DISPUTES,
            postgresql_where=DISPUTES,
        ),
        Index("reversals_newest", "tenant_id", "kind", "id"),
        Index("reversals_to_poll", "next_poll_at", sqlite_where=TO_POLL, postgresql_where=TO_POLL),
    )

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    customer_id: int = Field(sa_type=BigInteger)
    public_id: str = Field(sa_type=Text)
    top_up_id: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    origin: str = Field(sa_type=Text)
    provider: str = Field(sa_type=Text)
    external_id: str | None = Field(default=None, sa_type=Text)
    status: str = Field(sa_type=Text)
    amount: int = Field(sa_type=BigInteger)
    is_out: int
    credit: int = Field(sa_type=BigInteger)
    frozen: int = Field(sa_type=BigInteger)
    account_id: int | None = Field(default=None, sa_type=BigInteger)
    reason: str | None = Field(default=None, sa_type=Text)
    taken: Any = Field(sa_type=ExactJson)
    movements: Any = Field(sa_type=ExactJson)
    created_at: datetime = Field(sa_type=Micros)
    settled_at: datetime | None = Field(default=None, sa_type=Micros)
    next_poll_at: datetime | None = Field(default=None, sa_type=Micros)
    polls: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})


class ExternalPaymentRow(SQLModel, table=True):
    """A payment or refund that somebody else's system told us of by its own reference, which counts
    once. `refunded` is what of it was paid back since, in units of the account's asset."""

    __tablename__ = "external_payments"

    tenant_id: int = Field(primary_key=True)
    key: bytes = Field(primary_key=True, sa_type=Key)
    transaction_key: bytes = Field(sa_type=Key)
    client_id: str = Field(sa_type=Text)
    customer_id: int = Field(sa_type=BigInteger)
    account: str = Field(sa_type=Text)
    amount: int = Field(sa_type=BigInteger)
    recorded_at: datetime = Field(sa_type=Micros)
    refunded: int = Field(sa_type=BigInteger)
    grant_id: int | None = Field(default=None, sa_type=BigInteger)


class SandboxReversalRow(SQLModel, table=True):
    """A refund or dispute in the sandbox provider's books, of the payment `checkout_id`. `key` is
    of who asked for a refund; `movements` are what a dispute moved."""

    __tablename__ = "sandbox_reversals"
    __table_args__ = (
        UniqueConstraint("tenant_id", "key"),
        Index("sandbox_reversals_payment", "checkout_id"),
    )

    id: str = Field(sa_type=Text, primary_key=True)
    tenant_id: int
    checkout_id: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    key: str | None = Field(default=None, sa_type=Text)
    status: str = Field(sa_type=Text)
    amount_minor: int = Field(sa_type=BigInteger)
    movements: Any = Field(sa_type=ExactJson)
    created_at: datetime = Field(sa_type=Micros)
