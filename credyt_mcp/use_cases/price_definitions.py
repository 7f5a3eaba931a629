"""define_price: one price of a product in plain terms, put into the version it belongs in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Session

from credyt_mcp import exact_json
from credyt_mcp.domain.money import Asset
from credyt_mcp.domain.price_examples import fixed_example, usage_example
from credyt_mcp.domain.prices import FixedPrice, UsageBasedPrice
from credyt_mcp.errors import AmountOutOfRange, UnknownReference
from credyt_mcp.storage import assets, products
from credyt_mcp.storage.tables import PriceRow, ProductRow, VersionRow
from credyt_mcp.use_cases.context import Billing, Result
from credyt_mcp.use_cases.flat_prices import DefinePrice, build, check
from credyt_mcp.use_cases.product_fields import ShownPrice, Status
from credyt_mcp.use_cases.products import (
    locked_product,
    publish_version,
    shown_price,
    stored,
)


class PriceDefined(Result):
    product_id: str
    code: str
    version: int
    status: Status
    is_default: bool
    replaced: bool
    price: ShownPrice
    example: str
    note: str | None = None


def define_price(billing: Billing, command: DefinePrice) -> PriceDefined:
    """Repeating the same definition makes no further version."""
    check(command)
    now = billing.now()
    with billing.database.write() as session:
        product = locked_product(session, billing, command.product_id)
        asset = known_asset(session, billing, command)
        base = _working_version(session, product)
        rows = products.prices(session, base)
        name = (
            command.name
            or name_in_use(command, [row.definition for row in rows])
            or command.derived_name
        )
        price = build(command, name, asset.code)
        example = _example(command, price, asset)
        replaced = next((row for row in rows if row.definition["name"] == name), None)
        version, row = _save(session, product, base, rows, replaced, stored(price), now)
        if command.publish:
            publish_version(session, product, version, now)
            product.default_version = version.version
        return PriceDefined(
            product_id=product.public_id,
            code=product.code,
            version=version.version,
            status=version.status,
            is_default=product.default_version == version.version,
            replaced=replaced is not None,
            price=shown_price(row),
            example=example,
            note=_note(
                products.is_used(session, product, now=now),
                command,
                [other for other in rows if other is not replaced],
            ),
        )


def known_asset(session: Session, billing: Billing, command: DefinePrice) -> Asset:
    asset = assets.find(session, billing.tenant.id, command.asset)
    if asset is None:
        raise UnknownReference(
            "asset",
            f"there is no asset '{command.asset}'",
            hint="Create it with create_asset, or use a currency code.",
        )
    return asset


def _working_version(session: Session, product: ProductRow) -> VersionRow:
    """The newest version, passing over archived ones while there is another."""
    versions = products.versions(session, product)
    return next((row for row in versions if row.status != "archived"), versions[0])


def _save(
    session: Session,
    product: ProductRow,
    base: VersionRow,
    rows: list[PriceRow],
    replaced: PriceRow | None,
    definition: dict[str, Any],
    now: datetime,
) -> tuple[VersionRow, PriceRow]:
    """Into `base` if that is a draft, else into a next version with the other prices of `base`."""
    definition = exact_json.loads(exact_json.dumps(definition))
    if replaced is not None and replaced.definition == definition and base.status != "archived":
        return base, replaced
    if base.status == "draft":
        if replaced is None:
            return base, products.add_price(session, base, len(rows), definition)
        replaced.definition = definition
        return base, replaced
    definitions = [definition if row is replaced else row.definition for row in rows]
    if replaced is None:
        definitions.append(definition)
    version = products.add_version(session, product, definitions, base.entitlements, now)
    saved = products.prices(session, version)
    return version, saved[-1 if replaced is None else rows.index(replaced)]


def _example(command: DefinePrice, price: UsageBasedPrice | FixedPrice, asset: Asset) -> str:
    if isinstance(price, FixedPrice):
        return fixed_example(price, asset)
    try:
        return usage_example(price, asset)
    except AmountOutOfRange as error:
        given = [name for name in ("rates", "tiers", "unit_price") if getattr(command, name)]
        raise AmountOutOfRange(
            given[0] if given else "volume_rate", "is too large to be charged in the asset"
        ) from error


def _charges_same(command: DefinePrice, definition: dict[str, Any]) -> bool:
    """Whether a stored price charges what `command` is about: the same usage or interval."""
    if definition["type"] == "fixed":
        interval = definition["billing_model"].get("recurring", {}).get("interval")
        return command.fixed_price is not None and bool(interval == command.interval)
    calculation = definition["usage_calculation"]
    field = None if calculation["usage_type"] == "unit" else calculation["volume_field"]
    same = (calculation["event_type"], field) == (command.event_type, command.volume_field)
    return command.fixed_price is None and same


def name_in_use(command: DefinePrice, definitions: list[dict[str, Any]]) -> str | None:
    """A nameless definition means the one price that charges the same, whatever its name."""
    same = [one["name"] for one in definitions if _charges_same(command, one)]
    return same[0] if len(same) == 1 else None


def _note(subscribed: bool, command: DefinePrice, others: list[PriceRow]) -> str | None:
    notes = []
    if subscribed:
        notes.append("Existing subscribers stay on the version they have.")
    both = [row.definition["name"] for row in others if _charges_same(command, row.definition)]
    if both:
        notes.append(
            f"Price '{both[0]}' charges the same usage, so both fees apply; to replace it instead, "
            "give its name."
        )
    return " ".join(notes) or None
