"""Notices to the tenant. They are written by the lane, in the transaction of what caused them."""

from __future__ import annotations

from sqlmodel import Session, col, func, select

from credyt_mcp.storage.ledger_tables import LedgerAccountRow, NoticeRow
from credyt_mcp.storage.tables import CustomerRow

Found = tuple[NoticeRow, CustomerRow, LedgerAccountRow]


def page(session: Session, tenant_id: int, offset: int, limit: int) -> tuple[list[Found], int]:
    """Notices newest first, and how many there are."""
    own = NoticeRow.tenant_id == tenant_id
    total = session.exec(select(func.count()).select_from(NoticeRow).where(own)).one()
    rows = session.exec(
        select(NoticeRow, CustomerRow, LedgerAccountRow)
        .join(CustomerRow, col(CustomerRow.id) == col(NoticeRow.customer_id))
        .join(LedgerAccountRow, col(LedgerAccountRow.id) == col(NoticeRow.account_id))
        .where(own)
        .order_by(col(NoticeRow.id).desc())
        .offset(offset)
        .limit(limit)
    )
    return list(rows), total
