"""Does what subscriptions are due to do, of all tenants: starts, credit, renewals, retries.

Any number of processes may do it at once: time is booked in the write lane, under the wallet's
lock, and a charge is taken on by one of them.
"""

from __future__ import annotations

import asyncio
import logging

import anyio

from credyt_mcp.domain.authorizations import BringUpToDate
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.errors import ProviderUnavailable
from credyt_mcp.storage import due, subscription_payments
from credyt_mcp.storage.subscription_payments import Found
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.keys import as_tenant
from credyt_mcp.use_cases.subscription_payments import collect

AT_ONCE = 100

log = logging.getLogger(__name__)


async def renew_due(billing: Billing, tenant_id: int | None = None) -> int:
    """Of one tenant, or (None) of all, until nothing is due any more: a late server catches up
    period by period. Answers how much was done; one that fails keeps no other waiting."""
    done = 0
    while True:
        refs, payments = await anyio.to_thread.run_sync(_due, billing, tenant_id)
        booked = (billing.lane.submit(BringUpToDate(ref)) for ref in refs)
        answers = await asyncio.gather(*booked, return_exceptions=True)
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        collected = [await _collect(billing, found) for found in payments]
        progress = len(refs) - len(failures) + sum(collected)
        done += progress
        if not progress:
            break
    if failures:
        raise failures[0]
    return done


async def _collect(billing: Billing, found: Found) -> bool:
    try:
        return await collect(billing.as_tenant(as_tenant(found.tenant)), found)
    except ProviderUnavailable:
        log.warning("the provider does not answer; payment %s stays due", found.payment.public_id)
    except Exception:
        log.exception("payment %s failed and is tried again", found.payment.public_id)
    return False


def _due(billing: Billing, tenant_id: int | None) -> tuple[list[CustomerRef], list[Found]]:
    with billing.database.read() as session:
        now = billing.clock.now()
        refs = due.subscribers(session, now, AT_ONCE, tenant_id)
        payments = due.charges(session, now, AT_ONCE, tenant_id)
        found = [subscription_payments.get(session, payment) for payment in payments]
    return refs, [one for one in found if one is not None]
