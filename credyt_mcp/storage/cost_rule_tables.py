"""Tables of costs that are a matter of choice: the rules, what is to be settled by them, who uses
what is shared, whose data went into whose requests. Declarations only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Text, text
from sqlmodel import Field, SQLModel

from credyt_mcp.storage.types import ExactJson, Key, Micros

_OPEN = text("allocation IS NULL")


class CostRulesRow(SQLModel, table=True):
    """A tenant's `domain.cost_rules.CostRules`; without a row the default ones hold."""

    __tablename__ = "cost_rules"

    tenant_id: int = Field(primary_key=True)
    rules: Any = Field(sa_type=ExactJson)
    updated_at: datetime = Field(sa_type=Micros)


class SharedCostRow(SQLModel, table=True):
    """A cost (by the key of its id) that is settled once its window is over, by `allocation`; see
    `domain.cost_rules.Shared`. `rule` is what sorts it into a window."""

    __tablename__ = "shared_costs"
    __table_args__ = (
        Index(
            "shared_costs_due",
            "tenant_id",
            "due_at",
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
    )

    tenant_id: int = Field(primary_key=True)
    key: bytes = Field(primary_key=True, sa_type=Key)
    customer_id: int = Field(sa_type=BigInteger)
    cause: str = Field(sa_type=Text)
    rule: str = Field(sa_type=Text)
    shared_key: str = Field(sa_type=Text)
    first_day: int
    last_day: int
    kind: Any = Field(sa_type=ExactJson)
    units: int = Field(sa_type=BigInteger)
    due_at: datetime = Field(sa_type=Micros)
    allocation: str | None = Field(default=None, sa_type=Text)


class SharedUseRow(SQLModel, table=True):
    """How often a customer used on one UTC day (counted since 1970) what a `pool` pays for; only
    ever added to."""

    __tablename__ = "shared_uses"
    __table_args__ = {"sqlite_with_rowid": False}

    tenant_id: int = Field(primary_key=True)
    pool: str = Field(primary_key=True, sa_type=Text)
    day: int = Field(primary_key=True)
    customer_id: int = Field(primary_key=True, sa_type=BigInteger)
    uses: int = Field(sa_type=BigInteger)


class CostDependencyRow(SQLModel, table=True):
    """An event that was made with the data of a customer (`customer_id`) who does not pay it."""

    __tablename__ = "cost_dependencies"
    __table_args__ = (
        Index("cost_dependencies_customer", "tenant_id", "customer_id", "event_id"),
        {"sqlite_with_rowid": False},
    )

    tenant_id: int = Field(primary_key=True)
    event_id: int = Field(primary_key=True, sa_type=BigInteger)
    customer_id: int = Field(primary_key=True, sa_type=BigInteger)
