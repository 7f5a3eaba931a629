"""API keys: whose they are, what they may do. Stored hashed only; a key is never deleted."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, func, select, update

from credyt_mcp.storage.tables import ApiKeyRow, TenantRow


def by_hash(session: Session, key_hash: bytes) -> tuple[TenantRow, ApiKeyRow] | None:
    """Whose key it is, and the key, unless it was revoked."""
    return session.exec(
        select(TenantRow, ApiKeyRow)
        .join(ApiKeyRow, col(ApiKeyRow.tenant_id) == col(TenantRow.id))
        .where(ApiKeyRow.key_hash == key_hash, col(ApiKeyRow.revoked_at).is_(None))
    ).first()


def known(session: Session, key_hash: bytes) -> bool:
    """Whether the key exists, revoked or not: a revoked key must never come back."""
    return session.exec(select(ApiKeyRow).where(ApiKeyRow.key_hash == key_hash)).first() is not None


def everyone(session: Session) -> list[tuple[ApiKeyRow, TenantRow]]:
    """The keys of all tenants, oldest first."""
    joined = select(ApiKeyRow, TenantRow).join(
        TenantRow, col(ApiKeyRow.tenant_id) == col(TenantRow.id)
    )
    return list(session.exec(joined.order_by(col(ApiKeyRow.created_at), col(ApiKeyRow.id))))


def page(session: Session, tenant_id: int, offset: int, limit: int) -> tuple[list[ApiKeyRow], int]:
    """A tenant's keys, newest first, and how many there are."""
    own = col(ApiKeyRow.tenant_id) == tenant_id
    total = session.exec(select(func.count()).select_from(ApiKeyRow).where(own)).one()
    newest = select(ApiKeyRow).where(own).order_by(col(ApiKeyRow.created_at).desc())
    # Ids are time-ordered, and settle keys of the same microsecond.
    rows = newest.order_by(col(ApiKeyRow.id).desc()).offset(offset).limit(limit)
    return list(session.exec(rows)), total


def find(session: Session, key_id: str, tenant_id: int | None) -> ApiKeyRow | None:
    """The key of that id; of any tenant where None is given."""
    row = session.get(ApiKeyRow, key_id)
    return row if row is not None and tenant_id in (None, row.tenant_id) else None


def note_use(session: Session, key_id: str, at: datetime) -> None:
    """Other processes note theirs; the latest use counts."""
    used_at = col(ApiKeyRow.last_used_at)
    session.exec(
        update(ApiKeyRow)
        .where(col(ApiKeyRow.id) == key_id, used_at.is_(None) | (used_at < at))
        .values(last_used_at=at)
    )
