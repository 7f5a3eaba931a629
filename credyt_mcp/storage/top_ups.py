"""Top-ups as rows. Their status and credit change in the lane only, see book.py."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import CursorResult
from sqlmodel import Session, col, select, update

from credyt_mcp.storage.payment_tables import TopUpRow
from credyt_mcp.storage.tables import CustomerRow, TenantRow


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


class Found(NamedTuple):
    top_up: TopUpRow
    customer: CustomerRow
    tenant: TenantRow


def find(session: Session, public_id: str, tenant_id: int | None = None) -> Found | None:
    """Of any tenant for who only knows the payment: a payment page, a provider's event."""
    whole = _whole().where(TopUpRow.public_id == public_id)
    if tenant_id is not None:
        whole = whole.where(TopUpRow.tenant_id == tenant_id)
    found = session.exec(whole).first()
    return None if found is None else Found(*found)


def to_poll(session: Session, now: datetime, limit: int) -> list[Found]:
    """Open top-ups whose provider is to be asked by now."""
    due = _whole().where(col(TopUpRow.next_poll_at) <= now).order_by(col(TopUpRow.next_poll_at))
    return [Found(*row) for row in session.exec(due.limit(limit))]


def claim_poll(session: Session, top_up: TopUpRow, again_at: datetime | None) -> bool:
    """Take on the asking; it is due again then, or (None) never."""
    claimed = session.exec(
        update(TopUpRow)
        .where(col(TopUpRow.id) == top_up.id, col(TopUpRow.next_poll_at) == top_up.next_poll_at)
        .values(next_poll_at=again_at, polls=col(TopUpRow.polls) + 1)
    )
    assert isinstance(claimed, CursorResult)
    return claimed.rowcount == 1


def _whole() -> Any:
    return (
        select(TopUpRow, CustomerRow, TenantRow)
        .join(CustomerRow, col(CustomerRow.id) == col(TopUpRow.customer_id))
        .join(TenantRow, col(TenantRow.id) == col(TopUpRow.tenant_id))
    )


def set_checkout(
    session: Session, tenant_id: int, public_id: str, ref: str, url: str, **more: datetime
) -> None:
    """The top-up's payment page; `more` are other columns of when it ends and is asked after."""
    row = session.exec(
        select(TopUpRow).where(TopUpRow.tenant_id == tenant_id, TopUpRow.public_id == public_id)
    ).one()
    row.provider_ref, row.redirect_url = ref, url
    for name, moment in more.items():
        setattr(row, name, moment)
    session.add(row)
