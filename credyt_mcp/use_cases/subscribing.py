"""The one step that puts a customer on product versions, shared by all that subscribe somebody.

It runs inside the caller's transaction, with the customer new or locked: what is refused here
leaves nothing written.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator
from sqlmodel import Session

from credyt_mcp.domain.fields import not_bool
from credyt_mcp.domain.prices import UsageBasedPrice
from credyt_mcp.errors import Conflict, InvalidRequest, UnknownReference
from credyt_mcp.ids import new_id
from credyt_mcp.storage import assets, products, subscriptions, wallets
from credyt_mcp.storage.subscriptions import Stretch
from credyt_mcp.storage.tables import CustomerRow, ProductRow, VersionRow
from credyt_mcp.use_cases.context import Billing


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


def start_at(billing: Billing, given: datetime | None, field: str) -> Start:
    """Now unless given. Raises InvalidRequest for a start further ahead than clocks may differ."""
    now = billing.now()
    if given is None:
        return Start(now, field)
    if given > now + timedelta(seconds=billing.settings.event_max_ahead_seconds):
        raise InvalidRequest(field, "must not be in the future: later starts are not supported yet")
    return Start(min(given, now), field)


def subscribe(
    session: Session,
    customer: CustomerRow,
    wanted: Sequence[Wanted],
    start: Start,
    now: datetime,
    renews_at: datetime | None = None,
) -> None:
    """One new active subscription, and a wallet account for each asset of its prices.

    Raises UnknownReference, InvalidRequest (a version that cannot be subscribed to), Conflict
    (subscribed already: two subscriptions to a product would bill its usage twice).
    """
    history = subscriptions.stretches(session, customer)
    chosen: dict[int | None, VersionRow] = {}
    for item in wanted:
        product, version = version_to_subscribe(session, customer.tenant_id, item)
        if product.id in chosen:
            raise InvalidRequest(item.field, f"product '{product.code}' is listed twice")
        refuse_overlap(history, product, start)
        chosen[product.id] = version
    row = subscriptions.add(session, customer, new_id("sub"), start.at, renews_at, now)
    for version in chosen.values():
        subscriptions.put_on(session, row, version, start.at)
        open_accounts(session, customer, version, now)


def not_yet(session: Session, customer: CustomerRow, wanted: Sequence[Wanted]) -> list[Wanted]:
    """Those of the wanted products that the customer has no active subscription to, each once.

    Raises UnknownReference.
    """
    active = {
        stretch.product_id
        for _, stretch, _, _ in subscriptions.stretches(session, customer)
        if stretch.until_at is None
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
    prices = products.prices(session, version)
    fixed = any(row.definition["type"] != "usage_based" for row in prices)
    if fixed or version.entitlements:
        has = "a fixed price" if fixed else "entitlements"
        raise InvalidRequest(
            field, f"{named} has {has}; subscriptions to those are not supported yet"
        )
    return product, version


def refuse_overlap(history: Sequence[Stretch], product: ProductRow, start: Start) -> None:
    """Raises Conflict or InvalidRequest if the product was in force at `start` or later: two
    stretches at one time would bill each event twice."""
    for subscription, stretch, _, _ in history:
        if stretch.product_id != product.id:
            continue
        if stretch.until_at is None:
            raise Conflict(
                f"subscription '{subscription.public_id}' to '{product.code}' is active",
                hint="Use it; PATCH /customers/{id}/subscriptions/{id}/products/{id} changes its "
                "version.",
            )
        if stretch.until_at > start.at:
            raise InvalidRequest(
                start.field,
                f"must not be before {stretch.until_at.isoformat()}, when a subscription to "
                f"'{product.code}' ended",
            )


def open_accounts(
    session: Session, customer: CustomerRow, version: VersionRow, now: datetime
) -> None:
    """A wallet account at zero for every asset of the version's prices that has none."""
    wanted = []
    for row in products.prices(session, version):
        price = UsageBasedPrice.model_validate(row.definition)
        for pricing in price.pricing:
            asset = assets.find(session, customer.tenant_id, pricing.asset)
            assert asset is not None, "prices are checked against assets when they are saved"
            wanted.append((price.account_name, asset.code))
    wallets.open_accounts(session, customer, wanted, now)


def _product(session: Session, tenant_id: int, wanted: Wanted) -> ProductRow:
    product = products.find(session, tenant_id, wanted.product)
    if product is None:
        raise UnknownReference(
            wanted.field,
            f"there is no product '{wanted.product}'",
            hint="list_products (GET /products) shows what exists.",
        )
    return product
