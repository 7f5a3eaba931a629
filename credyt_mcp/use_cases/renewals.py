"""Does what subscriptions are due to do, of all tenants: starts, credit, renewals, retries.

Any number of processes may do it at once: time is booked in the write lane, under the wallet's
lock, and a charge is taken on by one of them.
"""

from __future__ import annotations

import asyncio
import itertools
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
ACCOUNTS_AT_ONCE = 8

log = logging.getLogger(__name__)


async def renew_due(billing: Billing, tenant_id: int | None = None) -> int:
    """Of one tenant, or (None) of all, until nothing is due any more: a late server catches up
    period by period. Answers how much was done; one that fails keeps no other waiting."""
    done, away = 0, set[str]()
    while True:
        refs, payments = await anyio.to_thread.run_sync(_due, billing, tenant_id)
        booked = (billing.lane.submit(BringUpToDate(ref)) for ref in refs)
        answers = await asyncio.gather(*booked, return_exceptions=True)
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        progress = len(refs) - len(failures) + await _collect_all(billing, payments, away)
        done += progress
        if not progress:
            break
    if failures:
        raise failures[0]
    return done


async def _collect_all(billing: Billing, payments: list[Found], away: set[str]) -> int:
    """Charge what is due; answers how much was done. Accounts at providers are asked beside one
    another; one that does not answer becomes `away` and is not asked again: its payments stay
    due."""
    by_account: dict[str, list[Found]] = {}
    for found in payments:
        account = await anyio.to_thread.run_sync(_account, billing, found)
        if account not in away:
            by_account.setdefault(account, []).append(found)
    limit = anyio.CapacityLimiter(ACCOUNTS_AT_ONCE)

    async def at_one(account: str, due: list[Found]) -> int:
        done = 0
        async with limit:
            for found in due:
                name = found.payment.public_id
                try:
                    done += await collect(billing.as_tenant(as_tenant(found.tenant)), found)
                except ProviderUnavailable:
                    log.warning("the provider does not answer; payment %s stays due", name)
                    away.add(account)
                    break
                except Exception:
                    log.exception("payment %s failed and is tried again", name)
        return done

    return sum(await asyncio.gather(*itertools.starmap(at_one, by_account.items())))


def _account(billing: Billing, found: Found) -> str:
    """Who will be asked for the money, as far as that can be known without asking anybody."""
    if found.payment.charge_account:
        return found.payment.charge_account
    return billing.providers.account_of(as_tenant(found.tenant))


def _due(billing: Billing, tenant_id: int | None) -> tuple[list[CustomerRef], list[Found]]:
    with billing.database.read() as session:
        now = billing.clock.now()
        refs = due.subscribers(session, now, AT_ONCE, tenant_id)
        payments = due.charges(session, now, AT_ONCE, tenant_id)
        found = [subscription_payments.get(session, payment) for payment in payments]
    return refs, [one for one in found if one is not None]
