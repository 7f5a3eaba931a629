"""Reads recorded usage events. They are written by the lane only, see book.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, or_, select

from credyt_mcp.domain.shared_costs import EVENT_TYPE
from credyt_mcp.ids import client_key
from credyt_mcp.storage.ledger_tables import EventRow
from credyt_mcp.storage.tables import CustomerRow


@dataclass(frozen=True)
class EventFilter:
    """Absent fields do not narrow; the period is half-open over `occurred_at`."""

    event_id: str | None = None
    customer_id: str | None = None
    customer_external_id: str | None = None
    subject: str | None = None
    user_id: str | None = None
    event_types: Sequence[str] = ()
    has_fees: bool | None = None
    occurred_from: datetime | None = None
    occurred_before: datetime | None = None


def get(session: Session, tenant_id: int, event_id: str) -> tuple[EventRow, CustomerRow] | None:
    return session.exec(
        select(EventRow, CustomerRow)
        .join(CustomerRow, col(CustomerRow.id) == col(EventRow.customer_id))
        .where(EventRow.tenant_id == tenant_id, EventRow.key == client_key(event_id))
    ).first()


def latest(session: Session, customer: CustomerRow, limit: int) -> list[EventRow]:
    """What a customer did, newest first by submission; costs that move concern the tenant alone."""
    own = select(EventRow).where(
        EventRow.tenant_id == customer.tenant_id,
        EventRow.customer_id == customer.id,
        EventRow.event_type != EVENT_TYPE,
    )
    return list(session.exec(own.order_by(col(EventRow.id).desc()).limit(limit)))


def page(
    session: Session, tenant_id: int, wanted: EventFilter, offset: int, limit: int
) -> tuple[list[tuple[EventRow, CustomerRow]], int]:
    """Events newest first by submission, and how many match."""
    conditions = [col(EventRow.tenant_id) == tenant_id, *_conditions(wanted)]
    named = []
    if wanted.customer_id is not None:
        own, theirs = col(CustomerRow.public_id), col(CustomerRow.external_id)
        named.append(or_(own == wanted.customer_id, theirs == wanted.customer_id))
    if wanted.customer_external_id is not None:
        named.append(col(CustomerRow.external_id) == wanted.customer_external_id)
    if named:
        # Looked up before: joined to them, a planner may read all the tenant's events.
        one = select(CustomerRow.id).where(CustomerRow.tenant_id == tenant_id, *named)
        conditions.append(col(EventRow.customer_id).in_(session.exec(one).all()))
    total = session.exec(select(func.count()).select_from(EventRow).where(*conditions)).one()
    newest = (
        select(EventRow, CustomerRow)
        .join(CustomerRow, col(CustomerRow.id) == col(EventRow.customer_id))
        .where(*conditions)
        .order_by(col(EventRow.id).desc())
        .offset(offset)
        .limit(limit)
    )
    return list(session.exec(newest)), total


def _conditions(wanted: EventFilter) -> list[Any]:
    conditions: list[Any] = []
    if wanted.event_id is not None:
        conditions.append(col(EventRow.key) == client_key(wanted.event_id))
    if wanted.subject is not None:
        conditions.append(col(EventRow.subject) == wanted.subject)
    if wanted.user_id is not None:
        conditions.append(col(EventRow.user_id) == wanted.user_id)
    if wanted.event_types:
        conditions.append(col(EventRow.event_type).in_(wanted.event_types))
    if wanted.has_fees is not None:
        fees = col(EventRow.fees)
        conditions.append(fees.is_not(None) if wanted.has_fees else fees.is_(None))
    if wanted.occurred_from is not None:
        conditions.append(col(EventRow.occurred_at) >= wanted.occurred_from)
    if wanted.occurred_before is not None:
        conditions.append(col(EventRow.occurred_at) < wanted.occurred_before)
    return conditions
