"""What the keys of rollups stand for: customers, prices, products and vendors."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlmodel import Session, col, select

from credyt_mcp.storage.tables import CustomerRow, PriceRow, ProductRow, VendorRow, VersionRow


class PriceName(NamedTuple):
    id: str
    name: str
    product: str
    """The code of the product."""


def customers(session: Session, ids: Collection[int]) -> dict[int, CustomerRow]:
    rows = session.exec(select(CustomerRow).where(col(CustomerRow.id).in_(ids)))
    return {row.id: row for row in rows}


def prices(session: Session, ids: Collection[int]) -> dict[int, PriceName]:
    rows = session.exec(
        select(PriceRow, ProductRow.code)
        .join(VersionRow, col(VersionRow.id) == col(PriceRow.version_id))
        .join(ProductRow, col(ProductRow.id) == col(VersionRow.product_id))
        .where(col(PriceRow.id).in_(ids))
    )
    return {
        price.id: PriceName(price.public_id, price.definition["name"], code) for price, code in rows
    }


def products(session: Session, tenant_id: int, codes: Collection[str]) -> dict[str, ProductRow]:
    return _named(session, ProductRow, tenant_id, "code", codes)


def vendors(session: Session, tenant_id: int, ids: Collection[str]) -> dict[str, VendorRow]:
    return _named(session, VendorRow, tenant_id, "public_id", ids)


def _named(
    session: Session, table: Any, tenant_id: int, by: str, names: Collection[str]
) -> dict[str, Any]:
    column = getattr(table, by)
    rows = session.exec(select(table).where(table.tenant_id == tenant_id, column.in_(names)))
    return {getattr(row, by): row for row in rows}
