"""Payments of subscriptions as rows: find those that are open or due, take one on, keep its page.
What they come to is decided in the lane, see subscribed_book.py."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import CursorResult, case
from sqlmodel import Session, col, select, update

from credyt_mcp.clock import from_micros
from credyt_mcp.domain.subscriptions import OPEN_PAYMENT, Payment
from credyt_mcp.ids import new_id
from credyt_mcp.storage.payment_tables import SubscriptionPaymentRow
from credyt_mcp.storage.tables import CustomerRow, SubscriptionRow, TenantRow


class Found(NamedTuple):
    payment: SubscriptionPaymentRow
    subscription: SubscriptionRow
    customer: CustomerRow
    tenant: TenantRow


def add(session: Session, subscription: SubscriptionRow, payment: Payment) -> None:
    """The first payment of a new subscription."""
    session.add(
        SubscriptionPaymentRow(
            tenant_id=subscription.tenant_id,
            public_id=new_id("pay"),
            customer_id=subscription.customer_id,
            subscription_id=subscription.id,
            kind=payment.kind,
            period_from=from_micros(payment.period_from),
            lines=payment.lines,
            amount=payment.amount,
            currency=payment.currency.code,
            status=payment.status,
            created_at=from_micros(payment.created_at),
        )
    )


def waiting(session: Session, customer: CustomerRow) -> list[Found]:
    """Open payments of subscriptions that wait for the customer."""
    return _all(
        session,
        _found().where(
            SubscriptionPaymentRow.tenant_id == customer.tenant_id,
            SubscriptionPaymentRow.customer_id == customer.id,
            SubscriptionPaymentRow.status == "open",
            SubscriptionRow.status == "action_required",
        ),
    )


def get(session: Session, public_id: str) -> Found | None:
    """For whoever has its id and need not say whose it is: a payment page, or the lane's answer."""
    found = _all(session, _found().where(SubscriptionPaymentRow.public_id == public_id))
    return found[0] if found else None


def claim(session: Session, found: Found, until: datetime, provider: str, account: str) -> bool:
    """Take on the charge that is due, as its only one until then. The customer must be locked.

    One that was taken on before, and not brought to an end, stays the same attempt, with whom it
    was begun.
    """
    payment = found.payment
    row = SubscriptionPaymentRow
    is_new = col(row.status) == "open"
    claimed = session.exec(
        update(row)
        .where(
            col(row.id) == payment.id,
            col(row.next_attempt_at) == payment.next_attempt_at,
            col(row.status).in_(OPEN_PAYMENT),
        )
        .values(
            status="charging",
            attempt=col(row.attempt) + case((is_new, 1), else_=0),
            charge_provider=case((is_new, provider), else_=col(row.charge_provider)),
            charge_account=case((is_new, account), else_=col(row.charge_account)),
            next_attempt_at=until,
        )
    )
    assert isinstance(claimed, CursorResult)
    return claimed.rowcount == 1


def keep_page(
    session: Session,
    found: Found,
    provider: str,
    account: str,
    ref: str,
    url: str,
    poll_at: datetime,
) -> bool:
    """Whether the page is the payment's new one; not if it was paid, claimed or given another."""
    payment, row = found.payment, SubscriptionPaymentRow
    kept = session.exec(
        update(row)
        .where(col(row.id) == payment.id, col(row.status) == "open", col(row.link) == payment.link)
        .values(
            provider=provider,
            provider_account=account,
            provider_ref=ref,
            redirect_url=url,
            link=payment.link + 1,
            next_poll_at=poll_at,
            polls=0,
        )
    )
    assert isinstance(kept, CursorResult)
    return kept.rowcount == 1


def _found() -> Any:
    return (
        select(SubscriptionPaymentRow, SubscriptionRow, CustomerRow, TenantRow)
        .join(
            SubscriptionRow, col(SubscriptionRow.id) == col(SubscriptionPaymentRow.subscription_id)
        )
        .join(CustomerRow, col(CustomerRow.id) == col(SubscriptionPaymentRow.customer_id))
        .join(TenantRow, col(TenantRow.id) == col(SubscriptionPaymentRow.tenant_id))
    )


def _all(
    session: Session,
    query: Any,
) -> list[Found]:
    return [Found(*row) for row in session.exec(query)]
