"""Vendors: create, list and read those whom the tenant pays."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from credyt_mcp.errors import Conflict, InvalidRequest, NotFound
from credyt_mcp.ids import new_id
from credyt_mcp.storage import unique, vendors
from credyt_mcp.storage.tables import VendorRow
from credyt_mcp.use_cases.context import Billing, Command, PageOf, Result, ShortText


class CreateVendor(Command):
    """A vendor you pay, such as a model provider, so that events can say what they cost you."""

    name: ShortText
    external_id: Annotated[ShortText | None, Field(description="your own id for it")] = None


class VendorCreated(Result):
    id: str
    created_at: datetime


class ListVendors(PageOf):
    external_id: str | None = None


class GetVendor(Command):
    """A vendor by id or external id."""

    vendor_id: Annotated[str, Field(description="vendor id, or your external id")]


class VendorSummary(Result):
    id: str
    external_id: str | None = None
    name: str
    created_at: datetime


class VendorPage(Result):
    items: list[VendorSummary]
    total_count: int
    limit: int
    offset: int


def create_vendor(billing: Billing, command: CreateVendor) -> VendorCreated:
    """Raises Conflict when the external id is taken."""
    if command.external_id is not None and command.external_id.startswith("vnd_"):
        raise InvalidRequest("external_id", "must not start with vnd_, as our own ids do")
    row = VendorRow(
        tenant_id=billing.tenant.id,
        public_id=new_id("vnd"),
        external_id=command.external_id,
        name=command.name,
        created_at=billing.now(),
    )
    with billing.database.write() as session:
        if not unique.save(session, row):
            raise Conflict(
                f"a vendor with external_id '{command.external_id}' exists already",
                hint="Use it; GET /vendors?external_id= shows it.",
            )
    return VendorCreated(id=row.public_id, created_at=row.created_at)


def list_vendors(billing: Billing, command: ListVendors) -> VendorPage:
    """Vendors, newest first."""
    with billing.database.read() as session:
        rows, total = vendors.page(
            session, billing.tenant.id, command.external_id, command.offset, command.limit
        )
    items = [_summary(row) for row in rows]
    return VendorPage(items=items, total_count=total, limit=command.limit, offset=command.offset)


def get_vendor(billing: Billing, command: GetVendor) -> VendorSummary:
    with billing.database.read() as session:
        row = vendors.find(session, billing.tenant.id, command.vendor_id)
    if row is None:
        raise NotFound(f"there is no vendor '{command.vendor_id}'")
    return _summary(row)


def _summary(row: VendorRow) -> VendorSummary:
    return VendorSummary(
        id=row.public_id, external_id=row.external_id, name=row.name, created_at=row.created_at
    )
