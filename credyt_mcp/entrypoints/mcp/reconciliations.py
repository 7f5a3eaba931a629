"""The MCP tool that compares vendors' bills with what was recorded."""

from __future__ import annotations

from credyt_mcp.entrypoints.mcp.tool import READ, BillingTool
from credyt_mcp.use_cases import reconciliation_fields, reconciliations

TOOLS = (
    BillingTool(
        reconciliations.reconcile_costs,
        reconciliation_fields.ReconcileCosts,
        "Reconcile costs",
        READ,
        "What vendors billed beside what was recorded: the difference by cause. Bills are imported "
        "by `credyt-mcp reconcile FILE` or POST /vendor-bills.",
    ),
)
