"""MCP tools of wallets."""

from __future__ import annotations

from credyt_mcp.entrypoints.mcp.tool import BillingTool

TOOLS: tuple[BillingTool, ...] = ()
