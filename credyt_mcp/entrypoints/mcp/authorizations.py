"""MCP tools of authorizations. Capture is recording the event with its authorization_id."""

from __future__ import annotations

from credyt_mcp.entrypoints.mcp.tool import CREATE, REPEATABLE, BillingTool
from credyt_mcp.use_cases import authorizations

TOOLS = (
    BillingTool(
        authorizations.authorize_usage, authorizations.AuthorizeUsage, "Authorize usage", REPEATABLE
    ),
    BillingTool(
        authorizations.extend_authorization,
        authorizations.ExtendAuthorization,
        "Extend authorization",
        CREATE,
    ),
    BillingTool(
        authorizations.release_authorization,
        authorizations.ReleaseAuthorization,
        "Release authorization",
        REPEATABLE,
    ),
)
