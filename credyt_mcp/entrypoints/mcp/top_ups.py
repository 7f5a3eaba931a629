"""MCP tools of top-ups."""

from __future__ import annotations

from credyt_mcp.entrypoints.mcp.tool import CREATE, DESTRUCTIVE, READ, BillingTool
from credyt_mcp.use_cases import refunds, top_ups
from credyt_mcp.use_cases.topup_flows import GenerateTopupFlow, generate_topup_flow

TOOLS = (
    BillingTool(generate_topup_flow, GenerateTopupFlow, "Generate top-up flow", CREATE),
    BillingTool(top_ups.get_top_up, top_ups.GetTopUp, "Get top-up", READ),
    BillingTool(refunds.quote_refund, refunds.QuoteRefund, "Quote refund", READ),
    BillingTool(refunds.refund_top_up, refunds.RefundTopUp, "Refund top-up", DESTRUCTIVE),
)
