"""The inbox of provider events: each is kept once, taken on by one process at a time, and done only
after what it told of is booked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import CursorResult
from sqlmodel import Session, col, select, update

from credyt_mcp.domain.provider_events import ProviderEvent
from credyt_mcp.storage import unique
from credyt_mcp.storage.provider_tables import ProviderEventRow


def add(session: Session, provider: str, event: ProviderEvent, now: datetime) -> bool:
    """Whether it is new; if not, the session is spent."""
    row = ProviderEventRow(
        provider=provider,
        account=event.account,
        event_id=event.id,
        livemode=int(event.livemode),
        object_kind=event.object_kind,
        object_id=event.object_id,
        body=event.body,
        received_at=now,
        next_attempt_at=now,
    )
    return unique.save(session, row)


def due(session: Session, now: datetime, limit: int) -> Sequence[ProviderEventRow]:
    return session.exec(
        select(ProviderEventRow)
        .where(col(ProviderEventRow.done_at).is_(None), ProviderEventRow.next_attempt_at <= now)
        .order_by(col(ProviderEventRow.next_attempt_at))
        .limit(limit)
    ).all()


def claim(session: Session, event: ProviderEventRow, again_at: datetime) -> bool:
    """Take it on; it is due again then if nothing comes of it."""
    row = ProviderEventRow
    claimed = session.exec(
        update(row)
        .where(
            col(row.id) == event.id,
            col(row.next_attempt_at) == event.next_attempt_at,
            col(row.done_at).is_(None),
        )
        .values(next_attempt_at=again_at, attempts=col(row.attempts) + 1)
    )
    assert isinstance(claimed, CursorResult)
    return claimed.rowcount == 1


def finish(
    session: Session, event: ProviderEventRow, outcome: str, tenant_id: int | None, now: datetime
) -> None:
    row = ProviderEventRow
    session.exec(
        update(row)
        .where(col(row.id) == event.id)
        .values(done_at=now, outcome=outcome, tenant_id=tenant_id)
    )
