"""Vendors: whom the tenant pays for what an event cost."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, func, or_, select

from credyt_mcp.storage.tables import VendorRow


def find(session: Session, tenant_id: int, name: str) -> VendorRow | None:
    """The vendor of that id or external id."""
    rows = session.exec(
        select(VendorRow).where(
            VendorRow.tenant_id == tenant_id,
            or_(col(VendorRow.public_id) == name, col(VendorRow.external_id) == name),
        )
    ).all()
    return next((row for row in rows if row.public_id == name), rows[0] if rows else None)


def add(session: Session, row: VendorRow) -> bool:
    """Whether it was added; False when its external id is taken, and the session is spent."""
    session.add(row)
    try:
        session.flush()
    except IntegrityError:
        return False
    return True


def page(
    session: Session, tenant_id: int, external_id: str | None, offset: int, limit: int
) -> tuple[list[VendorRow], int]:
    """Vendors newest first, and how many there are."""
    conditions = [col(VendorRow.tenant_id) == tenant_id]
    if external_id is not None:
        conditions.append(col(VendorRow.external_id) == external_id)
    total = session.exec(select(func.count()).select_from(VendorRow).where(*conditions)).one()
    newest = select(VendorRow).where(*conditions).order_by(col(VendorRow.id).desc())
    return list(session.exec(newest.offset(offset).limit(limit))), total
