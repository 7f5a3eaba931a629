"""Accounts in their environments, and the API keys that open them. Keys are stored hashed only."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, select

from credyt_mcp.storage.tables import ApiKeyRow, TenantRow


def find(session: Session, account_id: str, environment: str) -> TenantRow | None:
    return session.exec(
        select(TenantRow).where(
            TenantRow.account_id == account_id, TenantRow.environment == environment
        )
    ).first()


def first_account(session: Session) -> TenantRow | None:
    """The default account's test environment: the first that was ever made."""
    return session.exec(select(TenantRow).order_by(col(TenantRow.id)).limit(1)).first()


def by_key(session: Session, key_hash: bytes) -> tuple[TenantRow, str] | None:
    """Whose key it is and its id, unless it was revoked."""
    return session.exec(
        select(TenantRow, ApiKeyRow.id)
        .join(ApiKeyRow, col(ApiKeyRow.tenant_id) == col(TenantRow.id))
        .where(ApiKeyRow.key_hash == key_hash, col(ApiKeyRow.revoked_at).is_(None))
    ).first()


def add_key(
    session: Session,
    tenant_id: int,
    key_id: str,
    name: str,
    key: str,
    key_hash: bytes,
    now: datetime,
) -> ApiKeyRow:
    row = ApiKeyRow(
        id=key_id,
        tenant_id=tenant_id,
        name=name,
        shown=f"{key[:8]}…",
        key_hash=key_hash,
        created_at=now,
    )
    session.add(row)
    return row


def key_known(session: Session, key_hash: bytes) -> bool:
    """Whether the key exists, revoked or not: a revoked key must never come back."""
    return session.exec(select(ApiKeyRow).where(ApiKeyRow.key_hash == key_hash)).first() is not None


def keys(session: Session) -> list[tuple[ApiKeyRow, TenantRow]]:
    joined = select(ApiKeyRow, TenantRow).join(
        TenantRow, col(ApiKeyRow.tenant_id) == col(TenantRow.id)
    )
    return list(session.exec(joined.order_by(col(ApiKeyRow.created_at))))


def get_key(session: Session, key_id: str) -> ApiKeyRow | None:
    return session.get(ApiKeyRow, key_id)
