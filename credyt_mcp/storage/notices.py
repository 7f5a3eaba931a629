"""Notices to the tenant, the outbox of webhooks. Each is written in the transaction of what caused
it: by the lane (see book.py), or by `add` in a session."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, or_, select

from credyt_mcp.ids import new_id
from credyt_mcp.storage.ledger_tables import NoticeRow
from credyt_mcp.storage.webhook_tables import WebhookDeliveryRow


def add(
    session: Session,
    tenant_id: int,
    kind: str,
    customer_id: int,
    data: dict[str, Any],
    now: datetime,
    *,
    is_test: bool = False,
) -> NoticeRow:
    """Tell the tenant of `data`, which is what webhooks of the topic `kind` will say. The customer
    (0 for none) must be new or locked, so that what happens to one customer stays in order."""
    row = NoticeRow(
        tenant_id=tenant_id,
        public_id=new_id("evt"),
        kind=kind,
        customer_id=customer_id,
        account_id=0,
        details=data,
        is_test=int(is_test),
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


def find(session: Session, tenant_id: int, public_id: str) -> NoticeRow | None:
    """A notice of the tenant, or one of a connected account that was for the tenant, too."""
    sent = select(WebhookDeliveryRow.notice_id).where(WebhookDeliveryRow.tenant_id == tenant_id)
    return session.exec(
        select(NoticeRow).where(
            NoticeRow.public_id == public_id,
            or_(NoticeRow.tenant_id == tenant_id, col(NoticeRow.id).in_(sent)),
        )
    ).first()


def page(session: Session, tenant_id: int, offset: int, limit: int) -> tuple[list[NoticeRow], int]:
    """Notices newest first, and how many there are; tests of webhooks are none."""
    own = (NoticeRow.tenant_id == tenant_id, NoticeRow.is_test == 0)
    total = session.exec(select(func.count()).select_from(NoticeRow).where(*own)).one()
    newest = select(NoticeRow).where(*own).order_by(col(NoticeRow.id).desc())
    return list(session.exec(newest.offset(offset).limit(limit))), total
