"""Checks the costs that come with events and finds the vendors they name; model calls are priced in
llm_costs.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio

from credyt_mcp.domain.assets import currency
from credyt_mcp.domain.money import to_units
from credyt_mcp.errors import InvalidRequest, UnknownReference
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.llm_costs import llm_costs
from credyt_mcp.use_cases.usage_fields import Cost, UsageEventFields


async def stored_costs(
    billing: Billing, given: Sequence[UsageEventFields], *, internal: bool
) -> list[list[dict[str, Any]] | None]:
    """Each event's costs as they are stored, with our vendor ids. A cost id counts once an event.
    `internal` tells that the work is no customer's.

    Raises UnknownReference for a vendor or currency that does not exist, InvalidRequest for a cost
    without a vendor, AmountOutOfRange.
    """
    calls: list[list[dict[str, Any]]] = [[] for _ in given]
    if any(event.llm_usage for event in given):
        calls = await anyio.to_thread.run_sync(llm_costs, billing, given, internal)
    elif not any(event.costs for event in given):
        return [None] * len(given)
    named = {_vendor(cost) for event in given for cost in event.costs or ()}
    ids = await billing.vendors.get(billing.tenant.id, {name for name in named if name})
    return [
        _stored(event.costs, index, ids, own)
        for index, (event, own) in enumerate(zip(given, calls, strict=True))
    ]


def _stored(
    costs: Sequence[Cost] | None,
    event: int,
    ids: dict[str, tuple[str, str | None]],
    calls: list[dict[str, Any]],
) -> list[dict[str, Any]] | None:
    by_id: dict[str, dict[str, Any]] = {}
    for index, cost in enumerate(costs or ()):
        path = f"events[{event}].costs[{index}]"
        vendor = _vendor(cost)
        if vendor is None:
            raise InvalidRequest(f"{path}.vendor_id", "is required, or vendor_external_id")
        if vendor not in ids:
            given = "vendor_id" if cost.vendor_id else "vendor_external_id"
            raise UnknownReference(
                f"{path}.{given}", f"there is no vendor '{vendor}'; create_vendor makes one"
            )
        asset = currency(cost.currency)
        if asset is None:
            raise UnknownReference(f"{path}.currency", f"'{cost.currency}' is not a currency")
        to_units(cost.amount, asset, f"{path}.amount")
        stored = cost.model_dump(exclude_none=True)
        stored["currency"] = asset.code
        stored["vendor_id"], stored["vendor_external_id"] = ids[vendor]
        if stored["vendor_external_id"] is None:
            del stored["vendor_external_id"]
        by_id.setdefault(cost.id, stored)
    for call in calls:
        by_id.setdefault(call["id"], call)
    return list(by_id.values()) or None


def _vendor(cost: Cost) -> str | None:
    return cost.vendor_id or cost.vendor_external_id
