"""Books what time did to wallets that nobody touches. Reads are right without it, only earlier."""

from __future__ import annotations

import logging
from typing import NoReturn

import anyio

from credyt_mcp.domain.authorizations import BringUpToDate
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.storage import due
from credyt_mcp.use_cases.context import Billing

SWEEP_SECONDS = 15
AT_ONCE = 500

log = logging.getLogger(__name__)


async def sweep(billing: Billing) -> int:
    """Bring due wallets of all tenants up to date; answers how many."""
    refs = await anyio.to_thread.run_sync(_due, billing)
    for ref in refs:
        await billing.lane.submit(BringUpToDate(ref))
    return len(refs)


async def keep_sweeping(billing: Billing) -> NoReturn:
    """Sweep now and then, until cancelled. A failure is logged and tried again."""
    while True:
        try:
            while await sweep(billing) >= AT_ONCE:
                pass
        except Exception:
            log.exception("a sweep failed")
        await anyio.sleep(SWEEP_SECONDS)


def _due(billing: Billing) -> list[CustomerRef]:
    with billing.database.read() as session:
        return due.wallets(session, billing.now(), AT_ONCE)
