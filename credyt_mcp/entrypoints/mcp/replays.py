"""The MCP tool of replays."""

from __future__ import annotations

from credyt_mcp.entrypoints.mcp.tool import CREATE, BillingTool
from credyt_mcp.use_cases import replay_fields, replays

TOOLS = (
    BillingTool(replays.replay_pricing, replay_fields.ReplayPricing, "Replay pricing", CREATE),
)
