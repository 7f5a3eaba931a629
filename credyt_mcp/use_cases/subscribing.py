"""The one step that puts a customer on product versions, shared by all that subscribe somebody.

It runs inside the caller's transaction, with the customer new or locked: what is refused here
leaves nothing written.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator
from sqlmodel import Session

from credyt_mcp.clock import to_micros
from credyt_mcp.domain.book import RateCard
from credyt_mcp.domain.fields import not_bool
from credyt_mcp.domain.subscriptions import (
    Payment,
    Subscription,
    fees_due,
    payment_for,
)
from credyt_mcp.domain.subscriptions import Stretch as PlannedStretch
from credyt_mcp.errors import Conflict, InvalidRequest, UnknownReference
from credyt_mcp.ids import new_id
from credyt_mcp.storage import (
    products,
    rate_cards,
    subscription_payments,
    subscriptions,
    wallets,
)
from credyt_mcp.storage.subscriptions import Stretch
from credyt_mcp.storage.tables import CustomerRow, ProductRow, VersionRow
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.return_urls import check_can_take_payments


def _version_number(value: int | Literal["default"]) -> int | Literal["default"]:
    if isinstance(value, int) and not 1 <= value < 2**31:
        raise ValueError("must be a version number or default")
    return value


VersionRef = Annotated[
    int | Literal["default"], BeforeValidator(not_bool), AfterValidator(_version_number)
]


class Wanted(NamedTuple):
    """A product version to subscribe to, and the field of the request that names it."""

    product: str
    version: VersionRef
    field: str


class Start(NamedTuple):
    """When a subscription starts, and the field of the request that says so."""

    at: datetime
    field: str = "starts_at"


class Terms(NamedTuple):
    """What a caller says of a new subscription beside its products; `prefix` is where in the
    request those fields are."""

    start: Start
    renews_at: datetime | None = None
    return_url: str | None = None
    failure_url: str | None = None
    redirect_to: str | None = None
    prefix: str = ""


def subscribe(
    session: Session,
    billing: Billing,
    customer: CustomerRow,
    wanted: Sequence[Wanted],
    terms: Terms,
) -> None:
    """One new subscription. It waits for the customer's payment if one is due, else for its start,
    which may be now; the write lane then does what belongs to a start.

    Raises UnknownReference, InvalidRequest (a version that cannot be subscribed to, no URL to lead
    back to from a payment), Conflict (subscribed already: two subscriptions to a product would
    bill its usage twice).
    """
    history = subscriptions.stretches(session, customer)
    chosen: dict[int | None, tuple[VersionRow, RateCard]] = {}
    for item in wanted:
        product, version = version_to_subscribe(session, customer.tenant_id, item)
        if product.id in chosen:
            raise InvalidRequest(item.field, f"product '{product.code}' is listed twice")
        refuse_overlap(history, product, terms.start)
        chosen[product.id] = version, rate_cards.card_of(session, product, version)
    cards = [card for _, card in chosen.values()]
    payment = _first_payment(billing, customer, cards, terms)
    now, start = billing.now(), terms.start.at
    row = subscriptions.add(
        session,
        customer,
        public_id=new_id("sub"),
        status="scheduled" if payment is None else "action_required",
        started_at=start,
        renews_at=terms.renews_at,
        details={
            "return_url": terms.return_url,
            "failure_url": terms.failure_url,
            "redirect_to": terms.redirect_to,
        },
        created_at=now,
    )
    for version, card in chosen.values():
        until = None if payment is None else start
        subscriptions.put_on(session, row, version, start, until, terms.renews_at)
        opened = [(name, asset.code) for name, asset in card.accounts]
        wallets.open_accounts(session, customer, opened, now)
    if payment is None:
        subscriptions.wake(session, customer, start)
    else:
        subscription_payments.add(session, row, payment)


def _first_payment(
    billing: Billing, customer: CustomerRow, cards: Sequence[RateCard], terms: Terms
) -> Payment | None:
    """What a payment provider has to collect before the subscription starts."""
    start, now = to_micros(terms.start.at), to_micros(billing.now())
    anchor = None if terms.renews_at is None else to_micros(terms.renews_at)
    stretches = [PlannedStretch(card, start, start, anchor) for card in cards]
    new = Subscription(0, customer.tenant_id, "", 0, "scheduled", start, None, None, stretches)
    try:
        payment = payment_for("first", fees_due(new, start), start, now, next_attempt_at=None)
    except InvalidRequest as error:
        raise error.renamed(terms.prefix) from None
    if payment is not None:
        check_can_take_payments(billing, f"{terms.prefix}products")
        if terms.return_url is None:
            raise InvalidRequest(
                f"{terms.prefix}return_url",
                "is required: a fee is to be paid, and the payment page must lead back to the app",
            )
    return payment


def not_yet(session: Session, customer: CustomerRow, wanted: Sequence[Wanted]) -> list[Wanted]:
    """Those of the wanted products that the customer has no subscription to, each once.

    Raises UnknownReference.
    """
    active = {
        stretch.product_id
        for subscription, stretch, _, _ in subscriptions.stretches(session, customer)
        if subscription.status != "inactive"
    }
    missing: dict[int | None, Wanted] = {}
    for item in wanted:
        product = _product(session, customer.tenant_id, item)
        if product.id not in active:
            missing.setdefault(product.id, item)
    return list(missing.values())


def version_to_subscribe(
    session: Session, tenant_id: int, wanted: Wanted
) -> tuple[ProductRow, VersionRow]:
    """The version wanted, kept from being archived meanwhile.

    Raises UnknownReference, InvalidRequest when nobody can be subscribed to it.
    """
    field = wanted.field
    product = subscriptions.keep(session, _product(session, tenant_id, wanted))
    if product is None or product.archived_at is not None:
        raise InvalidRequest(field, f"product '{wanted.product}' is archived")
    number = product.default_version if wanted.version == "default" else wanted.version
    if number is None:
        raise InvalidRequest(
            field, f"product '{product.code}' has no default version; publish it first"
        )
    version = products.version(session, product, number)
    if version is None:
        raise UnknownReference(field, f"product '{product.code}' has no version {number}")
    named = f"version {number} of '{product.code}'"
    if version.status == "draft":
        raise InvalidRequest(field, f"{named} is a draft; publish it first")
    if version.status != "published":
        raise InvalidRequest(field, f"{named} is {version.status}; use another version")
    return product, version


def refuse_overlap(history: Sequence[Stretch], product: ProductRow, start: Start) -> None:
    """Raises Conflict or InvalidRequest if the product was in force at `start` or later: two
    stretches at one time would bill each event twice."""
    for subscription, stretch, _, _ in history:
        if stretch.product_id != product.id:
            continue
        if subscription.status != "inactive":
            raise Conflict(
                f"subscription '{subscription.public_id}' to '{product.code}' is "
                f"{subscription.status}",
                hint="Use it; PATCH /customers/{id}/subscriptions/{id}/products/{id} changes its "
                "version, get_customer shows what it waits for.",
            )
        ended = stretch.until_at
        if ended is not None and ended > max(start.at, stretch.from_at):
            raise InvalidRequest(
                start.field,
                f"must not be before {ended.isoformat()}, when a subscription to "
                f"'{product.code}' ended",
            )


def _product(session: Session, tenant_id: int, wanted: Wanted) -> ProductRow:
    product = products.find(session, tenant_id, wanted.product)
    if product is None:
        raise UnknownReference(
            wanted.field,
            f"there is no product '{wanted.product}'",
            hint="list_products (GET /products) shows what exists.",
        )
    return product
