"""The log of webhook deliveries, page by page. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlmodel import Session, col, select

from credyt_mcp.storage.ledger_tables import NoticeRow
from credyt_mcp.storage.webhook_tables import WebhookDeliveryRow, WebhookDestinationRow


@dataclass(frozen=True)
class LogFilter:
    """Absent fields do not narrow."""

    destinations: list[str] | None = None
    status: Literal["Success", "Failed"] | None = None
    time_gte: datetime | None = None
    time_lte: datetime | None = None


class Logged(NamedTuple):
    delivery: WebhookDeliveryRow
    notice: NoticeRow
    destination: WebhookDestinationRow


class LogPage(NamedTuple):
    """Deliveries newest first, and whether there are others on either side."""

    rows: list[Logged]
    more_older: bool
    more_newer: bool


def page(
    session: Session,
    tenant_id: int,
    wanted: LogFilter,
    limit: int,
    *,
    older_than: int | None,
    newer_than: int | None,
) -> LogPage:
    """At most `limit` deliveries next to the one of a cursor, or the newest."""
    place = col(WebhookDeliveryRow.id)
    query = (
        select(WebhookDeliveryRow, NoticeRow, WebhookDestinationRow)
        .join(NoticeRow, col(NoticeRow.id) == col(WebhookDeliveryRow.notice_id))
        .join(
            WebhookDestinationRow,
            col(WebhookDestinationRow.id) == col(WebhookDeliveryRow.destination_id),
        )
        .where(WebhookDeliveryRow.tenant_id == tenant_id, *_conditions(wanted))
        .limit(limit + 1)
    )
    if newer_than is not None:
        found = session.exec(query.where(place > newer_than).order_by(place)).all()
        rows = [Logged(*row) for row in reversed(found[:limit])]
        return LogPage(rows, more_older=bool(rows), more_newer=len(found) > limit)
    if older_than is not None:
        query = query.where(place < older_than)
    found = session.exec(query.order_by(place.desc())).all()
    rows = [Logged(*row) for row in found[:limit]]
    return LogPage(
        rows, more_older=len(found) > limit, more_newer=bool(rows) and older_than is not None
    )


def _conditions(wanted: LogFilter) -> list[Any]:
    conditions: list[Any] = []
    if wanted.destinations is not None:
        conditions.append(col(WebhookDestinationRow.public_id).in_(wanted.destinations))
    if wanted.status is not None:
        success = wanted.status == "Success"
        moment = WebhookDeliveryRow.successful_at if success else WebhookDeliveryRow.failed_at
        conditions.append(col(moment).is_not(None))
    if wanted.time_gte is not None:
        conditions.append(col(NoticeRow.created_at) >= wanted.time_gte)
    if wanted.time_lte is not None:
        conditions.append(col(NoticeRow.created_at) <= wanted.time_lte)
    return conditions
