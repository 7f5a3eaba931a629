"""Tables of rollups: revenue and cost summed by what they may be grouped by. Declarations only.

Rows are only ever added to, in the transaction of what is added. A sum of many amounts may not fit
64 bits, so each is a whole number of billions and the rest (see rollups.py).
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field, SQLModel

from credyt_mcp.storage.types import Key


class MarginRow(SQLModel, table=True):
    """All customers' together, of one UTC day (counted since 1970): see `domain.margins.Cell`.

    Every wallet adds to these rows, so they have copies, or `shard`s, that are summed on reading:
    processes need not queue for one.
    """

    __tablename__ = "margins"
    __table_args__ = (
        Index("margins_vendor", "tenant_id", "vendor", "day"),
        {"sqlite_with_rowid": False},
    )

    tenant_id: int = Field(primary_key=True)
    day: int = Field(primary_key=True)
    shard: int = Field(primary_key=True)
    event_type: str = Field(primary_key=True, sa_type=Text)
    price: int = Field(primary_key=True, sa_type=BigInteger)
    product: str = Field(primary_key=True, sa_type=Text)
    vendor: str = Field(primary_key=True, sa_type=Text)
    model: str = Field(primary_key=True, sa_type=Text)
    category: str = Field(primary_key=True, sa_type=Text)
    currency: str = Field(primary_key=True, sa_type=Text)
    revenue: int = Field(sa_type=BigInteger)
    revenue_rest: int = Field(sa_type=BigInteger)
    costs: int = Field(sa_type=BigInteger)
    costs_rest: int = Field(sa_type=BigInteger)
    repeated: int = Field(sa_type=BigInteger)
    repeated_rest: int = Field(sa_type=BigInteger)
    events: int = Field(sa_type=BigInteger)
    unpriced: int = Field(sa_type=BigInteger)


class CustomerMarginRow(SQLModel, table=True):
    """One customer's (our row id), of one day or, from `rollups.MONTHS` on, one month.

    The rows of a period stand together, since those of today are what is written. A customer's
    have one writer at a time, who holds the wallet.
    """

    __tablename__ = "customer_margins"
    __table_args__ = {"sqlite_with_rowid": False}

    tenant_id: int = Field(primary_key=True)
    period: int = Field(primary_key=True)
    customer_id: int = Field(primary_key=True, sa_type=BigInteger)
    currency: str = Field(primary_key=True, sa_type=Text)
    revenue: int = Field(sa_type=BigInteger)
    revenue_rest: int = Field(sa_type=BigInteger)
    costs: int = Field(sa_type=BigInteger)
    costs_rest: int = Field(sa_type=BigInteger)
    events: int = Field(sa_type=BigInteger)
    unpriced: int = Field(sa_type=BigInteger)


class UseMarginRow(SQLModel, table=True):
    """One end user's (`user_id`) and task's (`subject`) of a customer, of one day, where the app
    named at least one of the two; the other is empty."""

    __tablename__ = "use_margins"
    __table_args__ = {"sqlite_with_rowid": False}

    tenant_id: int = Field(primary_key=True)
    period: int = Field(primary_key=True)
    customer_id: int = Field(primary_key=True, sa_type=BigInteger)
    user_id: str = Field(primary_key=True, sa_type=Text)
    subject: str = Field(primary_key=True, sa_type=Text)
    currency: str = Field(primary_key=True, sa_type=Text)
    revenue: int = Field(sa_type=BigInteger)
    revenue_rest: int = Field(sa_type=BigInteger)
    costs: int = Field(sa_type=BigInteger)
    costs_rest: int = Field(sa_type=BigInteger)
    events: int = Field(sa_type=BigInteger)
    unpriced: int = Field(sa_type=BigInteger)


class CostIdRow(SQLModel, table=True):
    """A cost that was counted: its id counts once."""

    __tablename__ = "cost_ids"
    __table_args__ = {"sqlite_with_rowid": False}

    tenant_id: int = Field(primary_key=True)
    key: bytes = Field(primary_key=True, sa_type=Key)
