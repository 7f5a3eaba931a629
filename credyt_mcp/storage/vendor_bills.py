"""Vendors' bills as they are kept: every import, and which of them counts for a day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, insert, select

from credyt_mcp.ids import new_id
from credyt_mcp.storage import unique
from credyt_mcp.storage.bill_tables import BilledDayRow, VendorBillRow


def same(session: Session, tenant_id: int, digest: bytes) -> VendorBillRow | None:
    """The bill that says the same and was not withdrawn."""
    return session.exec(
        select(VendorBillRow).where(
            VendorBillRow.tenant_id == tenant_id,
            VendorBillRow.digest == digest,
            col(VendorBillRow.withdrawn_at).is_(None),
        )
    ).first()


def save(
    session: Session,
    tenant_id: int,
    digest: bytes,
    summary: dict[str, Any],
    days: Iterable[dict[str, Any]],
    now: datetime,
) -> VendorBillRow | None:
    """None where somebody has just saved the same one; the session is spent then."""
    row = VendorBillRow(
        tenant_id=tenant_id,
        public_id=new_id("bill"),
        digest=digest,
        summary=summary,
        created_at=now,
    )
    if not unique.save(session, row):
        return None
    of = {"tenant_id": tenant_id, "bill_id": row.id}
    session.connection().execute(insert(BilledDayRow), [of | day for day in days])
    return row


def find(session: Session, tenant_id: int, public_id: str) -> VendorBillRow | None:
    """Withdrawn ones too."""
    return session.exec(
        select(VendorBillRow).where(
            VendorBillRow.tenant_id == tenant_id, VendorBillRow.public_id == public_id
        )
    ).first()


def page(
    session: Session, tenant_id: int, offset: int, limit: int
) -> tuple[list[VendorBillRow], int]:
    """Newest first, withdrawn ones too, and how many there are."""
    own = VendorBillRow.tenant_id == tenant_id
    total = session.exec(select(func.count()).select_from(VendorBillRow).where(own)).one()
    newest = select(VendorBillRow).where(own).order_by(col(VendorBillRow.id).desc())
    return list(session.exec(newest.offset(offset).limit(limit))), total


def days_of(session: Session, bill: VendorBillRow) -> list[BilledDayRow]:
    """What a bill says, by vendor and day."""
    return list(
        session.exec(
            select(BilledDayRow)
            .where(BilledDayRow.tenant_id == bill.tenant_id, BilledDayRow.bill_id == bill.id)
            .order_by(col(BilledDayRow.vendor), col(BilledDayRow.day), col(BilledDayRow.kind))
        )
    )


def in_force(
    session: Session, tenant_id: int, first: int, last: int, vendor: str | None = None
) -> list[BilledDayRow]:
    """Of each vendor, day, kind and part the last bill that was not withdrawn; both days (since
    1970) are included."""
    query = (
        select(BilledDayRow)
        .join(VendorBillRow, col(VendorBillRow.id) == col(BilledDayRow.bill_id))
        .where(
            BilledDayRow.tenant_id == tenant_id,
            BilledDayRow.day >= first,
            BilledDayRow.day <= last,
            col(VendorBillRow.withdrawn_at).is_(None),
        )
        .order_by(col(BilledDayRow.bill_id))
    )
    if vendor is not None:
        query = query.where(BilledDayRow.vendor == vendor)
    rows = session.exec(query)
    return list({(row.vendor, row.day, row.kind, row.part): row for row in rows}.values())


def bounds(session: Session, tenant_id: int) -> tuple[int, int] | None:
    """The first and the last day of which there is a bill, counted since 1970."""
    first, last = session.exec(
        select(func.min(BilledDayRow.day), func.max(BilledDayRow.day))
        .join(VendorBillRow, col(VendorBillRow.id) == col(BilledDayRow.bill_id))
        .where(BilledDayRow.tenant_id == tenant_id, col(VendorBillRow.withdrawn_at).is_(None))
    ).one()
    return None if first is None else (first, last)
