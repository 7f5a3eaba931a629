"""Tables of budgets: what may be used, and what is. Declarations only."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from credyt_mcp.storage.types import Micros, RowId

TERMS = ("tenant_id", "customer_id", "user_id", "subject", "metric", "asset", "span")
"""What tells one budget of a customer from another."""


class BudgetRow(SQLModel, table=True):
    """See `domain.budgets.Budget`; `amount` is its limit."""

    __tablename__ = "budgets"
    __table_args__ = (UniqueConstraint(*TERMS),)

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    public_id: str = Field(sa_type=Text)
    customer_id: int = Field(sa_type=BigInteger)
    user_id: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    metric: str = Field(sa_type=Text)
    asset: str = Field(sa_type=Text)
    span: str = Field(sa_type=Text)
    amount: int = Field(sa_type=BigInteger)
    created_at: datetime = Field(sa_type=Micros)
    updated_at: datetime = Field(sa_type=Micros)


class BudgetUseRow(SQLModel, table=True):
    """See `domain.budgets.BudgetUse`. One row a share: its window moves on with the clock."""

    __tablename__ = "budget_uses"
    __table_args__ = {"sqlite_with_rowid": False}

    tenant_id: int = Field(primary_key=True)
    budget_id: int = Field(primary_key=True, sa_type=BigInteger)
    part: str = Field(primary_key=True, sa_type=Text)
    began_at: int = Field(sa_type=BigInteger)
    used: int = Field(sa_type=BigInteger)
    held: int = Field(sa_type=BigInteger)
