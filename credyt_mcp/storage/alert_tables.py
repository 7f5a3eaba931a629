"""Tables of alerts: the tenant's rules, and which of them have been told of. Declarations only."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field, SQLModel

from credyt_mcp.storage.types import ExactDecimal, ExactJson, Micros, RowId


class AlertRuleRow(SQLModel, table=True):
    """A figure to watch. `target` is whose, for a `scope` that needs it: our row id of a customer,
    the code of a product, the name of a model. A rule on an hour keeps in `base` what the day's
    sums were when the hour of `base_at` began: [revenue, costs, unpriced] by customer."""

    __tablename__ = "alert_rules"
    __table_args__ = (Index("alert_rules_public", "public_id", "tenant_id", unique=True),)

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    public_id: str = Field(sa_type=Text)
    name: str | None = Field(default=None, sa_type=Text)
    metric: str = Field(sa_type=Text)
    scope: str = Field(sa_type=Text)
    target: str = Field(sa_type=Text)
    currency: str = Field(sa_type=Text)
    threshold: Decimal = Field(sa_type=ExactDecimal)
    span: str = Field(sa_type=Text)
    base: Any = Field(default=None, nullable=True, sa_type=ExactJson)
    base_at: datetime | None = Field(default=None, sa_type=Micros)
    created_at: datetime = Field(sa_type=Micros)


class AlertTriggeredRow(SQLModel, table=True):
    """A rule was crossed in the window that began at `began_at`, and the tenant was told;
    `customer_id` is 0 unless the rule watches each customer."""

    __tablename__ = "alerts_triggered"

    tenant_id: int = Field(primary_key=True)
    rule_id: int = Field(primary_key=True, sa_type=BigInteger)
    customer_id: int = Field(primary_key=True, sa_type=BigInteger)
    began_at: datetime = Field(sa_type=Micros)
