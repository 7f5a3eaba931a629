"""REST routes of vendors' bills and of what they differ from the records by. Translation only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, reply
from credyt_mcp.use_cases import reconciliation_fields as fields
from credyt_mcp.use_cases import reconciliations, vendor_bills

router = APIRouter(tags=["reconciliation"], route_class=ExactRoute)


@router.post("/vendor-bills", status_code=201, response_model=vendor_bills.VendorBillImported)
async def import_vendor_bill(caller: Caller, body: vendor_bills.ImportVendorBill) -> Response:
    return await reply(caller, vendor_bills.import_vendor_bill, body, 201)


@router.get("/vendor-bills", response_model=vendor_bills.VendorBillPage)
async def list_vendor_bills(
    caller: Caller, page: Annotated[vendor_bills.ListVendorBills, Query()]
) -> Response:
    return await reply(caller, vendor_bills.list_vendor_bills, page)


@router.get("/vendor-bills/{bill_id}", response_model=vendor_bills.VendorBill)
async def get_vendor_bill(caller: Caller, bill_id: str) -> Response:
    command = vendor_bills.GetVendorBill(bill_id=bill_id)
    return await reply(caller, vendor_bills.get_vendor_bill, command)


@router.delete("/vendor-bills/{bill_id}", status_code=204)
async def delete_vendor_bill(caller: Caller, bill_id: str) -> Response:
    command = vendor_bills.DeleteVendorBill(bill_id=bill_id)
    return await reply(caller, vendor_bills.delete_vendor_bill, command, 204)


@router.get("/reconciliation", response_model=fields.Reconciliation)
async def reconcile_costs(
    caller: Caller, asked: Annotated[fields.ReconcileCosts, Query()]
) -> Response:
    return await reply(caller, reconciliations.reconcile_costs, asked)


@router.post("/reconciliation/true-up", response_model=fields.CostsTruedUp)
async def true_up_costs(caller: Caller, body: fields.TrueUpCosts) -> Response:
    return await reply(caller, reconciliations.true_up_costs, body)
