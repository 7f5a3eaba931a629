"""Tables of automatic top-ups: the rules, and the charges they make. Declarations only, by the
rules of tables.py."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from credyt_mcp.storage.types import ExactJson, Micros, RowId

OPEN = text("status IN ('open', 'charging', 'waiting', 'confirming')")
DUE = text("next_attempt_at IS NOT NULL")
TO_CHECK = text("check_at IS NOT NULL")


class AutoTopUpRow(SQLModel, table=True):
    """A rule, see `domain.auto_top_ups.Rule`. What it does is decided in the lane; its terms are
    set outside, under the customer's lock. `consent` is what the customer agreed to, and when."""

    __tablename__ = "auto_top_ups"
    __table_args__ = (
        UniqueConstraint("account_id"),
        Index("auto_top_ups_customer", "tenant_id", "customer_id"),
        Index(
            "auto_top_ups_due",
            "tenant_id",
            "check_at",
            sqlite_where=TO_CHECK,
            postgresql_where=TO_CHECK,
        ),
    )

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    customer_id: int = Field(sa_type=BigInteger)
    account_id: int = Field(sa_type=BigInteger)
    status: str = Field(sa_type=Text)
    reason: str | None = Field(default=None, sa_type=Text)
    threshold: int = Field(sa_type=BigInteger)
    amount: int = Field(sa_type=BigInteger)
    currency: str = Field(sa_type=Text)
    provider: str = Field(sa_type=Text)
    provider_account: str = Field(sa_type=Text)
    card: str | None = Field(default=None, sa_type=Text)
    daily_count: int | None = None
    monthly_count: int | None = None
    daily_limit: int | None = Field(default=None, sa_type=BigInteger)
    monthly_limit: int | None = Field(default=None, sa_type=BigInteger)
    top_up_id: str | None = Field(default=None, sa_type=Text)
    check_at: datetime | None = Field(default=None, sa_type=Micros)
    consent: Any = Field(sa_type=ExactJson)
    created_at: datetime = Field(sa_type=Micros)
    updated_at: datetime = Field(sa_type=Micros)


class AutoChargeRow(SQLModel, table=True):
    """The charge of a saved card behind an automatic top-up; `top_up_id` is the public one.
    `occasion` is why it began: threshold and what was available."""

    __tablename__ = "auto_charges"
    __table_args__ = (
        UniqueConstraint("tenant_id", "top_up_id"),
        # The second wall: the lane does not begin another while one is under way.
        Index(
            "auto_charges_one_at_once",
            "account_id",
            unique=True,
            sqlite_where=OPEN,
            postgresql_where=OPEN,
        ),
        Index("auto_charges_account", "account_id", "id"),
        Index(
            "auto_charges_due",
            "tenant_id",
            "next_attempt_at",
            sqlite_where=DUE,
            postgresql_where=DUE,
        ),
    )

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    customer_id: int = Field(sa_type=BigInteger)
    account_id: int = Field(sa_type=BigInteger)
    top_up_id: str = Field(sa_type=Text)
    amount: int = Field(sa_type=BigInteger)
    currency: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    attempt: int = 0
    asks: int = 0
    next_attempt_at: datetime | None = Field(default=None, sa_type=Micros)
    code: str | None = Field(default=None, sa_type=Text)
    occasion: Any = Field(sa_type=ExactJson)
    created_at: datetime = Field(sa_type=Micros)
