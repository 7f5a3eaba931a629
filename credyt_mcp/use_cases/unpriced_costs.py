"""Model calls that have no price: listed until they get one, and priced when there is one."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import anyio

from credyt_mcp.clock import to_micros
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.domain.fees import StoredFee
from credyt_mcp.domain.late_costs import PriceLate
from credyt_mcp.domain.llm_pricing import Unpriced
from credyt_mcp.domain.margins import Usage
from credyt_mcp.errors import InvalidRequest
from credyt_mcp.ids import client_id_of, client_key, new_id
from credyt_mcp.storage import unpriced
from credyt_mcp.storage.ledger_tables import EventRow
from credyt_mcp.use_cases.context import Billing, Command, Number, PageOf, Result
from credyt_mcp.use_cases.llm_costs import price

BATCH = 200


class ListUnpricedCosts(PageOf):
    """Model calls whose cost is not known, newest first."""


class RepriceCosts(Command):
    """Price all model calls that have no price yet, by the prices that are known now for their own
    dates. May be repeated: a call gets one price."""


class UnpricedCost(Result):
    id: str
    event_id: str
    customer_id: str
    customer_external_id: str | None = None
    provider: str
    model: str
    requested_at: datetime
    reason: str
    usage: dict[str, Any] | None = None


class UnpricedCostPage(Result):
    items: list[UnpricedCost]
    total_count: int
    limit: int
    offset: int


class CostsRepriced(Result):
    priced: int
    amount: Number
    currency: str
    still_unpriced: int
    reasons: dict[str, int]


class _Priced(NamedTuple):
    command: PriceLate
    amount: Decimal


def list_unpriced_costs(billing: Billing, command: ListUnpricedCosts) -> UnpricedCostPage:
    with billing.database.read() as session:
        rows, total = unpriced.page(session, billing.tenant.id, command.offset, command.limit)
        items = [_shown(row) for row in rows]
    return UnpricedCostPage(
        items=items, total_count=total, limit=command.limit, offset=command.offset
    )


async def reprice_costs(billing: Billing, command: RepriceCosts) -> CostsRepriced:
    """The event stays as it is; its cost is a new record, on the day of the call."""
    done, amount, reasons = 0, Decimal(0), dict[str, int]()
    key: bytes | None = b""
    while key is not None:
        found, key = await anyio.to_thread.run_sync(_next, billing, key, reasons)
        booked: list[Decimal] = []
        async with anyio.create_task_group() as group:
            for one in found:
                group.start_soon(_book, billing, one, booked)
        done, amount = done + len(booked), sum(booked, amount)
    return CostsRepriced(
        priced=done,
        amount=amount,
        currency="USD",
        still_unpriced=sum(reasons.values()),
        reasons=reasons,
    )


async def _book(billing: Billing, one: _Priced, booked: list[Decimal]) -> None:
    if await billing.lane.submit(one.command):
        booked.append(one.amount)


def _next(
    billing: Billing, after: bytes, reasons: dict[str, int]
) -> tuple[list[_Priced], bytes | None]:
    """What can be priced of the next open costs, and where to go on; the others' `reasons`."""
    tenant_id = billing.tenant.id
    found: list[_Priced] = []
    with billing.database.read() as session:
        rows = unpriced.after(session, tenant_id, after, BATCH)
        for row in rows:
            open_cost, event, customer = row
            stored = _cost(row)
            try:
                priced = price(session, tenant_id, stored, open_cost.booked_at)
            except (Unpriced, InvalidRequest) as error:
                reasons[str(error)] = reasons.get(str(error), 0) + 1
                continue
            kept = {name: stored[name] for name in stored if name not in ("unpriced", "counted")}
            cost = {**kept, **priced, "id": new_id("cost"), "corrects": stored["id"]}
            cost["booked_at"] = to_micros(open_cost.booked_at)
            ref = CustomerRef(tenant_id, customer.public_id)
            command = PriceLate(ref, cost, cost["booked_at"], _usage(event))
            found.append(_Priced(command, priced["amount"]))
    return found, rows[-1][0].key if len(rows) == BATCH else None


def _usage(event: EventRow) -> Usage:
    fees = (StoredFee(*fee) for fee in event.fees or ())
    prices = tuple((fee.price, fee.revenue) for fee in fees)
    return Usage(event.event_type, event.user_id or "", event.subject or "", prices)


def _cost(row: unpriced.Open) -> dict[str, Any]:
    """As it was recorded with its event."""
    open_cost, event, _ = row
    costs: list[dict[str, Any]] = event.costs
    return next(cost for cost in costs if client_key(cost["id"]) == open_cost.key)


def _shown(row: unpriced.Open) -> UnpricedCost:
    open_cost, event, customer = row
    cost = _cost(row)
    return UnpricedCost(
        id=cost["id"],
        event_id=client_id_of(event.key, event.client_id),
        customer_id=customer.public_id,
        customer_external_id=customer.external_id,
        provider=cost["llm"]["provider"],
        model=cost["llm"]["model"],
        requested_at=open_cost.booked_at,
        reason=cost["llm"]["reason"],
        usage=cost["llm"].get("usage"),
    )
