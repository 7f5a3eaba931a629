"""Billing-portal sessions as rows, found by the hash of the browser's cookie."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, delete, select

from credyt_mcp.storage.payment_tables import PortalSessionRow
from credyt_mcp.storage.tables import CustomerRow, TenantRow

SignedIn = tuple[PortalSessionRow, CustomerRow, TenantRow]


def add(session: Session, row: PortalSessionRow, *, forget_before: datetime) -> None:
    """Store it; the customer's sessions that ended before `forget_before` leave the table."""
    session.exec(
        delete(PortalSessionRow).where(
            col(PortalSessionRow.tenant_id) == row.tenant_id,
            col(PortalSessionRow.customer_id) == row.customer_id,
            col(PortalSessionRow.expires_at) < forget_before,
        )
    )
    session.add(row)


def get(session: Session, key_hash: bytes) -> SignedIn | None:
    """The session, whose it is, and of which tenant; whether it has ended or not."""
    return session.exec(
        select(PortalSessionRow, CustomerRow, TenantRow)
        .join(CustomerRow, col(CustomerRow.id) == col(PortalSessionRow.customer_id))
        .join(TenantRow, col(TenantRow.id) == col(PortalSessionRow.tenant_id))
        .where(PortalSessionRow.key_hash == key_hash)
    ).first()
