"""Top-ups as rows. Their status and credit change in the lane only, see book.py."""

from __future__ import annotations

from sqlmodel import Session, col, select

from credyt_mcp.storage.tables import CustomerRow, TenantRow, TopUpRow


def get(session: Session, tenant_id: int, public_id: str) -> tuple[TopUpRow, CustomerRow] | None:
    return session.exec(
        select(TopUpRow, CustomerRow)
        .join(CustomerRow, col(CustomerRow.id) == col(TopUpRow.customer_id))
        .where(TopUpRow.tenant_id == tenant_id, TopUpRow.public_id == public_id)
    ).first()


def latest(session: Session, customer: CustomerRow, limit: int) -> list[TopUpRow]:
    """A customer's top-ups, newest first."""
    own = select(TopUpRow).where(
        TopUpRow.tenant_id == customer.tenant_id, TopUpRow.customer_id == customer.id
    )
    return list(session.exec(own.order_by(col(TopUpRow.id).desc()).limit(limit)))


def tenant_of(session: Session, public_id: str) -> TenantRow:
    """Whose top-up it is, for a payment page that only knows the payment."""
    return session.exec(
        select(TenantRow)
        .join(TopUpRow, col(TopUpRow.tenant_id) == col(TenantRow.id))
        .where(TopUpRow.public_id == public_id)
    ).one()


def set_checkout(session: Session, tenant_id: int, public_id: str, ref: str, url: str) -> None:
    row = session.exec(
        select(TopUpRow).where(TopUpRow.tenant_id == tenant_id, TopUpRow.public_id == public_id)
    ).one()
    row.provider_ref, row.redirect_url = ref, url
    session.add(row)
