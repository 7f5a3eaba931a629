"""Products: what is sold. Create, read, make the next version. Published versions never change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlmodel import Session

from credyt_mcp.domain.prices import (
    Entitlement,
    FixedPrice,
    Price,
    UsageBasedPrice,
    validate_entitlement_names,
    validate_price_names,
)
from credyt_mcp.errors import Conflict, InvalidRequest, NotFound, UnknownReference, WrongState
from credyt_mcp.storage import assets, products
from credyt_mcp.storage.tables import PriceRow, ProductRow, VersionRow
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.product_fields import (
    CreateProduct,
    CreateProductVersion,
    GetProduct,
    ListedProduct,
    ListProducts,
    ProductDetails,
    ProductPage,
    VersionCreated,
    VersionListed,
    VersionTerms,
)

_definition: TypeAdapter[UsageBasedPrice | FixedPrice] = TypeAdapter(Price)


def create_product(billing: Billing, command: CreateProduct) -> VersionCreated:
    """Raises Conflict when the code is taken, also by an archived product."""
    now = billing.now()
    with billing.database.write() as session:
        definitions, entitlements = checked_terms(
            session, billing.tenant.id, command.prices, command.entitlements
        )
        product = products.add(session, billing.tenant.id, command.code, command.name, now)
        if product is None:
            raise Conflict(f"a product with code '{command.code}' exists already")
        version = products.add_version(session, product, definitions, entitlements, now)
        if bool(definitions) if command.publish is None else command.publish:
            publish_version(session, product, version, now)
        return created(product, version)


def create_product_version(billing: Billing, command: CreateProductVersion) -> VersionCreated:
    """It does not become the default, unless it is the first that is published."""
    now = billing.now()
    with billing.database.write() as session:
        product = locked_product(session, billing, command.product_id)
        definitions, entitlements = checked_terms(
            session, billing.tenant.id, command.prices, command.entitlements
        )
        version = products.add_version(session, product, definitions, entitlements, now)
        if command.publish:
            publish_version(session, product, version, now)
        return created(product, version)


def list_products(billing: Billing, command: ListProducts) -> ProductPage:
    with billing.database.read() as session:
        rows, total = products.page(
            session, billing.tenant.id, command.offset, command.limit, command.code
        )
    items = [ListedProduct(id=row.public_id, code=row.code, name=row.name) for row in rows]
    return ProductPage(items=items, total_count=total, limit=command.limit, offset=command.offset)


def get_product(billing: Billing, command: GetProduct) -> ProductDetails:
    with billing.database.read() as session:
        product = known_product(session, billing, command.product_id)
        versions = products.versions(session, product)
        shown = min(
            versions,
            key=lambda row: (row.version != product.default_version, row.status != "draft"),
        )
        prices = products.prices(session, shown)
    return ProductDetails(
        id=product.public_id,
        code=product.code,
        name=product.name,
        default_version=VersionTerms(
            version=shown.version,
            entitlements=shown.entitlements,
            prices=[shown_price(row) for row in prices],
        ),
        versions=[
            VersionListed(**row.model_dump(include={"version", "created_at", "status"}))
            for row in versions
        ],
    )


def known_product(session: Session, billing: Billing, ref: str) -> ProductRow:
    return _found(products.find(session, billing.tenant.id, ref), ref)


def locked_product(
    session: Session, billing: Billing, ref: str, *, archived_too: bool = False
) -> ProductRow:
    """The product, held until the transaction ends. Raises WrongState when it is archived."""
    product = _found(products.lock(session, billing.tenant.id, ref), ref)
    if product.archived_at is not None and not archived_too:
        raise WrongState(f"product '{product.code}' is archived", hint="Create another product.")
    return product


def known_version(session: Session, product: ProductRow, ref: int | str) -> VersionRow:
    if ref == "default" and product.default_version is None:
        raise NotFound(
            f"product '{product.code}' has no default version",
            hint="Publish a version, or name one by its number; get_product lists them.",
        )
    number = product.default_version if ref == "default" else ref
    assert isinstance(number, int)
    row = products.version(session, product, number)
    if row is None:
        raise NotFound(
            f"product '{product.code}' has no version {number}",
            hint="get_product lists the versions.",
        )
    return row


def checked_terms(
    session: Session,
    tenant_id: int,
    prices: Sequence[UsageBasedPrice | FixedPrice],
    entitlements: Sequence[Entitlement],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Prices and entitlements as they are stored, assets in their own spelling.

    Raises InvalidRequest for a repeated price name, UnknownReference for unknown assets.
    """
    try:
        validate_price_names(prices)
    except ValueError as error:
        raise InvalidRequest("prices", str(error)) from None
    try:
        validate_entitlement_names(entitlements)
    except ValueError as error:
        raise InvalidRequest("entitlements", str(error)) from None
    unknown: dict[str, list[str]] = {}

    def named(given: str, path: str) -> dict[str, str]:
        asset = assets.find(session, tenant_id, given)
        if asset is None:
            unknown[path] = [f"there is no asset '{given}'"]
        return {"asset": given if asset is None else asset.code}

    definitions = []
    for i, price in enumerate(prices):
        definition = stored(price)
        for j, item in enumerate(definition["pricing"]):
            item.update(named(item["asset"], f"prices[{i}].pricing[{j}].asset"))
        definitions.append(definition)
    granted = [
        item.model_dump(exclude_none=True) | named(item.asset, f"entitlements[{i}].asset")
        for i, item in enumerate(entitlements)
    ]
    if unknown:
        raise UnknownReference(unknown, hint="Create it with create_asset, or use a currency code.")
    return definitions, granted


def stored(price: UsageBasedPrice | FixedPrice) -> dict[str, Any]:
    """A price as its row keeps it: the wire's shape, its id apart."""
    return price.model_dump(exclude_none=True, exclude={"id"})


def shown_price(row: PriceRow) -> UsageBasedPrice | FixedPrice:
    return _definition.validate_python({**row.definition, "id": row.public_id})


def publish_version(
    session: Session, product: ProductRow, version: VersionRow, now: datetime
) -> None:
    """Freeze it and open it to subscribers; a product's first published version is its default.

    Raises WrongState for an archived version, InvalidRequest for one with nothing in it.
    """
    if version.status == "archived":
        raise WrongState(
            f"version {version.version} is archived", hint="Create a new version instead."
        )
    if version.status == "draft":
        if not version.entitlements and not products.prices(session, version):
            raise InvalidRequest(
                "publish", "there is nothing to publish: give at least one price or entitlement"
            )
        version.status, version.published_at = "published", now
    if product.default_version is None:
        product.default_version = version.version


def created(product: ProductRow, version: VersionRow) -> VersionCreated:
    return VersionCreated(
        id=product.public_id,
        code=product.code,
        version=version.version,
        status=version.status,
        is_default=product.default_version == version.version,
    )


def _found(product: ProductRow | None, ref: str) -> ProductRow:
    if product is None:
        raise NotFound(f"there is no product '{ref}'", hint="list_products shows what exists.")
    return product
