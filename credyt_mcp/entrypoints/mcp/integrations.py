"""MCP tool that plans the code of an integration."""

from __future__ import annotations

from credyt_mcp.entrypoints.mcp.tool import READ, BillingTool
from credyt_mcp.use_cases import integrations

TOOLS = (
    BillingTool(
        integrations.plan_integration, integrations.PlanIntegration, "Plan integration", READ
    ),
)
