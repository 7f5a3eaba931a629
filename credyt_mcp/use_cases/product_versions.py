"""The life of a product and of its versions: read one, publish, make default, archive, delete."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from credyt_mcp.errors import WrongState
from credyt_mcp.storage import products
from credyt_mcp.storage.tables import ProductRow
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.product_fields import (
    ArchiveVersion,
    DeleteProduct,
    GetVersion,
    UpdateVersion,
    VersionDetails,
)
from credyt_mcp.use_cases.products import (
    known_product,
    known_version,
    locked_product,
    publish_version,
    shown_price,
)


def get_version(billing: Billing, command: GetVersion) -> VersionDetails:
    with billing.database.read() as session:
        product = known_product(session, billing, command.product_id)
        version = known_version(session, product, command.version)
        prices = products.prices(session, version)
    return VersionDetails(
        id=product.public_id,
        version=version.version,
        code=product.code,
        name=product.name,
        prices=[shown_price(row) for row in prices],
        entitlements=version.entitlements,
        status=version.status,
        is_default=product.default_version == version.version,
    )


def update_version(billing: Billing, command: UpdateVersion) -> None:
    """Raises WrongState for an archived version, and for a draft that should become the default."""
    with billing.database.write() as session:
        product = locked_product(session, billing, command.product_id)
        version = known_version(session, product, command.version)
        if command.publish:
            publish_version(session, product, version, billing.now())
        if command.make_default:
            if version.status != "published":
                raise WrongState(
                    f"version {version.version} is {version.status}; only a published version can "
                    "be the default",
                    hint="Send publish: true with make_default: true."
                    if version.status == "draft"
                    else "Choose a published version.",
                )
            product.default_version = version.version


def archive_version(billing: Billing, command: ArchiveVersion) -> None:
    """Raises WrongState for the default version while another one could take its place."""
    with billing.database.write() as session:
        product = locked_product(session, billing, command.product_id)
        version = known_version(session, product, command.version)
        if product.default_version == version.version:
            others = [
                str(row.version)
                for row in products.versions(session, product)
                if row.status == "published" and row.version != version.version
            ]
            if others:
                raise WrongState(
                    f"version {version.version} is the default",
                    hint=f"Make another version the default first: {', '.join(others)}.",
                )
            product.default_version = None
        version.status = "archived"


def delete_product(billing: Billing, command: DeleteProduct) -> None:
    """A used product is archived with all its versions, and keeps its code."""
    with billing.database.write() as session:
        product = locked_product(session, billing, command.product_id, archived_too=True)
        if product.archived_at is not None:
            return
        if products.is_used(session, product):
            _archive(session, product, billing.now())
        else:
            products.delete_for_good(session, product)


def _archive(session: Session, product: ProductRow, now: datetime) -> None:
    for version in products.versions(session, product):
        version.status = "archived"
    product.default_version = None
    product.archived_at = now
