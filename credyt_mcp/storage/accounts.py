"""Connected accounts: tenants that a platform made, reached through the platform's keys only."""

from __future__ import annotations

from sqlmodel import Session, col, func, or_, select

from credyt_mcp.storage.tables import TenantRow


def find(session: Session, platform_id: int, name: str) -> TenantRow | None:
    """The platform's connected account of that id or external id."""
    rows = session.exec(
        select(TenantRow).where(
            TenantRow.parent_id == platform_id,
            or_(col(TenantRow.account_id) == name, col(TenantRow.external_id) == name),
        )
    ).all()
    return next((row for row in rows if row.account_id == name), rows[0] if rows else None)


def page(
    session: Session, platform_id: int, external_id: str | None, offset: int, limit: int
) -> tuple[list[TenantRow], int]:
    """Connected accounts newest first, and how many there are."""
    conditions = [col(TenantRow.parent_id) == platform_id]
    if external_id is not None:
        conditions.append(col(TenantRow.external_id) == external_id)
    total = session.exec(select(func.count()).select_from(TenantRow).where(*conditions)).one()
    newest = select(TenantRow).where(*conditions).order_by(col(TenantRow.id).desc())
    return list(session.exec(newest.offset(offset).limit(limit))), total
