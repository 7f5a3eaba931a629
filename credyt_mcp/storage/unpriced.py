"""Costs that had no price: noted and priced by the lane, read by everybody."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlmodel import Session, col, func, select

from credyt_mcp import exact_json
from credyt_mcp.domain.book import Book
from credyt_mcp.domain.late_costs import PriceLate
from credyt_mcp.ids import client_key
from credyt_mcp.storage.lane_connection import LaneConnection, table_of
from credyt_mcp.storage.ledger_tables import EventRow
from credyt_mcp.storage.llm_tables import UnpricedCostRow
from credyt_mcp.storage.tables import CustomerRow

UNPRICED = table_of(UnpricedCostRow)

Open = tuple[UnpricedCostRow, EventRow, CustomerRow]


def load_open_costs(connection: LaneConnection, book: Book, commands: Sequence[Any]) -> None:
    """Which of the costs that are to be priced are open."""
    keys = {command.unpriced_key for command in commands if isinstance(command, PriceLate)}
    if keys:
        rows = connection.find(UNPRICED, ("tenant_id", "key"), sorted(keys), "late IS NULL")
        book.tallies.open_costs = {(row["tenant_id"], row["key"]) for row in rows}


def save_costs(connection: LaneConnection, book: Book) -> None:
    """Costs without a price, and prices that came late."""
    new = [
        {
            "tenant_id": event.tenant_id,
            "key": client_key(cost["id"]),
            "event_id": event.id,
            "customer_id": event.customer_id,
            "booked_at": cost.get("booked_at", event.occurred_at),
        }
        for event, cost in book.tallies.unpriced
    ]
    if new:
        connection.insert(UNPRICED, new)
    late = [
        {"tenant_id": tenant_id, "key": key, "late": exact_json.dumps(cost).decode()}
        for (tenant_id, key), cost in sorted(book.tallies.late_costs.items())
    ]
    if late:
        connection.update(UNPRICED, ("tenant_id", "key"), late)


def late_costs(session: Session, event_ids: Collection[int]) -> dict[int, list[dict[str, Any]]]:
    """The prices that costs of these events got later."""
    found: dict[int, list[dict[str, Any]]] = {}
    if event_ids:
        rows = session.exec(
            select(UnpricedCostRow).where(
                col(UnpricedCostRow.event_id).in_(event_ids), col(UnpricedCostRow.late).is_not(None)
            )
        )
        for row in rows:
            found.setdefault(row.event_id, []).append(row.late)
    return found


def page(session: Session, tenant_id: int, offset: int, limit: int) -> tuple[list[Open], int]:
    """Open costs with their events and customers, newest event first, and how many there are."""
    is_open = (UnpricedCostRow.tenant_id == tenant_id, col(UnpricedCostRow.late).is_(None))
    total = session.exec(select(func.count()).select_from(UnpricedCostRow).where(*is_open)).one()
    rows = session.exec(
        _joined(*is_open)
        .order_by(col(UnpricedCostRow.event_id).desc(), col(UnpricedCostRow.key))
        .offset(offset)
        .limit(limit)
    )
    return list(rows), total


def after(session: Session, tenant_id: int, key: bytes, limit: int) -> list[Open]:
    """The next open costs in the order of their keys."""
    is_open = (UnpricedCostRow.tenant_id == tenant_id, col(UnpricedCostRow.late).is_(None))
    query = _joined(*is_open, col(UnpricedCostRow.key) > key)
    return list(session.exec(query.order_by(col(UnpricedCostRow.key)).limit(limit)))


def _joined(*conditions: Any) -> Any:
    return (
        select(UnpricedCostRow, EventRow, CustomerRow)
        .join(EventRow, col(EventRow.id) == col(UnpricedCostRow.event_id))
        .join(CustomerRow, col(CustomerRow.id) == col(UnpricedCostRow.customer_id))
        .where(*conditions)
    )
