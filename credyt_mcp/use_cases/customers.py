"""Customers: create with their subscriptions, read, find, list and update."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import anyio
from pydantic import AfterValidator, Field
from sqlmodel import Session

from credyt_mcp.errors import Conflict, InvalidRequest
from credyt_mcp.ids import new_id
from credyt_mcp.storage import customers, notices, unique
from credyt_mcp.storage.tables import CustomerRow
from credyt_mcp.use_cases.context import Billing, Command, PageOf, Result, ShortText
from credyt_mcp.use_cases.customer_now import read_now
from credyt_mcp.use_cases.subscriptions import (
    CustomerId,
    Subscription,
    SubscriptionFields,
    begin,
    customer_of,
    of_customer,
    subscribe_as_asked,
)

ID_PREFIX = "cust"


def _not_our_own(value: str) -> str:
    if value.startswith(f"{ID_PREFIX}_"):
        raise ValueError(f"must not start with {ID_PREFIX}_, as our own ids do")
    return value


ExternalId = Annotated[
    ShortText,
    AfterValidator(_not_our_own),
    Field(description="your own id for the customer, such as the user's id in your app"),
]
Email = Annotated[str, Field(max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")]


def _small(value: dict[str, str]) -> dict[str, str]:
    if len(value) > 50 or any(len(key) > 255 or len(text) > 1000 for key, text in value.items()):
        raise ValueError("must have at most 50 keys of 255 and values of 1,000 characters")
    return value


Metadata = Annotated[dict[str, str], AfterValidator(_small)]


class ExternalAccount(Command):
    provider: str
    provider_id: str


class CreateCustomer(Command):
    """A customer with a wallet, subscribed to products. create_wallet is simpler, and finds the
    customer if there is one."""

    name: ShortText
    external_id: ExternalId | None = None
    email: Email | None = None
    metadata: Metadata = Field(default_factory=dict)
    subscriptions: Annotated[
        list[SubscriptionFields],
        Field(max_length=50, description='[{"products":[{"code":"image_gen"}]}]'),
    ] = Field(default_factory=list)
    external_accounts: Annotated[
        list[ExternalAccount],
        Field(max_length=20, description='[{"provider":"stripe","provider_id":"cus_1"}]'),
    ] = Field(default_factory=list)


class CustomerCreated(Result):
    id: str
    subscriptions: list[Subscription]


class GetCustomer(Command):
    """A customer with their subscriptions, by id or external id."""

    customer_id: CustomerId


class ListCustomers(PageOf):
    """Customers, newest first. Each field given narrows the list."""

    customer_id: str | None = None
    external_id: str | None = None
    email: str | None = None
    name: Annotated[str | None, Field(description="whole name, in any case")] = None
    status: Annotated[
        Literal["active", "inactive"] | None,
        Field(description="whether they have an active subscription"),
    ] = None


class CustomerSummary(Result):
    id: str
    external_id: str | None = None
    name: str
    email: str | None = None
    active_subscription_count: int


class CustomerDetails(CustomerSummary):
    created_at: datetime
    metadata: dict[str, str]
    subscriptions: list[Subscription]
    external_accounts: list[ExternalAccount]


class CustomerPage(Result):
    items: list[CustomerSummary]
    total_count: int
    limit: int
    offset: int


class CustomerFields(Command):
    name: ShortText | None = None
    external_id: ExternalId | None = None
    email: Email | None = None


class UpdateCustomer(CustomerFields):
    """Change what is given; what is left out stays."""

    customer_id: CustomerId


async def create_customer(billing: Billing, command: CreateCustomer) -> CustomerCreated:
    """Raises Conflict when the external id is taken, and as `subscribe` does: all or nothing."""
    customer = await anyio.to_thread.run_sync(_written, billing, command)
    if command.subscriptions:
        await begin(billing, customer)
    return await anyio.to_thread.run_sync(_created, billing, customer)


async def get_customer(billing: Billing, command: GetCustomer) -> CustomerDetails:
    """As things stand now: what is due is booked, and who must pay has a link that works."""
    return await read_now(billing, command.customer_id, _details, pages=True)


def list_customers(billing: Billing, command: ListCustomers) -> CustomerPage:
    wanted = customers.CustomerFilter(**command.model_dump(exclude={"offset", "limit"}))
    with billing.database.read() as session:
        rows, total = customers.page(
            session, billing.tenant.id, wanted, command.offset, command.limit
        )
        active = customers.active_subscriptions(
            session, billing.tenant.id, [row.id for row in rows]
        )
    items = [_summary(row, active.get(row.id or 0, 0)) for row in rows]
    return CustomerPage(items=items, total_count=total, limit=command.limit, offset=command.offset)


def update_customer(billing: Billing, command: UpdateCustomer) -> None:
    """Raises NotFound, Conflict when the external id is another customer's."""
    changes = command.model_dump(exclude={"customer_id"}, exclude_none=True)
    with billing.database.write() as session:
        row = customer_of(session, billing, command.customer_id, lock=True)
        for field, value in changes.items():
            setattr(row, field, value)
        if not unique.save(session, row):
            raise _taken(command.external_id)


def _written(billing: Billing, command: CreateCustomer) -> CustomerRow:
    with billing.database.write() as session:
        row = add_customer(session, billing, command)
        for index, asked in enumerate(command.subscriptions):
            try:
                subscribe_as_asked(session, billing, row, asked, f"subscriptions[{index}].")
            except Conflict as error:
                # A customer this new has nothing but what this request asks for.
                raise InvalidRequest(
                    f"subscriptions[{index}].products", "names a product of a subscription before"
                ) from error
        return row


def _created(billing: Billing, row: CustomerRow) -> CustomerCreated:
    with billing.database.read() as session:
        return CustomerCreated(id=row.public_id, subscriptions=of_customer(session, row))


def _details(session: Session, row: CustomerRow) -> CustomerDetails:
    subscriptions = of_customer(session, row)
    return CustomerDetails(
        **_summary(row, sum(item.status == "active" for item in subscriptions)).model_dump(),
        created_at=row.created_at,
        metadata=row.details["metadata"],
        subscriptions=subscriptions,
        external_accounts=[ExternalAccount(**item) for item in row.details["external_accounts"]],
    )


def add_customer(session: Session, billing: Billing, command: CreateCustomer) -> CustomerRow:
    """The new customer, without subscriptions. Raises Conflict when the external id is taken."""
    row = CustomerRow(
        tenant_id=billing.tenant.id,
        public_id=new_id(ID_PREFIX),
        external_id=command.external_id,
        name=command.name,
        email=command.email,
        details=command.model_dump(include={"metadata", "external_accounts"}),
        created_at=billing.now(),
    )
    if not unique.save(session, row):
        raise _taken(command.external_id)
    data = {
        "customer_id": row.public_id,
        **({} if row.external_id is None else {"external_id": row.external_id}),
        "occurred_at": row.created_at,
    }
    notices.add(session, row.tenant_id, "customer.created", row.id, data, row.created_at)
    return row


def _taken(external_id: str | None) -> Conflict:
    return Conflict(
        f"a customer with external_id '{external_id}' exists already",
        hint="Use it: get_customer, or GET /customers?external_id=, finds it.",
    )


def _summary(row: CustomerRow, active: int) -> CustomerSummary:
    return CustomerSummary(
        id=row.public_id,
        external_id=row.external_id,
        name=row.name,
        email=row.email,
        active_subscription_count=active,
    )
