"""MCP tools that plan the code of an integration, and look for faults in it."""

from __future__ import annotations

from credyt_mcp.entrypoints.mcp.tool import READ, BillingTool
from credyt_mcp.use_cases import integration_checks, integrations

TOOLS = (
    BillingTool(
        integrations.plan_integration, integrations.PlanIntegration, "Plan integration", READ
    ),
    BillingTool(
        integration_checks.verify_integration,
        integration_checks.VerifyIntegration,
        "Verify integration",
        READ,
    ),
)
