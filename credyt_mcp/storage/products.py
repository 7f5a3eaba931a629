"""Products, their versions and prices. Rows of a published version are only ever read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, delete, func, select
from sqlmodel.sql.expression import SelectOfScalar

from credyt_mcp import ids
from credyt_mcp.storage import unique
from credyt_mcp.storage.tables import PriceRow, ProductRow, SubscribedVersionRow, VersionRow

ID_PREFIX = "prp"


def find(session: Session, tenant_id: int, ref: str) -> ProductRow | None:
    """By id or code. Archived ones are found too: customers may still be on them."""
    return session.exec(_named(tenant_id, ref)).first()


def lock(session: Session, tenant_id: int, ref: str) -> ProductRow | None:
    """`find`, and keep other writers of this product waiting until the transaction ends."""
    return session.exec(_named(tenant_id, ref).with_for_update()).first()


def names(session: Session, tenant_id: int, public_ids: Iterable[str]) -> dict[str, str]:
    """Names of products by id."""
    named = select(ProductRow.public_id, ProductRow.name).where(
        ProductRow.tenant_id == tenant_id, col(ProductRow.public_id).in_(set(public_ids))
    )
    return dict(session.exec(named).all())


def page(
    session: Session, tenant_id: int, offset: int, limit: int, code: str | None
) -> tuple[list[ProductRow], int]:
    """Products that are not archived, newest first, and how many there are."""
    shown = select(ProductRow).where(
        ProductRow.tenant_id == tenant_id, col(ProductRow.archived_at).is_(None)
    )
    if code is not None:
        shown = shown.where(ProductRow.code == code)
    total = session.exec(select(func.count()).select_from(shown.subquery())).one()
    newest = shown.order_by(col(ProductRow.id).desc())
    return list(session.exec(newest.offset(offset).limit(limit))), total


def add(session: Session, tenant_id: int, code: str, name: str, now: datetime) -> ProductRow | None:
    """A new product without versions; None, and the transaction is lost, if the code is taken."""
    row = ProductRow(
        tenant_id=tenant_id,
        public_id=ids.new_id(ID_PREFIX),
        code=code,
        name=name,
        created_at=now,
    )
    return row if unique.save(session, row) else None


def versions(session: Session, product: ProductRow) -> list[VersionRow]:
    """All versions, newest first."""
    own = select(VersionRow).where(
        VersionRow.tenant_id == product.tenant_id, VersionRow.product_id == product.id
    )
    return list(session.exec(own.order_by(col(VersionRow.version).desc())))


def version(session: Session, product: ProductRow, number: int) -> VersionRow | None:
    return session.exec(
        select(VersionRow).where(
            VersionRow.tenant_id == product.tenant_id,
            VersionRow.product_id == product.id,
            VersionRow.version == number,
        )
    ).first()


def prices(session: Session, version: VersionRow) -> list[PriceRow]:
    own = select(PriceRow).where(
        PriceRow.tenant_id == version.tenant_id, PriceRow.version_id == version.id
    )
    return list(session.exec(own.order_by(col(PriceRow.position))))


def add_version(
    session: Session,
    product: ProductRow,
    definitions: Iterable[dict[str, Any]],
    entitlements: list[dict[str, Any]],
    now: datetime,
) -> VersionRow:
    """The next version, as a draft. The product must be new or locked."""
    latest = session.exec(
        select(func.max(VersionRow.version)).where(
            VersionRow.tenant_id == product.tenant_id, VersionRow.product_id == product.id
        )
    ).one()
    row = VersionRow(
        tenant_id=product.tenant_id,
        product_id=product.id,
        version=(latest or 0) + 1,
        status="draft",
        entitlements=entitlements,
        created_at=now,
    )
    session.add(row)
    session.flush()
    for position, definition in enumerate(definitions):
        add_price(session, row, position, definition)
    return row


def add_price(
    session: Session, version: VersionRow, position: int, definition: dict[str, Any]
) -> PriceRow:
    row = PriceRow(
        tenant_id=version.tenant_id,
        version_id=version.id,
        position=position,
        public_id=ids.new_id("prc"),
        definition=definition,
    )
    session.add(row)
    session.flush()
    return row


def is_used(session: Session, product: ProductRow, *, now: datetime | None = None) -> bool:
    """Whether a customer was ever subscribed to it; with `now`, whether one still is."""
    used = select(SubscribedVersionRow.id).where(
        SubscribedVersionRow.tenant_id == product.tenant_id,
        SubscribedVersionRow.product_id == product.id,
    )
    if now is not None:
        until = col(SubscribedVersionRow.until_at)
        used = used.where(until.is_(None) | (until > now))
    return session.exec(used.limit(1)).first() is not None


def delete_for_good(session: Session, product: ProductRow) -> None:
    """The product with all it owns. Only for one that was never used."""
    own_versions = select(VersionRow.id).where(
        VersionRow.tenant_id == product.tenant_id, VersionRow.product_id == product.id
    )
    own_prices = delete(PriceRow).where(
        col(PriceRow.tenant_id) == product.tenant_id, col(PriceRow.version_id).in_(own_versions)
    )
    session.exec(own_prices)
    session.exec(
        delete(VersionRow).where(
            col(VersionRow.tenant_id) == product.tenant_id,
            col(VersionRow.product_id) == product.id,
        )
    )
    session.delete(product)


def _named(tenant_id: int, ref: str) -> SelectOfScalar[ProductRow]:
    name = ProductRow.public_id if ref.startswith(f"{ID_PREFIX}_") else ProductRow.code
    return select(ProductRow).where(ProductRow.tenant_id == tenant_id, name == ref)
