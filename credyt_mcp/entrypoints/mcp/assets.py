"""MCP tools of assets."""

from __future__ import annotations

from credyt_mcp.entrypoints.mcp.tool import CREATE, READ, BillingTool
from credyt_mcp.use_cases import assets
from credyt_mcp.use_cases.context import PageOf

TOOLS = (
    BillingTool(
        assets.list_assets,
        PageOf,
        "List assets",
        READ,
        "List the created assets (units of credit) by code. Currencies such as USD always exist.",
    ),
    BillingTool(assets.create_asset, assets.CreateAsset, "Create asset", CREATE),
    BillingTool(assets.quote_asset, assets.QuoteAsset, "Quote asset", READ),
    BillingTool(assets.add_asset_rate, assets.AddAssetRate, "Add asset rate", CREATE),
)
