"""Replays as they are kept: saved a part at a time, listed, read and deleted."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, delete, func, insert, or_, select

from credyt_mcp.ids import new_id
from credyt_mcp.storage.replay_tables import ReplayedCustomerRow, ReplayRow
from credyt_mcp.storage.tables import CustomerRow

CUT_OFF_AFTER = timedelta(days=1)
"""After this one without a result is a process's that died."""


def begin(session: Session, tenant_id: int, now: datetime) -> ReplayRow:
    """A replay without a result; those that were cut off are cleared away."""
    old = select(ReplayRow).where(
        ReplayRow.tenant_id == tenant_id,
        col(ReplayRow.result).is_(None),
        ReplayRow.created_at < now - CUT_OFF_AFTER,
    )
    for row in session.exec(old).all():
        remove(session, row)
    row = ReplayRow(tenant_id=tenant_id, public_id=new_id("rpl"), created_at=now)
    session.add(row)
    session.flush()
    return row


def add_customers(session: Session, replay: ReplayRow, rows: Iterable[dict[str, Any]]) -> None:
    """Rows of `customer_id`, `rise` and `details`."""
    own = {"tenant_id": replay.tenant_id, "replay_id": replay.id}
    session.connection().execute(insert(ReplayedCustomerRow), [own | row for row in rows])


def finish(session: Session, replay: ReplayRow, result: dict[str, Any]) -> None:
    replay.result = result
    session.add(replay)


def find(session: Session, tenant_id: int, public_id: str) -> ReplayRow | None:
    """One with a result."""
    return session.exec(
        select(ReplayRow).where(
            ReplayRow.tenant_id == tenant_id,
            ReplayRow.public_id == public_id,
            col(ReplayRow.result).is_not(None),
        )
    ).first()


def page(session: Session, tenant_id: int, offset: int, limit: int) -> tuple[list[ReplayRow], int]:
    """Those with a result, newest first, and how many there are."""
    own = (ReplayRow.tenant_id == tenant_id, col(ReplayRow.result).is_not(None))
    total = session.exec(select(func.count()).select_from(ReplayRow).where(*own)).one()
    newest = select(ReplayRow).where(*own).order_by(col(ReplayRow.id).desc())
    return list(session.exec(newest.offset(offset).limit(limit))), total


def customers(
    session: Session, replay: ReplayRow, offset: int, limit: int
) -> tuple[list[ReplayedCustomerRow], int]:
    """Largest rise first, and how many there are."""
    row = ReplayedCustomerRow
    own = (row.tenant_id == replay.tenant_id, row.replay_id == replay.id)
    total = session.exec(select(func.count()).select_from(row).where(*own)).one()
    ordered = select(row).where(*own).order_by(col(row.rise).desc(), col(row.customer_id))
    return list(session.exec(ordered.offset(offset).limit(limit))), total


def remove(session: Session, replay: ReplayRow) -> None:
    """With its customers."""
    session.exec(
        delete(ReplayedCustomerRow).where(
            col(ReplayedCustomerRow.tenant_id) == replay.tenant_id,
            col(ReplayedCustomerRow.replay_id) == replay.id,
        )
    )
    session.exec(
        delete(ReplayRow).where(
            col(ReplayRow.tenant_id) == replay.tenant_id, col(ReplayRow.id) == replay.id
        )
    )


def unknown_customers(session: Session, tenant_id: int, names: Collection[str]) -> list[str]:
    """Which of these are nobody's id or external id."""
    found = session.exec(
        select(CustomerRow.public_id, CustomerRow.external_id).where(
            CustomerRow.tenant_id == tenant_id,
            or_(col(CustomerRow.public_id).in_(names), col(CustomerRow.external_id).in_(names)),
        )
    )
    known = {name for row in found for name in row}
    return [name for name in names if name not in known]
