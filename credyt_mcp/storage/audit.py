"""Who did what to keys, accounts and limits. Rows are only added."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Session

from credyt_mcp.storage.ledger_tables import AuditRow


def add(
    session: Session,
    tenant_id: int,
    actor: str,
    action: str,
    target: str,
    now: datetime,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    session.add(
        AuditRow(
            tenant_id=tenant_id,
            actor=actor,
            action=action,
            target=target,
            before=before or {},
            after=after or {},
            created_at=now,
        )
    )
