"""MCP tool of margins."""

from __future__ import annotations

from credyt_mcp.entrypoints.mcp.tool import READ, BillingTool
from credyt_mcp.use_cases import profitability

TOOLS = (
    BillingTool(
        profitability.get_profitability,
        profitability.GetProfitability,
        "Get profitability",
        READ,
    ),
)
