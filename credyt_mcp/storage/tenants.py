"""Accounts in their environments. Connected accounts are looked up in accounts.py."""

from __future__ import annotations

from sqlmodel import Session, col, select

from credyt_mcp.storage.tables import TenantRow


def find(session: Session, account_id: str, environment: str) -> TenantRow | None:
    return session.exec(
        select(TenantRow).where(
            TenantRow.account_id == account_id, TenantRow.environment == environment
        )
    ).first()


def first_account(session: Session) -> TenantRow | None:
    """The default account's test environment: the first that was ever made."""
    return session.exec(select(TenantRow).order_by(col(TenantRow.id)).limit(1)).first()
