"""What custom assets sell for at one moment, read by the lane where a book asks, and no earlier.

Kept for one batch only: anybody may change a rate.
"""

from __future__ import annotations

from decimal import Decimal

from credyt_mcp.clock import from_micros
from credyt_mcp.domain.assets import Rate
from credyt_mcp.domain.earnings import rate_in_force
from credyt_mcp.domain.grants import Basis
from credyt_mcp.domain.money import Asset
from credyt_mcp.storage import tables
from credyt_mcp.storage.lane_connection import LaneConnection, table_of

ASSETS = table_of(tables.AssetRow)
RATES = table_of(tables.RateRow)


class RatesInForce:
    """Call it with a tenant and an asset."""

    def __init__(self, connection: LaneConnection, now: int) -> None:
        self._connection = connection
        self._now = now
        self._known: dict[tuple[int, str], Basis | None] = {}

    def __call__(self, tenant_id: int, asset: Asset) -> Basis | None:
        key = (tenant_id, asset.code)
        if key not in self._known:
            self._known[key] = self._find(tenant_id, asset)
        return self._known[key]

    def _find(self, tenant_id: int, asset: Asset) -> Basis | None:
        named = [(tenant_id, asset.code.casefold())]
        [row] = self._connection.find(ASSETS, ("tenant_id", "code_folded"), named)
        found = self._connection.find(RATES, ("tenant_id", "asset_id"), [(tenant_id, row["id"])])
        by_source: dict[str, list[Rate]] = {}
        # As in assets.py: of equal starts the one added last rules, and is first.
        for rate in sorted(found, key=lambda rate: -rate["id"]):
            ends = None if rate["valid_to"] is None else from_micros(rate["valid_to"])
            entry = Rate(Decimal(rate["rate"]), from_micros(rate["valid_from"]), ends)
            by_source.setdefault(rate["source"], []).append(entry)
        return rate_in_force(asset, by_source, from_micros(self._now))
