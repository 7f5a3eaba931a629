"""Deliveries of webhooks: from the outbox to each destination, what is due, what became of it.

Of the pending deliveries of one object to one destination only the first has a `next_attempt_at`.
Every function here that changes what is due expects the destination to be locked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import exists, literal_column, or_, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from credyt_mcp.domain.webhooks import wants
from credyt_mcp.storage import webhooks
from credyt_mcp.storage.ledger_tables import NoticeRow
from credyt_mcp.storage.tables import TenantRow
from credyt_mcp.storage.webhook_tables import WebhookDeliveryRow, WebhookDestinationRow

DISPATCH_MAX = 500

# Written out, not bound: a partial index serves only a statement that names its condition.
TO_DISPATCH = col(NoticeRow.dispatched) == literal_column("0")
PENDING = col(WebhookDeliveryRow.state) == literal_column("'pending'")


class Due(NamedTuple):
    """A delivery to make, the fact it is about, and whose fact that is."""

    delivery: WebhookDeliveryRow
    notice: NoticeRow
    tenant: TenantRow


def tenants_with_news(session: Session) -> Sequence[int]:
    """Tenants with notices that were not dispatched yet."""
    return session.exec(select(NoticeRow.tenant_id).where(TO_DISPATCH).distinct()).all()


def dispatch(session: Session, tenant_id: int, now: datetime) -> bool:
    """Turn a tenant's new notices into deliveries; answers whether there may be more of them.

    One process at a time does this for a tenant, and a customer's notices commit one after the
    other, so that deliveries are made in the order of what happened.
    """
    locked = select(TenantRow).where(TenantRow.id == tenant_id).with_for_update(key_share=True)
    tenant = session.exec(locked).one()
    news = session.exec(
        select(NoticeRow)
        .where(NoticeRow.tenant_id == tenant_id, TO_DISPATCH)
        .order_by(col(NoticeRow.id))
        .limit(DISPATCH_MAX)
    ).all()
    for destination in webhooks.listening(session, tenant_id, tenant.parent_id):
        wanted = [one for one in news if wants(destination.topics, one.kind)]
        _queue(session, destination, wanted, now)
    known = [notice.id for notice in news]
    session.exec(update(NoticeRow).where(col(NoticeRow.id).in_(known)).values(dispatched=1))
    return len(news) == DISPATCH_MAX


def _queue(
    session: Session,
    destination: WebhookDestinationRow,
    notices: Iterable[NoticeRow],
    now: datetime,
) -> None:
    """Deliveries of notices to one destination, each behind those of its customer."""
    customers = {notice.customer_id for notice in notices if notice.customer_id}
    waiting = set(
        session.exec(
            select(WebhookDeliveryRow.object)
            .where(
                WebhookDeliveryRow.destination_id == destination.id,
                PENDING,
                col(WebhookDeliveryRow.object).in_(customers),
            )
            .distinct()
        )
    )
    for notice in notices:
        row = add(session, destination, notice, now, ordered=bool(notice.customer_id))
        if row.object in waiting:
            row.next_attempt_at = None
        elif row.object is not None:
            waiting.add(row.object)
    session.flush()


def add(
    session: Session,
    destination: WebhookDestinationRow,
    notice: NoticeRow,
    now: datetime,
    *,
    ordered: bool = False,
) -> WebhookDeliveryRow:
    """A delivery that is due now."""
    row = WebhookDeliveryRow(
        tenant_id=destination.tenant_id,
        notice_id=notice.id,
        destination_id=destination.id,
        object=notice.customer_id if ordered else None,
        next_attempt_at=now,
    )
    session.add(row)
    return row


def replay(
    session: Session, destination: WebhookDestinationRow, notice: NoticeRow, now: datetime
) -> None:
    """Send a notice to a destination again, or for the first time, beside what is in line there.
    What is still in line stays so, but goes now if it is first."""
    row = session.exec(
        select(WebhookDeliveryRow).where(
            WebhookDeliveryRow.tenant_id == destination.tenant_id,
            WebhookDeliveryRow.notice_id == notice.id,
            WebhookDeliveryRow.destination_id == destination.id,
        )
    ).first()
    if row is None:
        add(session, destination, notice, now)
        return
    if row.state == "pending":
        row.next_attempt_at = row.next_attempt_at and now
        return
    row.state, row.next_attempt_at, row.first_attempt_at = "pending", now, None
    row.object, row.attempts, row.replays = None, 0, row.replays + 1
    row.successful_at = row.failed_at = None


def due_destinations(session: Session, now: datetime) -> Sequence[int]:
    """Ids of destinations with something to send."""
    return session.exec(
        select(WebhookDeliveryRow.destination_id).where(*_due(now)).distinct()
    ).all()


def claim(
    session: Session, destination_id: int, now: datetime, until: datetime, limit: int
) -> list[Due]:
    """What is due at a destination, leased to the caller `until` then."""
    rows = session.exec(
        select(WebhookDeliveryRow, NoticeRow, TenantRow)
        .join(NoticeRow, col(NoticeRow.id) == col(WebhookDeliveryRow.notice_id))
        .join(TenantRow, col(TenantRow.id) == col(NoticeRow.tenant_id))
        .where(WebhookDeliveryRow.destination_id == destination_id, *_due(now))
        .order_by(col(WebhookDeliveryRow.next_attempt_at), col(WebhookDeliveryRow.id))
        .limit(limit)
    ).all()
    for delivery, _, _ in rows:
        delivery.leased_until = until
    return [Due(*row) for row in rows]


def leased(session: Session, delivery: WebhookDeliveryRow) -> WebhookDeliveryRow | None:
    """The delivery as it is now, if the lease it was claimed with is still ours."""
    row = session.get(WebhookDeliveryRow, delivery.id)
    ours = row is not None and row.state == "pending" and row.leased_until == delivery.leased_until
    return row if ours else None


def release_next(
    session: Session, destination_id: int, objects: Iterable[int], now: datetime
) -> None:
    """Make the first pending delivery of each of these objects due."""
    session.flush()
    first = (
        select(func.min(WebhookDeliveryRow.id))
        .where(
            WebhookDeliveryRow.destination_id == destination_id,
            PENDING,
            col(WebhookDeliveryRow.object).in_(set(objects)),
        )
        .group_by(col(WebhookDeliveryRow.object))
    )
    session.exec(
        update(WebhookDeliveryRow)
        .where(col(WebhookDeliveryRow.id).in_(session.exec(first).all()))
        .values(next_attempt_at=now)
    )


def release_all(session: Session, destination_id: int, now: datetime) -> None:
    """Make due what is first in line, however long it was to wait still."""
    session.flush()
    earlier = aliased(WebhookDeliveryRow)
    behind = exists().where(
        col(earlier.destination_id) == destination_id,
        col(earlier.state) == literal_column("'pending'"),
        col(earlier.object) == col(WebhookDeliveryRow.object),
        col(earlier.id) < col(WebhookDeliveryRow.id),
    )
    session.exec(
        update(WebhookDeliveryRow)
        .where(
            col(WebhookDeliveryRow.destination_id) == destination_id,
            PENDING,
            ~behind,
        )
        .values(next_attempt_at=now)
        .execution_options(synchronize_session=False)
    )


def park(session: Session, destination_id: int) -> None:
    """Nothing is due until `release_all`."""
    session.flush()
    session.exec(
        update(WebhookDeliveryRow)
        .where(
            col(WebhookDeliveryRow.destination_id) == destination_id,
            PENDING,
        )
        .values(next_attempt_at=None)
        .execution_options(synchronize_session=False)
    )


def _due(now: datetime) -> tuple[Any, ...]:
    lease = col(WebhookDeliveryRow.leased_until)
    return (
        PENDING,
        col(WebhookDeliveryRow.next_attempt_at) <= now,
        or_(lease.is_(None), lease <= now),
    )
