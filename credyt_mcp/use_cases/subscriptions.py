"""Subscriptions of customers: add one, change its version, end and resume it.

Every change counts from its moment on; what was in force before stays in the history, by which
earlier usage is priced.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

import anyio
from pydantic import Field, model_validator
from sqlmodel import Session

from credyt_mcp.domain.authorizations import BringUpToDate
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.domain.subscription_changes import (
    ChangeVersion,
    EndSubscription,
    ResumeSubscription,
)
from credyt_mcp.errors import InvalidRequest, NotFound, WrongState
from credyt_mcp.storage import customers, rate_cards, subscription_payments, subscriptions
from credyt_mcp.storage.tables import CustomerRow, ProductRow, SubscriptionRow
from credyt_mcp.use_cases.context import Billing, Command, Moment, Result
from credyt_mcp.use_cases.return_urls import check_can_take_payments, check_return_url
from credyt_mcp.use_cases.subscribing import (
    Start,
    Terms,
    VersionRef,
    Wanted,
    subscribe,
    version_to_subscribe,
)
from credyt_mcp.use_cases.subscription_payments import collect_now, give_up, offer_pages

BEFORE_START = ("first", "reactivation")
"""Kinds of payments that the customer makes to have a subscription; others failed by the card."""

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
    return_url: Annotated[
        str | None, Field(max_length=2000, description="where the payment of a fee leads back to")
    ] = None
    failure_url: Annotated[str | None, Field(max_length=2000)] = None
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
    prorate: Annotated[
        bool, Field(description="credit what is unused of the fees, and pay the new ones now")
    ] = False


class UpdateSubscriptionProduct(VersionField):
    customer_id: CustomerId
    subscription_id: str
    product_id: Annotated[str, Field(description="product id or code")]


class RequiredAction(Result):
    """What the customer must do at `redirect_url`: pay, or pay with another card."""

    type: Literal["payment", "payment_method"]
    redirect_url: str


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
    required_actions: list[RequiredAction] | None = None


async def create_subscription(billing: Billing, command: CreateSubscription) -> Subscription:
    """Raises NotFound (customer), and as `subscribe` does."""

    def write() -> CustomerRow:
        with billing.database.write() as session:
            customer = customer_of(session, billing, command.customer_id, lock=True)
            subscribe_as_asked(session, billing, customer, command)
            return customer

    customer = await anyio.to_thread.run_sync(write)
    await begin(billing, customer)
    return (await anyio.to_thread.run_sync(_read, billing, customer))[-1]


async def update_subscription(billing: Billing, command: UpdateSubscription) -> None:
    """End a subscription now, or resume it on the versions it was on: at once if it is paid or
    free, else when the customer has paid. Repeating changes nothing.

    Raises NotFound, Conflict (another subscription to a product is there), WrongState (it waits for
    the customer to pay).
    """
    customer = await anyio.to_thread.run_sync(_customer, billing, command.customer_id)
    ref = CustomerRef(billing.tenant.id, customer.public_id)
    if command.status == "active":
        await billing.lane.submit(ResumeSubscription(ref, command.subscription_id))
        return
    given_up = await billing.lane.submit(EndSubscription(ref, command.subscription_id))
    if given_up is not None:
        await give_up(billing, given_up.public_id)


async def update_subscription_product(billing: Billing, command: UpdateSubscriptionProduct) -> None:
    """Put a subscription's product on another version from now on.

    Raises NotFound, WrongState (the subscription is not active), UnknownReference, InvalidRequest.
    """
    change = await anyio.to_thread.run_sync(_change, billing, command)
    payment = await billing.lane.submit(change)
    if payment is not None:
        await collect_now(billing, payment.public_id)


async def begin(billing: Billing, customer: CustomerRow) -> None:
    """Let the customer's new subscriptions start if their time has come, and give those that must
    be paid a page for it."""
    await billing.lane.submit(BringUpToDate(CustomerRef(customer.tenant_id, customer.public_id)))
    await offer_pages(billing, customer)


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
    start = Start(asked.starts_at or billing.now(), f"{prefix}starts_at")
    if asked.renews_at is not None and asked.renews_at <= start.at:
        raise InvalidRequest(f"{prefix}renews_at", "must be later than starts_at")
    for name in ("return_url", "failure_url"):
        check_return_url(billing, getattr(asked, name), f"{prefix}{name}")
    wanted = [
        Wanted(
            product.id or product.code or "",
            product.version,
            f"{prefix}products[{index}].{'id' if product.id else 'code'}",
        )
        for index, product in enumerate(asked.products)
    ]
    fields = asked.model_dump(include={"renews_at", "return_url", "failure_url", "redirect_to"})
    subscribe(session, billing, customer, wanted, Terms(start, **fields, prefix=prefix))


def of_customer(session: Session, customer: CustomerRow) -> list[Subscription]:
    """A customer's subscriptions, oldest first, each with the versions it is or was last on."""
    actions = {
        waiting.subscription.id: [
            RequiredAction(
                type="payment" if waiting.payment.kind in BEFORE_START else "payment_method",
                redirect_url=waiting.payment.redirect_url,
            )
        ]
        for waiting in subscription_payments.waiting(session, customer)
        if waiting.payment.redirect_url is not None
    }
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
                required_actions=actions.get(row.id),
            ),
        )
        shown.products.append(
            SubscribedProduct(id=product.public_id, code=product.code, version=version.version)
        )
    return list(found.values())


def _customer(billing: Billing, name: str) -> CustomerRow:
    with billing.database.read() as session:
        return customer_of(session, billing, name)


def _read(billing: Billing, customer: CustomerRow) -> list[Subscription]:
    with billing.database.read() as session:
        return of_customer(session, customer)


def _change(billing: Billing, command: UpdateSubscriptionProduct) -> ChangeVersion:
    with billing.database.read() as session:
        customer = customer_of(session, billing, command.customer_id)
        row = subscriptions.get(session, customer, command.subscription_id)
        if row is None:
            raise NotFound(f"the customer has no subscription '{command.subscription_id}'")
        product = _product_of(session, customer, row, command.product_id)
        if row.status != "active":
            raise WrongState(
                f"subscription '{row.public_id}' is {row.status}", hint="Make it active first."
            )
        wanted = Wanted(command.product_id, command.version, "version")
        _, version = version_to_subscribe(session, customer.tenant_id, wanted)
        if any(fee.by_card for fee in rate_cards.card_of(session, product, version).fees):
            check_can_take_payments(billing, "version")
    assert product.id is not None and version.id is not None
    ref = CustomerRef(customer.tenant_id, customer.public_id)
    return ChangeVersion(ref, row.public_id, product.id, version.id, command.prorate)


def _product_of(
    session: Session, customer: CustomerRow, row: SubscriptionRow, product_name: str
) -> ProductRow:
    """The product of that id or code, which the subscription has."""
    for subscription, _, product, _ in subscriptions.stretches(session, customer):
        if subscription.id == row.id and product_name in (product.public_id, product.code):
            return product
    raise NotFound(f"subscription '{row.public_id}' has no product '{product_name}'")
