"""Books a payment by its key, whoever says that something became of it: a page, a provider's event,
or our own clock."""

from __future__ import annotations

import anyio

from credyt_mcp.payments.provider import PageRef
from credyt_mcp.storage import auto_top_ups as stored_auto_top_ups
from credyt_mcp.storage import subscription_payments as stored_payments
from credyt_mcp.storage import top_ups as stored_top_ups
from credyt_mcp.use_cases import automatic_charges, subscription_payments, top_ups
from credyt_mcp.use_cases.context import Billing, Tenant
from credyt_mcp.use_cases.keys import as_tenant
from credyt_mcp.use_cases.reversals import settle_reversals


async def settle_payment(
    billing: Billing, key: str, page: PageRef | None = None
) -> tuple[Tenant, str] | None:
    """Bring the payment to what its provider says now. Answers whose it is and how it stands, or
    None where there is no such payment.

    `page` is where it was paid, as an event has it, for a payment that does not know: it was cut
    short, or given another page since. It counts at an account of the payment's tenant only.
    """
    payment_id = key.partition(":")[0]
    charged, top_up, automatic = await anyio.to_thread.run_sync(_found, billing, payment_id)
    if charged is not None:
        tenant = as_tenant(charged.tenant)
        return tenant, await subscription_payments.settle(billing.as_tenant(tenant), charged, page)
    if top_up is None:
        return None
    row, customer, tenant_row = top_up
    tenant = as_tenant(tenant_row)
    if row.provider_ref is None and page is None and automatic is not None:
        await automatic_charges.ask_at_once(billing, automatic)
        return tenant, "asked"
    was_lost = False
    if row.provider_ref is None and page is not None and page.account in ("", row.provider_account):
        row.provider_ref, was_lost = page.id, True
    status = await top_ups.settle(billing.as_tenant(tenant), row, customer)
    if was_lost and status == "succeeded":
        # What went back of it could not be asked for when it was told.
        await settle_reversals(billing, key)
    return tenant, status


def _found(
    billing: Billing, payment_id: str
) -> tuple[
    stored_payments.Found | None, stored_top_ups.Found | None, stored_auto_top_ups.Found | None
]:
    with billing.database.read() as session:
        charged = stored_payments.get(session, payment_id)
        top_up = stored_top_ups.find(session, payment_id) if charged is None else None
        automatic = stored_auto_top_ups.find_charge(session, payment_id) if top_up else None
        session.expunge_all()
        return charged, top_up, automatic
