"""Subscriptions of customers: add one, change its version, end and resume it.

Every change counts from its moment on; what was in force before stays in the history, by which
earlier usage is priced.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from sqlmodel import Session

from credyt_mcp.errors import InvalidRequest, NotFound, WrongState
from credyt_mcp.storage import customers, subscriptions
from credyt_mcp.storage.tables import CustomerRow, SubscribedVersionRow, SubscriptionRow
from credyt_mcp.use_cases.context import Billing, Command, Moment, Result
from credyt_mcp.use_cases.subscribing import (
    Start,
    VersionRef,
    Wanted,
    open_accounts,
    refuse_overlap,
    start_at,
    subscribe,
    version_to_subscribe,
)

CustomerId = Annotated[str, Field(description="customer id, or your external id")]


class ProductRef(Command):
    id: str | None = None
    code: str | None = None
    version: VersionRef = "default"

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not (self.id or self.code):
            raise ValueError("give the product's id or code")
        return self


class SubscriptionFields(Command):
    products: Annotated[list[ProductRef], Field(min_length=1, max_length=50)]
    starts_at: Annotated[Moment | None, Field(description="default now")] = None
    renews_at: Moment | None = None
    return_url: str | None = None
    failure_url: str | None = None
    redirect_to: Literal["return_url", "portal"] | None = None


class CreateSubscription(SubscriptionFields):
    """Subscribe a customer to one or more products."""

    customer_id: CustomerId


class StatusField(Command):
    status: Literal["active", "inactive"]


class UpdateSubscription(StatusField):
    customer_id: CustomerId
    subscription_id: str


class VersionField(Command):
    version: VersionRef


class UpdateSubscriptionProduct(VersionField):
    customer_id: CustomerId
    subscription_id: str
    product_id: Annotated[str, Field(description="product id or code")]


class SubscribedProduct(Result):
    id: str
    code: str
    version: int


class Subscription(Result):
    id: str
    status: str
    started_at: datetime
    renews_at: datetime | None = None
    products: list[SubscribedProduct]


def create_subscription(billing: Billing, command: CreateSubscription) -> Subscription:
    """Raises NotFound (customer), and as `subscribe` does."""
    with billing.database.write() as session:
        customer = customer_of(session, billing, command.customer_id, lock=True)
        subscribe_as_asked(session, billing, customer, command)
        return of_customer(session, customer)[-1]


def update_subscription(billing: Billing, command: UpdateSubscription) -> None:
    """End a subscription now, or resume it on the versions it was on. Repeating changes nothing.

    Raises NotFound, Conflict (another subscription to a product is active).
    """
    now = billing.now()
    with billing.database.write() as session:
        customer = customer_of(session, billing, command.customer_id, lock=True)
        row = _subscription(session, customer, command.subscription_id)
        if row.status == command.status:
            return
        history = subscriptions.stretches(session, customer)
        for subscription, stretch, product, version in subscriptions.latest(history):
            if subscription.id != row.id:
                continue
            if command.status == "inactive":
                subscriptions.end(session, stretch, now)
            else:
                refuse_overlap(history, product, Start(now, "status"))
                subscriptions.put_on(session, row, version, now)
        row.status = command.status
        session.add(row)


def update_subscription_product(billing: Billing, command: UpdateSubscriptionProduct) -> None:
    """Put a subscription's product on another version from now on.

    Raises NotFound, WrongState (the subscription is not active), UnknownReference, InvalidRequest.
    """
    now = billing.now()
    with billing.database.write() as session:
        customer = customer_of(session, billing, command.customer_id, lock=True)
        row = _subscription(session, customer, command.subscription_id)
        stretch = _stretch_on(session, customer, row, command.product_id)
        if row.status != "active":
            raise WrongState(
                f"subscription '{row.public_id}' is {row.status}", hint="Make it active first."
            )
        wanted = Wanted(command.product_id, command.version, "version")
        _, version = version_to_subscribe(session, customer.tenant_id, wanted)
        if version.id != stretch.version_id:
            subscriptions.end(session, stretch, now)
            subscriptions.put_on(session, row, version, now)
            open_accounts(session, customer, version, now)


def customer_of(
    session: Session, billing: Billing, name: str, *, lock: bool = False
) -> CustomerRow:
    """The customer of that id or external id. Raises NotFound."""
    row = customers.find(session, billing.tenant.id, name, lock=lock)
    if row is None:
        raise NotFound(
            f"there is no customer '{name}'",
            hint="create_wallet or create_customer makes one; list_customers shows what exists.",
        )
    return row


def subscribe_as_asked(
    session: Session,
    billing: Billing,
    customer: CustomerRow,
    asked: SubscriptionFields,
    prefix: str = "",
) -> None:
    """`prefix` is where in the request the fields of `asked` are."""
    start = start_at(billing, asked.starts_at, f"{prefix}starts_at")
    if asked.renews_at is not None and asked.renews_at <= start.at:
        raise InvalidRequest(f"{prefix}renews_at", "must be later than starts_at")
    wanted = [
        Wanted(
            product.id or product.code or "",
            product.version,
            f"{prefix}products[{index}].{'id' if product.id else 'code'}",
        )
        for index, product in enumerate(asked.products)
    ]
    subscribe(session, customer, wanted, start, billing.now(), asked.renews_at)


def of_customer(session: Session, customer: CustomerRow) -> list[Subscription]:
    """A customer's subscriptions, oldest first, each with the versions it is or was last on."""
    found: dict[str, Subscription] = {}
    for row, _, product, version in subscriptions.latest(
        subscriptions.stretches(session, customer)
    ):
        shown = found.setdefault(
            row.public_id,
            Subscription(
                id=row.public_id,
                status=row.status,
                started_at=row.started_at,
                renews_at=row.renews_at,
                products=[],
            ),
        )
        shown.products.append(
            SubscribedProduct(id=product.public_id, code=product.code, version=version.version)
        )
    return list(found.values())


def _subscription(session: Session, customer: CustomerRow, public_id: str) -> SubscriptionRow:
    row = subscriptions.get(session, customer, public_id)
    if row is None:
        raise NotFound(f"the customer has no subscription '{public_id}'")
    return row


def _stretch_on(
    session: Session, customer: CustomerRow, row: SubscriptionRow, product_name: str
) -> SubscribedVersionRow:
    """The subscription's last stretch on the product of that id or code."""
    for subscription, stretch, product, _ in subscriptions.latest(
        subscriptions.stretches(session, customer)
    ):
        if subscription.id == row.id and product_name in (product.public_id, product.code):
            return stretch
    raise NotFound(f"subscription '{row.public_id}' has no product '{product_name}'")
