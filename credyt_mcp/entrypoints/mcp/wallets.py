"""MCP tools of wallets."""

from __future__ import annotations

from credyt_mcp.entrypoints.mcp.tool import READ, REPEATABLE, BillingTool
from credyt_mcp.use_cases import adjustments, budgets, limits, wallets

TOOLS = (
    BillingTool(wallets.get_wallet, wallets.GetWallet, "Get wallet", READ),
    BillingTool(
        adjustments.create_adjustment, adjustments.CreateAdjustment, "Create adjustment", REPEATABLE
    ),
    BillingTool(limits.set_wallet_limits, limits.SetWalletLimits, "Set wallet limits", REPEATABLE),
    BillingTool(budgets.set_budget, budgets.SetBudget, "Set budget", REPEATABLE),
)
