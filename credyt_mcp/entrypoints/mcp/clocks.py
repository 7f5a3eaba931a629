"""MCP tool of the test clock."""

from __future__ import annotations

from credyt_mcp.entrypoints.mcp.tool import CREATE, BillingTool
from credyt_mcp.use_cases import clocks

TOOLS = (BillingTool(clocks.advance_clock, clocks.AdvanceClock, "Advance clock", CREATE),)
