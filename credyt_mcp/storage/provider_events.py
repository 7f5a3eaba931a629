"""The inbox of provider events: each is kept once, taken on by one process at a time, and done only
after what it told of is booked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import CursorResult
from sqlmodel import Session, col, select, update

from credyt_mcp.domain.provider_events import ProviderEvent
from credyt_mcp.storage import unique
from credyt_mcp.storage.provider_tables import ProviderEventRow

SET_ASIDE = "set aside"
"""The outcome of an event whose object was not to be seen with our key."""


def add(
    session: Session, provider: str, event: ProviderEvent, now: datetime, tenant_id: int | None
) -> bool:
    """Whether it is new; if not, the session is spent."""
    row = ProviderEventRow(
        tenant_id=tenant_id,
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


def set_aside(session: Session) -> Sequence[ProviderEventRow]:
    """Oldest first."""
    aside = select(ProviderEventRow).where(ProviderEventRow.outcome == SET_ASIDE)
    return session.exec(aside.order_by(col(ProviderEventRow.id))).all()


def retry(session: Session, event_ids: Iterable[str] | None, now: datetime) -> int:
    """Look again into those set aside that have these ids, or (None) all; answers how many."""
    row = ProviderEventRow
    again = update(row).where(col(row.outcome) == SET_ASIDE)
    if event_ids is not None:
        again = again.where(col(row.event_id).in_(event_ids))
    done = session.exec(again.values(done_at=None, outcome=None, attempts=0, next_attempt_at=now))
    assert isinstance(done, CursorResult)
    return done.rowcount


def due(
    session: Session, now: datetime, limit: int, without: Iterable[str] = ()
) -> Sequence[ProviderEventRow]:
    """Not those of the accounts in `without`."""
    return session.exec(
        select(ProviderEventRow)
        .where(
            col(ProviderEventRow.done_at).is_(None),
            ProviderEventRow.next_attempt_at <= now,
            col(ProviderEventRow.account).not_in(without),
        )
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
