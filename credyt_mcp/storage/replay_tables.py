"""Tables of replays of recorded usage under other prices. Declarations only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from credyt_mcp.storage.types import ExactJson, Micros, RowId


class ReplayRow(SQLModel, table=True):
    """`result` is what callers are shown; without it the replay is under way, or was cut off."""

    __tablename__ = "replays"
    __table_args__ = (UniqueConstraint("tenant_id", "public_id"),)

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    public_id: str = Field(sa_type=Text)
    result: Any = Field(default=None, nullable=True, sa_type=ExactJson)
    created_at: datetime = Field(sa_type=Micros)


class ReplayedCustomerRow(SQLModel, table=True):
    """What one customer's usage came to in a replay. `rise` is in ten-thousandths of a percent,
    of a first bill the largest there is."""

    __tablename__ = "replayed_customers"
    __table_args__ = (Index("replayed_customers_rise", "tenant_id", "replay_id", "rise"),)

    tenant_id: int = Field(primary_key=True)
    replay_id: int = Field(primary_key=True, sa_type=BigInteger)
    customer_id: str = Field(primary_key=True, sa_type=Text)
    rise: int = Field(sa_type=BigInteger)
    details: Any = Field(sa_type=ExactJson)
