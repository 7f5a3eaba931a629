"""MCP tool of the ledger's proof."""

from __future__ import annotations

from credyt_mcp.entrypoints.mcp.tool import READ, BillingTool
from credyt_mcp.use_cases import ledger

TOOLS = (BillingTool(ledger.verify_ledger, ledger.VerifyLedger, "Verify ledger", READ),)
