"""MCP tools of vendors."""

from __future__ import annotations

from credyt_mcp.entrypoints.mcp.tool import CREATE, BillingTool
from credyt_mcp.use_cases import vendors

TOOLS = (BillingTool(vendors.create_vendor, vendors.CreateVendor, "Create vendor", CREATE),)
