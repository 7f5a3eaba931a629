"""MCP tools of usage events."""

from __future__ import annotations

from credyt_mcp.entrypoints.mcp.tool import READ, REPEATABLE, BillingTool
from credyt_mcp.use_cases import events

TOOLS = (
    BillingTool(events.record_event, events.RecordEvent, "Record usage event", REPEATABLE),
    BillingTool(events.submit_events, events.SubmitEvents, "Submit usage events", REPEATABLE),
    BillingTool(events.get_event, events.GetEvent, "Get usage event", READ),
)
