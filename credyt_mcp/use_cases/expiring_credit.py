"""Tells tenants of their customers' credit that will expire soon, once for each grant."""

from __future__ import annotations

import anyio

from credyt_mcp.clock import to_micros
from credyt_mcp.domain import notices as describe
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.domain.wallets import as_of
from credyt_mcp.storage import customers, due, notices, wallets
from credyt_mcp.use_cases.context import Billing

AT_ONCE = 100


async def tell_of_expiring_credit(billing: Billing, tenant_id: int | None) -> int:
    """Of one tenant, or (None) of all; answers of how many grants."""
    done = 0
    while True:
        told = await anyio.to_thread.run_sync(_tell_of_some, billing, tenant_id)
        done += told
        if told < AT_ONCE:
            return done


def _tell_of_some(billing: Billing, tenant_id: int | None) -> int:
    with billing.database.read() as session:
        found = due.untold(session, billing.clock.now(), AT_ONCE, tenant_id)
    for grant_id, ref in found:
        _tell(billing, grant_id, ref)
    return len(found)


def _tell(billing: Billing, grant_id: int, ref: CustomerRef) -> None:
    now = billing.clocks.now(ref.tenant_id)
    with billing.database.write() as session:
        customer = customers.find(session, ref.tenant_id, str(ref), lock=True)
        assert customer is not None and customer.id is not None
        if not due.mark_told(session, grant_id):
            return  # another process was faster
        for account in as_of(wallets.load(session, customer, now), to_micros(now)):
            for parcel in account.grants:
                if parcel.id == grant_id:
                    said = describe.grant(account, parcel)
                    data = describe.data_of(customer.public_id, account, said, to_micros(now))
                    notices.add(session, ref.tenant_id, "grant.expiring", customer.id, data, now)
