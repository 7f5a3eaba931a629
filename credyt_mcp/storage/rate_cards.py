"""Compiled rate cards, read once and kept: a published version never changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from sqlmodel import Session

from credyt_mcp import exact_json
from credyt_mcp.domain.book import RateCard
from credyt_mcp.domain.compiled_prices import UsagePrice, compile_price
from credyt_mcp.domain.money import Asset
from credyt_mcp.domain.prices import Entitlement, FixedPrice, UsageBasedPrice
from credyt_mcp.domain.terms import EntitlementTerms, FixedFee, entitled, fixed_fee
from credyt_mcp.storage import assets, products, tables
from credyt_mcp.storage.lane_connection import LaneConnection, table_of
from credyt_mcp.storage.tables import ProductRow, VersionRow

FindAsset = Callable[[int, str], Asset | None]

VERSIONS = table_of(tables.VersionRow)
PRODUCTS = table_of(tables.ProductRow)
PRICES = table_of(tables.PriceRow)


class RateCards:
    def __init__(self, connection: LaneConnection, find_asset: FindAsset) -> None:
        self._connection = connection
        self._find_asset = find_asset
        self._cards: dict[int, RateCard] = {}

    def get(self, version_ids: Iterable[int]) -> dict[int, RateCard]:
        missing = [(version_id,) for version_id in set(version_ids) - self._cards.keys()]
        if missing:
            self._load(missing)
        return self._cards

    def _load(self, version_ids: list[tuple[int]]) -> None:
        versions = self._connection.find(VERSIONS, ("id",), version_ids)
        product_ids = [(product_id,) for product_id in {v["product_id"] for v in versions}]
        named = {p["id"]: p for p in self._connection.find(PRODUCTS, ("id",), product_ids)}
        keys = [(version["tenant_id"], version["id"]) for version in versions]
        prices = self._connection.find(PRICES, ("tenant_id", "version_id"), keys)
        prices.sort(key=lambda price: price["position"])
        for version in versions:
            own = [price for price in prices if price["version_id"] == version["id"]]
            code = named[version["product_id"]]["code"]
            self._cards[version["id"]] = compile_card(version, code, own, self._find_asset)


def card_of(session: Session, product: ProductRow, version: VersionRow) -> RateCard:
    """The same for a session."""
    return compile_card(
        version.model_dump(),
        product.code,
        [row.model_dump() for row in products.prices(session, version)],
        partial(assets.find, session),
    )


def compile_card(
    version: dict[str, Any], code: str, prices: list[dict[str, Any]], find_asset: FindAsset
) -> RateCard:
    """Raises AmountOutOfRange when a fee or granted amount does not fit."""
    return RateCard(
        version_id=version["id"],
        product_id=version["product_id"],
        product_code=code,
        version=version["version"],
        prices=tuple(compile_usage_prices(prices, find_asset)),
        fees=tuple(fixed_fees(prices, find_asset)),
        entitlements=tuple(entitlements(version, find_asset)),
    )


def compile_usage_prices(
    rows: Iterable[dict[str, Any]], find_asset: FindAsset
) -> Iterable[UsagePrice]:
    """The usage prices among price rows (as the database gives them), ready to price events."""
    for row in rows:
        definition = _document(row["definition"])
        if definition["type"] == "usage_based":
            price = UsageBasedPrice.model_validate(definition)
            assets = {}
            for item in price.pricing:
                asset = find_asset(row["tenant_id"], item.asset)
                assert asset is not None, "prices are checked against assets when they are saved"
                assets[item.asset] = asset
            yield compile_price(price, key=row["id"], price_id=row["public_id"], assets=assets)


def fixed_fees(rows: Iterable[dict[str, Any]], find_asset: FindAsset) -> Iterable[FixedFee]:
    """The fixed prices among price rows."""
    for row in rows:
        definition = _document(row["definition"])
        if definition["type"] == "fixed":
            yield fixed_fee(
                FixedPrice.model_validate(definition), partial(find_asset, row["tenant_id"])
            )


def entitlements(version: dict[str, Any], find_asset: FindAsset) -> Iterable[EntitlementTerms]:
    for item in _document(version["entitlements"]):
        yield entitled(Entitlement.model_validate(item), partial(find_asset, version["tenant_id"]))


def _document(value: Any) -> Any:
    """Text as the lane reads it, or what it says as a session does."""
    return exact_json.loads(value) if isinstance(value, str) else value
