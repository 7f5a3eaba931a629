"""Reads of a customer that show things as they stand now: what a subscription was due to do is
booked first, so that nobody sees yesterday's credit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
from sqlmodel import Session

from credyt_mcp.domain.authorizations import BringUpToDate
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.storage import subscription_payments
from credyt_mcp.storage.tables import CustomerRow
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.subscription_payments import offer_pages
from credyt_mcp.use_cases.subscriptions import customer_of

R = TypeVar("R")


async def read_now(
    billing: Billing,
    customer_id: str,
    read: Callable[[Session, CustomerRow], R],
    *,
    pages: bool = False,
) -> R:
    """What `read` says of the customer, in one hop when nothing is due. With `pages`, a payment
    that waits for the customer has a page that works.

    Raises NotFound.
    """

    def look() -> tuple[R, CustomerRow, bool, bool]:
        with billing.database.read() as session:
            customer = customer_of(session, billing, customer_id)
            due = customer.next_due_at is not None and customer.next_due_at <= billing.now()
            waits = pages and bool(subscription_payments.waiting(session, customer))
            return read(session, customer), customer, due, waits

    result, customer, due, waits = await anyio.to_thread.run_sync(look)
    if due:
        ref = CustomerRef(customer.tenant_id, customer.public_id)
        await billing.lane.submit(BringUpToDate(ref))
    if waits:
        await offer_pages(billing, customer)
    if due or waits:
        result, *_ = await anyio.to_thread.run_sync(look)
    return result
