"""Finds the wallets that time has changed since they were last booked. Reads only."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, select

from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.storage.ledger_tables import AuthorizationRow, GrantRow, LedgerAccountRow
from credyt_mcp.storage.tables import CustomerRow


def wallets(session: Session, now: datetime, limit: int) -> list[CustomerRef]:
    """Customers with an authorization or grant that is due, at most `limit`."""
    holds = (
        select(AuthorizationRow.customer_id)
        .where(AuthorizationRow.status == "open", col(AuthorizationRow.expires_at) <= now)
        .distinct()
        .limit(limit)
    )
    expired, started = col(GrantRow.expires_at) <= now, col(GrantRow.effective_at) <= now
    credit = (
        select(LedgerAccountRow.customer_id)
        .join(GrantRow, col(GrantRow.account_id) == col(LedgerAccountRow.id))
        .where(col(GrantRow.remaining) > 0, expired | ((col(GrantRow.booked) == 0) & started))
        .distinct()
        .limit(limit)
    )
    due = {*session.exec(holds), *session.exec(credit)}
    customers = session.exec(select(CustomerRow).where(col(CustomerRow.id).in_(due)))
    return [CustomerRef(row.tenant_id, row.public_id) for row in customers]
