"""Customers: find them by our id or the tenant's own, lock, save and list them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from sqlmodel import Session, col, exists, func, or_, select

from credyt_mcp.storage.tables import CustomerRow, SubscriptionRow


@dataclass(frozen=True)
class CustomerFilter:
    """Absent fields do not narrow."""

    customer_id: str | None = None
    external_id: str | None = None
    email: str | None = None
    name: str | None = None
    status: Literal["active", "inactive"] | None = None


def find(session: Session, tenant_id: int, name: str, *, lock: bool = False) -> CustomerRow | None:
    """The customer of that id or external id, locked against the write lane if asked."""
    query = select(CustomerRow).where(
        CustomerRow.tenant_id == tenant_id,
        or_(col(CustomerRow.public_id) == name, col(CustomerRow.external_id) == name),
    )
    rows = session.exec(query.with_for_update(key_share=True) if lock else query).all()
    return next((row for row in rows if row.public_id == name), rows[0] if rows else None)


def by_row_id(session: Session, ids: Collection[int]) -> dict[int | None, CustomerRow]:
    rows = session.exec(select(CustomerRow).where(col(CustomerRow.id).in_(ids)))
    return {row.id: row for row in rows}


def page(
    session: Session, tenant_id: int, wanted: CustomerFilter, offset: int, limit: int
) -> tuple[list[CustomerRow], int]:
    """Customers newest first, and how many match."""
    conditions = [col(CustomerRow.tenant_id) == tenant_id, *_conditions(wanted)]
    total = session.exec(select(func.count()).select_from(CustomerRow).where(*conditions)).one()
    newest = select(CustomerRow).where(*conditions).order_by(col(CustomerRow.id).desc())
    return list(session.exec(newest.offset(offset).limit(limit))), total


def active_subscriptions(
    session: Session, tenant_id: int, customer_ids: Collection[int | None]
) -> dict[int, int]:
    """How many active subscriptions each of these customers has; those without are left out."""
    counted = session.exec(
        select(SubscriptionRow.customer_id, func.count())
        .where(
            SubscriptionRow.tenant_id == tenant_id,
            col(SubscriptionRow.customer_id).in_(customer_ids),
            SubscriptionRow.status == "active",
        )
        .group_by(col(SubscriptionRow.customer_id))
    )
    return dict(counted.all())


def _conditions(wanted: CustomerFilter) -> list[Any]:
    conditions: list[Any] = []
    if wanted.customer_id is not None:
        conditions.append(
            or_(
                col(CustomerRow.public_id) == wanted.customer_id,
                col(CustomerRow.external_id) == wanted.customer_id,
            )
        )
    if wanted.external_id is not None:
        conditions.append(col(CustomerRow.external_id) == wanted.external_id)
    if wanted.email is not None:
        conditions.append(func.lower(col(CustomerRow.email)) == func.lower(wanted.email))
    if wanted.name is not None:
        conditions.append(func.lower(col(CustomerRow.name)) == func.lower(wanted.name))
    if wanted.status is not None:
        active = exists().where(
            col(SubscriptionRow.tenant_id) == col(CustomerRow.tenant_id),
            col(SubscriptionRow.customer_id) == col(CustomerRow.id),
            col(SubscriptionRow.status) == "active",
        )
        conditions.append(active if wanted.status == "active" else ~active)
    return conditions
