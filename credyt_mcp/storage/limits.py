"""Limits of wallet accounts, with an audit of who changed them. The lane only reads them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from credyt_mcp.storage import audit
from credyt_mcp.storage.ledger_tables import AuditRow, LedgerAccountRow

LIMITS = ("overdraft_limit", "hard_limit", "low_threshold")


def change(
    session: Session, account_id: int, limits: dict[str, int | None], actor: str, now: datetime
) -> None:
    """Set some of `LIMITS`. The customer must be locked: the lane writes the same row."""
    row = session.exec(select(LedgerAccountRow).where(LedgerAccountRow.id == account_id)).one()
    before = {name: getattr(row, name) for name in limits}
    changed = {name: value for name, value in limits.items() if before[name] != value}
    if not changed:
        return
    for name, value in changed.items():
        setattr(row, name, value)
    session.add(row)
    audit.add(
        session,
        row.tenant_id,
        actor,
        "wallet.limits",
        f"account:{row.id}",
        now,
        before={name: before[name] for name in changed},
        after=changed,
    )


def changes(session: Session, tenant_id: int, account_id: int) -> list[dict[str, Any]]:
    """Changes of an account's limits, newest first."""
    rows = session.exec(
        select(AuditRow)
        .where(AuditRow.tenant_id == tenant_id, AuditRow.target == f"account:{account_id}")
        .order_by(col(AuditRow.id).desc())
    )
    return [row.model_dump() for row in rows]
