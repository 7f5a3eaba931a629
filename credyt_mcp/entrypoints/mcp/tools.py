"""All MCP tools in the order a client lists them: the plain way to a first charge comes first."""

from __future__ import annotations

from credyt_mcp.entrypoints.mcp import (
    analytics,
    assets,
    authorizations,
    clocks,
    customers,
    events,
    integrations,
    ledger,
    products,
    reconciliations,
    replays,
    top_ups,
    vendors,
    wallets,
)

TOOLS = (
    *products.TOOLS,
    *customers.TOOLS,
    *events.TOOLS,
    *authorizations.TOOLS,
    *top_ups.TOOLS,
    *integrations.TOOLS,
    *wallets.TOOLS,
    *assets.TOOLS,
    *vendors.TOOLS,
    *analytics.TOOLS,
    *replays.TOOLS,
    *reconciliations.TOOLS,
    *ledger.TOOLS,
    *clocks.TOOLS,
)
