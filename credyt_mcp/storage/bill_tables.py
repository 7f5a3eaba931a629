"""Tables of vendors' bills, and of costs that were booked to agree with them. Declarations only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from credyt_mcp.storage.types import ExactJson, Key, Micros, RowId

_IN_FORCE = text("withdrawn_at IS NULL")


class VendorBillRow(SQLModel, table=True):
    """An import: a bill or an export of usage. `digest` stands for all that it says, so that the
    same one comes once; `summary` is what callers are shown of it."""

    __tablename__ = "vendor_bills"
    __table_args__ = (
        UniqueConstraint("tenant_id", "public_id"),
        Index(
            "vendor_bills_once",
            "tenant_id",
            "digest",
            unique=True,
            sqlite_where=_IN_FORCE,
            postgresql_where=_IN_FORCE,
        ),
    )

    id: int = Field(default=None, primary_key=True, sa_type=RowId)
    tenant_id: int
    public_id: str = Field(sa_type=Text)
    digest: bytes = Field(sa_type=Key)
    summary: Any = Field(sa_type=ExactJson)
    created_at: datetime = Field(sa_type=Micros)
    withdrawn_at: datetime | None = Field(default=None, sa_type=Micros)


class BilledDayRow(SQLModel, table=True):
    """What a bill says of one kind of a vendor's (public id) day, counted since 1970. Of several
    bills that were not withdrawn the last one counts; `part` tells apart those that add up."""

    __tablename__ = "billed_days"
    __table_args__ = {"sqlite_with_rowid": False}

    tenant_id: int = Field(primary_key=True)
    day: int = Field(primary_key=True)
    vendor: str = Field(primary_key=True, sa_type=Text)
    kind: str = Field(primary_key=True, sa_type=Text)
    part: str = Field(primary_key=True, sa_type=Text)
    bill_id: int = Field(primary_key=True, sa_type=BigInteger)
    lines: Any = Field(sa_type=ExactJson)
    decimals: int


class TrueUpRow(SQLModel, table=True):
    """A cost that was booked so that a vendor's model costs on a day what was billed. Only ever
    added: the sum of a place is what is booked there, and `number` counts its rows."""

    __tablename__ = "true_ups"
    __table_args__ = {"sqlite_with_rowid": False}

    tenant_id: int = Field(primary_key=True)
    day: int = Field(primary_key=True)
    vendor: str = Field(primary_key=True, sa_type=Text)
    model: str = Field(primary_key=True, sa_type=Text)
    currency: str = Field(primary_key=True, sa_type=Text)
    number: int = Field(primary_key=True)
    units: int = Field(sa_type=BigInteger)
    customer_id: int = Field(sa_type=BigInteger)
    created_at: datetime = Field(sa_type=Micros)
