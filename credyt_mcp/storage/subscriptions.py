"""Subscriptions and the history of the product versions they were on, read and begun. What happens
to them later changes in the lane only, see subscribed_book.py.

History is only ever added to and ended, never rewritten: usage is priced by the version that was
in force when it occurred. Lock the customer before changing anything here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, select

from credyt_mcp.storage.tables import (
    CustomerRow,
    ProductRow,
    SubscribedVersionRow,
    SubscriptionRow,
    VersionRow,
)

Stretch = tuple[SubscriptionRow, SubscribedVersionRow, ProductRow, VersionRow]
"""One stretch of a subscription on one version of one product."""

Subscriber = tuple[CustomerRow, SubscriptionRow, VersionRow]
"""Who is subscribed to a product, by which subscription, on which version."""


def keep(session: Session, product: ProductRow) -> ProductRow | None:
    """`product` as it is now, safe from being archived or deleted until the transaction ends."""
    return session.exec(
        select(ProductRow)
        .where(ProductRow.tenant_id == product.tenant_id, ProductRow.id == product.id)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    ).first()


def get(session: Session, customer: CustomerRow, public_id: str) -> SubscriptionRow | None:
    return session.exec(
        select(SubscriptionRow).where(
            SubscriptionRow.tenant_id == customer.tenant_id,
            SubscriptionRow.customer_id == customer.id,
            SubscriptionRow.public_id == public_id,
        )
    ).first()


def stretches(session: Session, customer: CustomerRow) -> list[Stretch]:
    """A customer's whole history, oldest subscription first, each in the order it happened."""
    return list(
        session.exec(
            select(SubscriptionRow, SubscribedVersionRow, ProductRow, VersionRow)
            .join(
                SubscribedVersionRow,
                col(SubscribedVersionRow.subscription_id) == col(SubscriptionRow.id),
            )
            .join(ProductRow, col(ProductRow.id) == col(SubscribedVersionRow.product_id))
            .join(VersionRow, col(VersionRow.id) == col(SubscribedVersionRow.version_id))
            .where(
                SubscriptionRow.tenant_id == customer.tenant_id,
                SubscriptionRow.customer_id == customer.id,
                # What the join implies, but not to a planner: their index begins with it.
                SubscribedVersionRow.tenant_id == customer.tenant_id,
                SubscribedVersionRow.customer_id == customer.id,
            )
            .order_by(col(SubscriptionRow.id), col(SubscribedVersionRow.id))
        ).all()
    )


def latest(stretches: Iterable[Stretch]) -> list[Stretch]:
    """The last stretch of each product of each subscription."""
    last = {(stretch[0].id, stretch[1].product_id): stretch for stretch in stretches}
    return list(last.values())


def of_product(
    session: Session, product: ProductRow, offset: int, limit: int
) -> tuple[list[Subscriber], int]:
    """Subscriptions that hold the product and have not ended, newest first, and how many."""
    last = (
        select(func.max(SubscribedVersionRow.id))
        .where(
            SubscribedVersionRow.tenant_id == product.tenant_id,
            SubscribedVersionRow.product_id == product.id,
        )
        .group_by(col(SubscribedVersionRow.subscription_id))
    )
    found = (
        select(CustomerRow, SubscriptionRow, VersionRow)
        .join(SubscriptionRow, col(SubscriptionRow.customer_id) == col(CustomerRow.id))
        .join(
            SubscribedVersionRow,
            col(SubscribedVersionRow.subscription_id) == col(SubscriptionRow.id),
        )
        .join(VersionRow, col(VersionRow.id) == col(SubscribedVersionRow.version_id))
        .where(col(SubscribedVersionRow.id).in_(last), SubscriptionRow.status != "inactive")
    )
    total = session.exec(select(func.count()).select_from(found.subquery())).one()
    newest = found.order_by(col(SubscriptionRow.id).desc()).offset(offset).limit(limit)
    return list(session.exec(newest).all()), total


def add(session: Session, customer: CustomerRow, **fields: Any) -> SubscriptionRow:
    """A new subscription of the customer, who must be new or locked."""
    row = SubscriptionRow(tenant_id=customer.tenant_id, customer_id=customer.id, **fields)
    session.add(row)
    session.flush()
    return row


def put_on(
    session: Session,
    subscription: SubscriptionRow,
    version: VersionRow,
    from_at: datetime,
    until_at: datetime | None,
    anchor_at: datetime | None,
) -> None:
    """A stretch of `subscription` on `version`."""
    assert subscription.id is not None and version.id is not None
    session.add(
        SubscribedVersionRow(
            tenant_id=subscription.tenant_id,
            customer_id=subscription.customer_id,
            subscription_id=subscription.id,
            product_id=version.product_id,
            version_id=version.id,
            from_at=from_at,
            until_at=until_at,
            anchor_at=anchor_at,
        )
    )
    session.flush()


def wake(session: Session, customer: CustomerRow, at: datetime) -> None:
    """Let time do something to the customer's subscriptions at `at`, if not before."""
    customer.next_due_at = min(at, customer.next_due_at or at)
    session.add(customer)
