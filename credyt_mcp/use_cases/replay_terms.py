"""Which prices a replay is about: a version of a product, one changed by definitions, or a list."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from pydantic import ValidationError
from sqlmodel import Session

from credyt_mcp.domain.bill_shock import rounded_up
from credyt_mcp.domain.book import RateCard
from credyt_mcp.errors import InvalidRequest
from credyt_mcp.storage import assets, products
from credyt_mcp.storage.rate_cards import card_of, compile_card
from credyt_mcp.storage.tables import ProductRow, VersionRow
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.flat_prices import DefinePrice, build, check
from credyt_mcp.use_cases.price_definitions import known_asset, name_in_use
from credyt_mcp.use_cases.products import checked_terms, known_product, known_version, stored
from credyt_mcp.use_cases.replay_fields import ReplayPricing

_NOWHERE = -1
"""Row ids of what is no row: versions and prices given inline."""
RATES = ("unit_price", "volume_rate", "flat_fee", "min_amount", "max_amount")
DECIMALS_MAX = 18


@dataclass(frozen=True)
class Terms:
    """`definitions` are the prices as rows keep them. `everyone`: whether customers count who are
    not subscribed to the product."""

    card: RateCard
    definitions: list[dict[str, Any]]
    product: ProductRow | None
    version: int | None
    everyone: bool

    @property
    def own_prices(self) -> frozenset[int]:
        return frozenset(price.key for price in self.card.prices)


def terms_of(command: ReplayPricing, billing: Billing) -> Terms:
    """Raises InvalidRequest for arguments that do not go together or cannot be priced, NotFound for
    products and versions that are not there."""
    _check(command)
    with billing.database.read() as session:
        if command.product_id is None:
            product, version = None, None
        else:
            product = known_product(session, billing, command.product_id)
            version = _version(session, product, command)
        everyone = command.everyone
        if everyone is None:
            everyone = product is None or not products.is_used(session, product)
        if version is not None and command.prices is None and not command.define:
            assert product is not None
            own = [row.definition for row in products.prices(session, version)]
            card = card_of(session, product, version)
            return Terms(card, own, product, version.version, everyone)
        definitions = _inline(session, billing, version, command)
        card = _compiled(session, billing, product, definitions)
        return Terms(card, definitions, product, None, everyone)


def recompiled(billing: Billing, terms: Terms, definitions: list[dict[str, Any]]) -> Terms:
    """The same with other prices."""
    with billing.database.read() as session:
        card = _compiled(session, billing, terms.product, definitions)
    return Terms(card, definitions, terms.product, None, terms.everyone)


def only_rate(definitions: list[dict[str, Any]]) -> tuple[dict[str, Any], str] | None:
    """The value and the name of the rate that alone decides what usage costs, if there is one."""
    usage = [one for one in definitions if one["type"] == "usage_based"]
    if len(usage) != 1 or usage[0].get("pricing_model", "flat") != "flat":
        return None
    values = [value for asset in usage[0]["pricing"] for value in asset["values"]]
    if len(values) != 1 or "values" in values[0]:
        return None
    given = [name for name in RATES if values[0].get(name)]
    return (values[0], given[0]) if len(given) == 1 else None


def scaled(definitions: list[dict[str, Any]], factor: Decimal) -> list[dict[str, Any]]:
    """Usage prices with every rate times `factor`. A rate that alone decides is itself rounded up
    to three digits."""
    alone = only_rate(definitions) is not None

    def new(rate: Any) -> Decimal:
        value = Decimal(rate) * factor
        return rounded_up(value) if alone else round(value, DECIMALS_MAX).normalize() + 0

    def walk(node: Any) -> Any:
        if isinstance(node, list | tuple):
            return [walk(item) for item in node]
        if not isinstance(node, dict):
            return node
        return {
            name: new(item) if name in RATES and item is not None else walk(item)
            for name, item in node.items()
        }

    return [
        {**one, "pricing": walk(one["pricing"])} if one["type"] == "usage_based" else one
        for one in definitions
    ]


def _check(command: ReplayPricing) -> None:
    if command.product_id is None and command.prices is None:
        raise InvalidRequest("product_id", "is required, or prices")
    if command.prices is not None and (command.version is not None or command.define):
        both = "version" if command.version is not None else "define"
        raise InvalidRequest(both, "does not go with prices, which are all there are")
    if command.product_id is None and command.everyone is False:
        raise InvalidRequest("everyone", "is always so without a product")
    start, end = command.occurred_from, command.occurred_to
    if start is not None and end is not None and start >= end:
        raise InvalidRequest("occurred_to", "must be after occurred_from")


def _version(session: Session, product: ProductRow, command: ReplayPricing) -> VersionRow | None:
    if command.prices is not None:
        return None
    if command.version is not None:
        return known_version(session, product, command.version)
    newest = products.versions(session, product)
    draft = next((row for row in newest if row.status == "draft"), None)
    if draft is not None and not command.define:
        return draft
    if product.default_version is None:
        return newest[0]
    return known_version(session, product, "default")


def _inline(
    session: Session, billing: Billing, version: VersionRow | None, command: ReplayPricing
) -> list[dict[str, Any]]:
    if version is None:
        return checked_terms(session, billing.tenant.id, command.prices or [], [])[0]
    definitions = [row.definition for row in products.prices(session, version)]
    for index, given in enumerate(command.define or ()):
        try:
            definitions = _with(session, billing, definitions, given, command.product_id or "")
        except InvalidRequest as error:
            raise error.renamed(f"define[{index}].") from None
    return definitions


def _with(
    session: Session,
    billing: Billing,
    definitions: list[dict[str, Any]],
    given: dict[str, Any],
    product: str,
) -> list[dict[str, Any]]:
    """`definitions` with one price added or, if it has the name, replaced: as define_price does."""
    try:
        wanted = DefinePrice.model_validate({**given, "product_id": product})
    except ValidationError as error:
        said = {
            ".".join(map(str, entry["loc"])): [entry["msg"].removeprefix("Value error, ")]
            for entry in error.errors()
        }
        raise InvalidRequest(said) from None
    check(wanted)
    asset = known_asset(session, billing, wanted)
    name = wanted.name or name_in_use(wanted, definitions) or wanted.derived_name
    price = stored(build(wanted, name, asset.code))
    if any(one["name"] == name for one in definitions):
        return [price if one["name"] == name else one for one in definitions]
    return [*definitions, price]


def _compiled(
    session: Session,
    billing: Billing,
    product: ProductRow | None,
    definitions: list[dict[str, Any]],
) -> RateCard:
    tenant_id = billing.tenant.id
    version = {
        "id": _NOWHERE,
        "tenant_id": tenant_id,
        "product_id": _NOWHERE if product is None else product.id,
        "version": 0,
        "entitlements": [],
    }
    rows = [
        {"id": _NOWHERE - place, "tenant_id": tenant_id, "public_id": "", "definition": definition}
        for place, definition in enumerate(definitions)
    ]
    code = "" if product is None else product.code
    return compile_card(version, code, rows, partial(assets.find, session))
