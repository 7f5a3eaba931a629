"""REST routes of vendors. Translation only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, reply
from credyt_mcp.use_cases import stats, vendors

router = APIRouter(prefix="/vendors", tags=["vendors"], route_class=ExactRoute)


@router.post("", status_code=201, response_model=vendors.VendorCreated)
async def create_vendor(caller: Caller, body: vendors.CreateVendor) -> Response:
    return await reply(caller, vendors.create_vendor, body, 201)


@router.get("", response_model=vendors.VendorPage)
async def list_vendors(caller: Caller, query: Annotated[vendors.ListVendors, Query()]) -> Response:
    return await reply(caller, vendors.list_vendors, query)


@router.get("/{vendor_id}", response_model=vendors.VendorSummary)
async def get_vendor(caller: Caller, vendor_id: str) -> Response:
    return await reply(caller, vendors.get_vendor, vendors.GetVendor(vendor_id=vendor_id))


@router.get("/{vendor_id}/stats", response_model=stats.VendorStats)
async def get_vendor_stats(
    caller: Caller, vendor_id: str, query: Annotated[stats.VendorStatsFields, Query()]
) -> Response:
    command = stats.GetVendorStats(vendor_id=vendor_id, **dict(query))
    return await reply(caller, stats.get_vendor_stats, command)
