"""Settles shared costs once their window is over, and lists whose data went into whose requests."""

from __future__ import annotations

from datetime import datetime

import anyio

from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.domain.shared_costs import SettleCosts
from credyt_mcp.ids import client_id_of, new_id
from credyt_mcp.storage import customers, shared_costs
from credyt_mcp.storage.tables import TenantRow
from credyt_mcp.use_cases.context import Billing, PageOf, Result
from credyt_mcp.use_cases.keys import as_tenant
from credyt_mcp.use_cases.recording import INTERNAL, add_internal
from credyt_mcp.use_cases.subscriptions import customer_of

AT_ONCE = 500


class ListCostDependencies(PageOf):
    """Requests of one customer that were made with the data of another, newest first."""

    customer_id: str | None = None


class CostDependency(Result):
    """`customer_id` bears the cost of the event; `depends_on` is whose data went into it."""

    event_id: str
    customer_id: str
    customer_external_id: str | None = None
    depends_on: str
    depends_on_external_id: str | None = None
    occurred_at: datetime


class CostDependencyPage(Result):
    items: list[CostDependency]
    total_count: int
    limit: int
    offset: int


def list_cost_dependencies(billing: Billing, command: ListCostDependencies) -> CostDependencyPage:
    """Of all, or of the customer whose data it was. Raises NotFound (customer)."""
    with billing.database.read() as session:
        of = None
        if command.customer_id is not None:
            of = customer_of(session, billing, command.customer_id).id
        rows, total = shared_costs.dependencies(
            session, billing.tenant.id, of, command.offset, command.limit
        )
        both = {one for row, event in rows for one in (row.customer_id, event.customer_id)}
        known = customers.by_row_id(session, both)
    items = [
        CostDependency(
            event_id=client_id_of(event.key, event.client_id),
            customer_id=known[event.customer_id].public_id,
            customer_external_id=known[event.customer_id].external_id,
            depends_on=known[row.customer_id].public_id,
            depends_on_external_id=known[row.customer_id].external_id,
            occurred_at=event.occurred_at,
        )
        for row, event in rows
    ]
    return CostDependencyPage(
        items=items, total_count=total, limit=command.limit, offset=command.offset
    )


async def settle_due_costs(billing: Billing, tenant_id: int | None) -> int:
    """What customers bear of shared costs, of one tenant or (None) of all, until nothing is due.
    Any number of processes may do it at once: a cost is settled once."""
    done = 0
    while True:
        found = await anyio.to_thread.run_sync(_due, billing, tenant_id)
        for command in found:
            done += await billing.lane.submit(command)
        if not found:
            return done


def _due(billing: Billing, tenant_id: int | None) -> list[SettleCosts]:
    with billing.database.read() as session:
        windows = shared_costs.due_windows(session, billing.clock.now(), AT_ONCE, tenant_id)
        found = [
            SettleCosts(
                CustomerRef(tenant, None, INTERNAL),
                new_id("alloc"),
                window,
                keys,
                shared_costs.users(session, tenant, window),
            )
            for tenant, window, keys in windows
        ]
        tenants_due = {command.ref.tenant_id for command in found}
        tenants_found = [session.get_one(TenantRow, tenant) for tenant in tenants_due]
    for row in tenants_found:
        add_internal(billing.as_tenant(as_tenant(row)))
    return found
