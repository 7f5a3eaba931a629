"""Tables of what model calls cost: own prices, and calls that have no price. Declarations only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from credyt_mcp.storage.types import ExactJson, Key, Micros, RowId


class LlmPriceRow(SQLModel, table=True):
    """The tenant's own price of a model from `valid_from` on (1970: always), which goes before the
    published one. `terms` are rates, factors of tiers, or another model that it costs the same as.
    """

    __tablename__ = "llm_prices"
    __table_args__ = (UniqueConstraint("tenant_id", "provider", "model", "valid_from"),)

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    provider: str = Field(sa_type=Text)
    model: str = Field(sa_type=Text)
    valid_from: datetime = Field(sa_type=Micros)
    terms: Any = Field(sa_type=ExactJson)
    updated_at: datetime = Field(sa_type=Micros)


class UnpricedCostRow(SQLModel, table=True):
    """A cost of a model call that had no price when its event was recorded. `late` is the cost it
    became once there was one, set once; the event stays as it is."""

    __tablename__ = "unpriced_costs"
    __table_args__ = (
        Index(
            "unpriced_costs_open",
            "tenant_id",
            "key",
            sqlite_where=text("late IS NULL"),
            postgresql_where=text("late IS NULL"),
        ),
        Index("unpriced_costs_event", "event_id"),
    )

    tenant_id: int = Field(primary_key=True)
    key: bytes = Field(primary_key=True, sa_type=Key)
    event_id: int = Field(sa_type=BigInteger)
    customer_id: int = Field(sa_type=BigInteger)
    booked_at: datetime = Field(sa_type=Micros)
    late: Any = Field(default=None, nullable=True, sa_type=ExactJson)
