"""Shared costs as the lane writes and settles them, and what is due to be settled.

A look-up of the lane's knows its keys; nothing here is read or written for costs of no rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, select

from credyt_mcp import exact_json
from credyt_mcp.domain.book import Book
from credyt_mcp.domain.cost_pools import OpenCost
from credyt_mcp.domain.cost_rules import pool
from credyt_mcp.domain.shared_costs import SettleCosts, Window
from credyt_mcp.ids import client_key
from credyt_mcp.storage import due
from credyt_mcp.storage.cost_rule_tables import CostDependencyRow, SharedCostRow, SharedUseRow
from credyt_mcp.storage.lane_connection import LaneConnection, table_of
from credyt_mcp.storage.ledger_tables import EventRow
from credyt_mcp.storage.tables import CustomerRow

SHARED_COSTS = table_of(SharedCostRow)
SHARED_USES = table_of(SharedUseRow)
DEPENDENCIES = table_of(CostDependencyRow)
USE_KEY = ("tenant_id", "pool", "day", "customer_id")


def load_open(connection: LaneConnection, book: Book, commands: Sequence[Any]) -> None:
    """Those of the costs that are to be settled that are open."""
    keys = {
        key
        for command in commands
        if isinstance(command, SettleCosts)
        for key in command.shared_keys
    }
    if keys:
        rows = connection.find(
            SHARED_COSTS, ("tenant_id", "key"), sorted(keys), "allocation IS NULL"
        )
        for row in rows:
            found = OpenCost(row["customer_id"], exact_json.loads(row["kind"]), row["units"])
            book.tallies.pools.open[row["tenant_id"], row["key"]] = found


def save(connection: LaneConnection, book: Book) -> None:
    pools = book.tallies.pools
    if pools.shared:
        connection.insert(SHARED_COSTS, [_shared_row(*one) for one in pools.shared])
    if pools.uses:
        counted = sorted(Counter(pools.uses).items())
        rows = [dict(zip(USE_KEY, use, strict=True)) | {"uses": n} for use, n in counted]
        connection.add(SHARED_USES, USE_KEY, rows)
    if pools.settled:
        settled = [
            {"tenant_id": tenant_id, "key": key, "allocation": allocation}
            for (tenant_id, key), allocation in sorted(pools.settled.items())
        ]
        connection.update(SHARED_COSTS, ("tenant_id", "key"), settled)
    if pools.dependencies:
        rows = [
            {"tenant_id": event.tenant_id, "event_id": event.id, "customer_id": customer_id}
            for event, customers in pools.dependencies
            for customer_id in customers
        ]
        connection.insert(DEPENDENCIES, rows)


def due_windows(
    session: Session, now: datetime, limit: int, tenant_id: int | None = None
) -> list[tuple[int, Window, list[bytes]]]:
    """Open costs (at most `limit`) whose window is over, by tenant and window; `now` is real time,
    and without a tenant all are looked at."""
    found: dict[tuple[int, Window], list[bytes]] = {}
    left = limit
    for tenant, present in due.presents(session, now, tenant_id, due.next_shared_cost):
        rows = session.exec(
            select(SharedCostRow)
            .where(
                SharedCostRow.tenant_id == tenant,
                due.UNSETTLED,
                col(SharedCostRow.due_at) <= present,
            )
            .order_by(col(SharedCostRow.due_at))
            .limit(left)
        ).all()
        for row in rows:
            window = Window(row.cause, row.rule, row.shared_key, row.first_day, row.last_day)
            found.setdefault((tenant, window), []).append(row.key)
        left -= len(rows)
        if not left:
            break
    return [(tenant, window, keys) for (tenant, window), keys in found.items()]


def users(session: Session, tenant_id: int, window: Window) -> dict[int, int]:
    """How often each customer (row id) used what the window's costs paid for."""
    rows = session.exec(
        select(SharedUseRow.customer_id, func.sum(SharedUseRow.uses))
        .where(
            SharedUseRow.tenant_id == tenant_id,
            SharedUseRow.pool == pool(window.on, window.shared_key),
            SharedUseRow.day >= window.first_day,
            SharedUseRow.day <= window.last_day,
        )
        .group_by(col(SharedUseRow.customer_id))
    )
    return {customer_id: int(uses) for customer_id, uses in rows}


def allocations(session: Session, tenant_id: int, cost_ids: Collection[str]) -> dict[str, str]:
    """By what those of these costs that are settled were settled."""
    keys = {client_key(cost_id): cost_id for cost_id in cost_ids}
    rows = session.exec(
        select(SharedCostRow.key, SharedCostRow.allocation).where(
            SharedCostRow.tenant_id == tenant_id,
            col(SharedCostRow.key).in_(keys),
            col(SharedCostRow.allocation).is_not(None),
        )
    )
    return {keys[key]: allocation for key, allocation in rows if allocation is not None}


def depends_on(session: Session, tenant_id: int, event_id: int) -> list[CustomerRow]:
    """The customers whose data went into an event."""
    row = CostDependencyRow
    return list(
        session.exec(
            select(CustomerRow)
            .join(row, col(row.customer_id) == col(CustomerRow.id))
            .where(row.tenant_id == tenant_id, row.event_id == event_id)
            .order_by(col(CustomerRow.id))
        )
    )


def dependencies(
    session: Session, tenant_id: int, customer_id: int | None, offset: int, limit: int
) -> tuple[list[tuple[CostDependencyRow, EventRow]], int]:
    """Events made with the data of other customers, or of this one, newest first; how many."""
    row = CostDependencyRow
    own = [col(row.tenant_id) == tenant_id]
    if customer_id is not None:
        own.append(col(row.customer_id) == customer_id)
    total = session.exec(select(func.count()).select_from(row).where(*own)).one()
    found = session.exec(
        select(row, EventRow)
        .join(EventRow, col(EventRow.id) == col(row.event_id))
        .where(*own)
        .order_by(col(row.event_id).desc(), col(row.customer_id))
        .offset(offset)
        .limit(limit)
    )
    return list(found), total


def _shared_row(tenant_id: int, customer_id: int, key: bytes, one: Any) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "key": key,
        "customer_id": customer_id,
        "cause": one.on,
        "rule": one.rule,
        "shared_key": one.shared_key,
        "first_day": one.first_day,
        "last_day": one.last_day,
        "kind": exact_json.dumps(one.kind).decode(),
        "units": one.units,
        "due_at": one.due_at,
    }
