"""Who is subscribed to a product."""

from __future__ import annotations

from datetime import datetime

from credyt_mcp.storage import subscriptions
from credyt_mcp.use_cases.context import Billing, PageOf, Result
from credyt_mcp.use_cases.product_fields import ProductRef
from credyt_mcp.use_cases.products import known_product


class ListSubscribers(PageOf):
    """Who is subscribed to a product, on which version; ended subscriptions are left out."""

    product_id: ProductRef


class Subscriber(Result):
    customer_id: str
    customer_name: str
    external_id: str | None = None
    email: str | None = None
    subscription_id: str
    subscription_status: str
    started_at: datetime
    renews_at: datetime | None = None
    product_rate_plan_id: str
    version: int


class SubscriberPage(Result):
    items: list[Subscriber]
    total_count: int
    limit: int
    offset: int


def list_subscribers(billing: Billing, command: ListSubscribers) -> SubscriberPage:
    """Newest subscription first. Raises NotFound (product)."""
    with billing.database.read() as session:
        product = known_product(session, billing, command.product_id)
        rows, total = subscriptions.of_product(session, product, command.offset, command.limit)
    items = [
        Subscriber(
            customer_id=customer.public_id,
            customer_name=customer.name,
            external_id=customer.external_id,
            email=customer.email,
            subscription_id=subscription.public_id,
            subscription_status=subscription.status,
            started_at=subscription.started_at,
            renews_at=subscription.renews_at,
            product_rate_plan_id=product.public_id,
            version=version.version,
        )
        for customer, subscription, version in rows
    ]
    return SubscriberPage(
        items=items, total_count=total, limit=command.limit, offset=command.offset
    )
