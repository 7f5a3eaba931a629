"""Prices as fees refer to them: by database id, read once and kept, since a price never changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlmodel import Session, col, select

from credyt_mcp.domain.compiled_prices import UsagePrice
from credyt_mcp.storage import assets
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.rate_cards import compile_usage_prices
from credyt_mcp.storage.tables import PriceRow, ProductRow, VersionRow


class PublishedPrice(NamedTuple):
    """A usage price and the product version it belongs to."""

    price: UsagePrice
    product_id: str
    product_code: str
    product_version: int


class PublishedPrices:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[int, PublishedPrice] = {}

    def has(self, price_ids: Iterable[int]) -> bool:
        """Whether `get` answers without the database."""
        return all(price_id in self._known for price_id in price_ids)

    def get(self, price_ids: Iterable[int]) -> dict[int, PublishedPrice]:
        """The prices of recorded fees, by database id."""
        missing = set(price_ids) - self._known.keys()
        if missing:
            with self._database.read() as session:
                self._load(session, missing)
        return self._known

    def _load(self, session: Session, price_ids: set[int]) -> None:
        rows = session.exec(
            select(PriceRow, VersionRow, ProductRow)
            .join(VersionRow, col(VersionRow.id) == col(PriceRow.version_id))
            .join(ProductRow, col(ProductRow.id) == col(VersionRow.product_id))
            .where(col(PriceRow.id).in_(price_ids))
        )
        for price, version, product in rows:
            compiled = compile_usage_prices(
                [price.model_dump()], lambda tenant_id, code: assets.find(session, tenant_id, code)
            )
            for usage_price in compiled:
                self._known[usage_price.key] = PublishedPrice(
                    usage_price, product.public_id, product.code, version.version
                )
