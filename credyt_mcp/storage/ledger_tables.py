"""The ledger's tables: accounts, entries, grants, usage, holds. Declarations only.

Amounts are integers in the asset's ledger scale. Entries, transactions and events are never
updated or deleted.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from credyt_mcp.storage.types import ExactDecimal, ExactJson, Key, Micros, RowId


class LedgerAccountRow(SQLModel, table=True):
    """A place in the ledger. `kind` wallet: a customer's account, with a live balance. Any other
    kind is the tenant's side (customer_id 0) and carries none, or every customer would queue.
    `held` is what open authorizations have set aside of the balance."""

    __tablename__ = "ledger_accounts"
    __table_args__ = (UniqueConstraint("tenant_id", "customer_id", "kind", "name", "asset"),)

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    customer_id: int = Field(sa_type=BigInteger)
    kind: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    asset: str = Field(sa_type=Text)
    balance: int = Field(default=0, sa_type=BigInteger)
    held: int = Field(default=0, sa_type=BigInteger)
    overdraft_limit: int = Field(default=0, sa_type=BigInteger)
    hard_limit: int = 0
    low_threshold: int | None = Field(default=None, sa_type=BigInteger)
    low_noticed: int = 0
    top_up_below: int | None = Field(default=None, sa_type=BigInteger)
    created_at: datetime = Field(sa_type=Micros)


class LedgerTransactionRow(SQLModel, table=True):
    """Any balanced set of entries except an event's fees, whose transaction is the event row:
    both take their ids from one sequence."""

    __tablename__ = "ledger_transactions"
    __table_args__ = (UniqueConstraint("tenant_id", "key"),)

    id: int = Field(primary_key=True, sa_type=RowId)
    tenant_id: int
    key: bytes = Field(sa_type=Key)
    kind: str = Field(sa_type=Text)
    client_id: str = Field(sa_type=Text)
    customer_id: int = Field(sa_type=BigInteger)
    account_id: int = Field(sa_type=BigInteger)
    amount: int = Field(sa_type=BigInteger)
    description: str | None = Field(default=None, sa_type=Text)
    details: Any = Field(sa_type=ExactJson)
    recorded_at: datetime = Field(sa_type=Micros)
    executed_at: datetime | None = Field(default=None, sa_type=Micros)


class LedgerEntryRow(SQLModel, table=True):
    __tablename__ = "ledger_entries"
    __table_args__ = (Index("ledger_entries_account", "account_id", "id"),)

    id: int = Field(primary_key=True, sa_type=RowId)
    tenant_id: int
    transaction_id: int = Field(sa_type=BigInteger)
    account_id: int = Field(sa_type=BigInteger)
    amount: int = Field(sa_type=BigInteger)
    balance_after: int | None = Field(default=None, sa_type=BigInteger)


_LIVE = text("live = 1")


class GrantRow(SQLModel, table=True):
    """A dated parcel of credit. `remaining` is what is left to use; `booked` tells whether it is
    in the balance yet (a grant that takes effect later is not). `basis` is what using a unit earns,
    as `domain.grants.Basis` writes it; NULL is its face value.

    `live` is 1 until it is used up. The indexes know that rather than `remaining`, which changes
    with every debit: an update that no index notices costs a fraction of one.
    """

    __tablename__ = "grants"
    __table_args__ = (
        Index("grants_live", "account_id", sqlite_where=_LIVE, postgresql_where=_LIVE),
        Index("grants_account", "account_id", "id"),
        Index(
            "grants_expiring",
            "tenant_id",
            "expires_at",
            sqlite_where=_LIVE,
            postgresql_where=_LIVE,
        ),
        Index(
            "grants_deferred",
            "tenant_id",
            "effective_at",
            sqlite_where=text("booked = 0"),
            postgresql_where=text("booked = 0"),
        ),
    )

    id: int = Field(primary_key=True, sa_type=RowId)
    tenant_id: int
    account_id: int = Field(sa_type=BigInteger)
    transaction_id: int = Field(sa_type=BigInteger)
    purpose: str = Field(sa_type=Text)
    source: str = Field(sa_type=Text)
    priority: int
    amount: int = Field(sa_type=BigInteger)
    remaining: int = Field(sa_type=BigInteger)
    booked: int
    expiring_noticed: int = 0
    basis: str | None = Field(default=None, sa_type=Text)
    live: int
    effective_at: datetime = Field(sa_type=Micros)
    expires_at: datetime | None = Field(default=None, sa_type=Micros)
    created_at: datetime = Field(sa_type=Micros)


_HAS_USER = text("user_id IS NOT NULL")


class EventRow(SQLModel, table=True):
    """A usage event with its immutable fees inside (compact, see `domain.usage`)."""

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("tenant_id", "key"),
        # Without the tenant: of two indexes that begin with it, Postgres without statistics took
        # the wrong one for the repeat check, and read every event of the tenant.
        Index("events_customer", "customer_id", "id"),
        Index("events_user", "user_id", "id", sqlite_where=_HAS_USER, postgresql_where=_HAS_USER),
    )

    id: int = Field(primary_key=True, sa_type=RowId)
    tenant_id: int
    key: bytes = Field(sa_type=Key)
    client_id: str | None = Field(default=None, sa_type=Text)
    customer_id: int = Field(sa_type=BigInteger)
    event_type: str = Field(sa_type=Text)
    subject: str | None = Field(default=None, sa_type=Text)
    user_id: str | None = Field(default=None, sa_type=Text)
    description: str | None = Field(default=None, sa_type=Text)
    data: Any = Field(default=None, nullable=True, sa_type=ExactJson)
    fees: Any = Field(default=None, nullable=True, sa_type=ExactJson)
    costs: Any = Field(default=None, nullable=True, sa_type=ExactJson)
    occurred_at: datetime = Field(sa_type=Micros)
    recorded_at: datetime = Field(sa_type=Micros)


class PeriodCounterRow(SQLModel, table=True):
    """Running count of a tiered price: per customer, product, price name, dimensions, period."""

    __tablename__ = "period_counters"

    tenant_id: int = Field(primary_key=True)
    customer_id: int = Field(primary_key=True, sa_type=BigInteger)
    key: bytes = Field(primary_key=True, sa_type=Key)
    units: Decimal = Field(sa_type=ExactDecimal)
    volume: Decimal = Field(sa_type=ExactDecimal)


class AuthorizationRow(SQLModel, table=True):
    """A hold. `legs` lists [account id, authorized, held, captured] per account it touches."""

    __tablename__ = "authorizations"
    __table_args__ = (
        UniqueConstraint("tenant_id", "key"),
        Index(
            "authorizations_open",
            "tenant_id",
            "customer_id",
            "expires_at",
            sqlite_where=text("status = 'open'"),
            postgresql_where=text("status = 'open'"),
        ),
        Index(
            "authorizations_expiring",
            "tenant_id",
            "expires_at",
            sqlite_where=text("status = 'open'"),
            postgresql_where=text("status = 'open'"),
        ),
    )

    id: int = Field(primary_key=True, sa_type=RowId)
    tenant_id: int
    key: bytes = Field(sa_type=Key)
    client_id: str = Field(sa_type=Text)
    customer_id: int = Field(sa_type=BigInteger)
    status: str = Field(sa_type=Text)
    legs: Any = Field(sa_type=ExactJson)
    request: Any = Field(sa_type=ExactJson)
    subject: str | None = Field(default=None, sa_type=Text)
    details: Any = Field(sa_type=ExactJson)
    expires_at: datetime = Field(sa_type=Micros)
    created_at: datetime = Field(sa_type=Micros)
    closed_at: datetime | None = Field(default=None, sa_type=Micros)


class NoticeRow(SQLModel, table=True):
    """Something the tenant should know, written in the transaction of what caused it: the outbox
    of webhooks. `details` is the data that is sent; of rows with one `once_key` there is one."""

    __tablename__ = "notices"
    __table_args__ = (
        Index("notices_newest", "tenant_id", "id"),
        Index("notices_public", "public_id", "tenant_id", unique=True),
        Index("notices_once", "tenant_id", "once_key", unique=True),
        Index(
            "notices_to_dispatch",
            "tenant_id",
            "id",
            sqlite_where=text("dispatched = 0"),
            postgresql_where=text("dispatched = 0"),
        ),
    )

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    public_id: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    customer_id: int = Field(sa_type=BigInteger)
    account_id: int = Field(sa_type=BigInteger)
    details: Any = Field(sa_type=ExactJson)
    once_key: bytes | None = Field(default=None, sa_type=Key)
    dispatched: int = 0
    is_test: int = 0
    created_at: datetime = Field(sa_type=Micros)


class AuditRow(SQLModel, table=True):
    """Who changed a limit, a key or an account, from what to what."""

    __tablename__ = "audit"
    __table_args__ = (Index("audit_newest", "tenant_id", "id"),)

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    actor: str = Field(sa_type=Text)
    action: str = Field(sa_type=Text)
    target: str = Field(sa_type=Text)
    before: Any = Field(sa_type=ExactJson)
    after: Any = Field(sa_type=ExactJson)
    created_at: datetime = Field(sa_type=Micros)
