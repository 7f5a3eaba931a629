"""What becomes of a subscription's payment: paid, refused, tried again, given up. Pure.

The provider's word decides; asking again changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from credyt_mcp.clock import DAY, from_micros
from credyt_mcp.domain.book import Book, Customer, CustomerRef
from credyt_mcp.domain.entitlements import align
from credyt_mcp.domain.ledger import move
from credyt_mcp.domain.money import from_units
from credyt_mcp.domain.subscription_life import (
    activate,
    end,
    post,
    put_by,
    renewed,
    schedule,
    tell,
)
from credyt_mcp.domain.subscriptions import OPEN_PAYMENT, Payment, Subscription
from credyt_mcp.domain.upkeep import bring_up_to_date

RETRY_DAYS = (1, 3, 5, 7)
"""When the saved card is tried again, counted from the first try."""

Outcome = Literal["succeeded", "failed", "needs_customer"]


@dataclass(frozen=True)
class SettleSubscriptionPayment:
    """Book what the provider says of a payment. `attempt` is the charge of a saved card that it
    speaks of; None when the customer paid by the link."""

    ref: CustomerRef
    payment_id: str
    outcome: Outcome
    attempt: int | None = None
    reason: str | None = None

    on_subscriptions = True

    @property
    def keys(self) -> list[tuple[int, bytes]]:
        return []

    def decide(self, book: Book) -> str:
        """The status of the payment."""
        customer = book.customer(self.ref)
        subscription, payment = _found(book, customer, self.payment_id)
        if payment.status == "succeeded":
            return payment.status
        if self.outcome == "succeeded":
            _paid(book, customer, subscription, payment)
        elif payment.status == "charging" and payment.attempt == self.attempt:
            self._refused(book, customer, subscription, payment)
        bring_up_to_date(book, customer)
        return payment.status

    def _refused(
        self, book: Book, customer: Customer, subscription: Subscription, payment: Payment
    ) -> None:
        tries = [payment.created_at + days * DAY for days in RETRY_DAYS]
        left = [moment for moment in tries if moment > book.now]
        if self.outcome == "needs_customer":
            left = left[-1:]  # the bank wants to hear the customer: asking it in vain costs
        book.touch(payment)
        payment.reason = self.reason
        payment.next_attempt_at = left[0] if left else None
        payment.status = "open" if left else "failed"
        tell(
            book,
            customer,
            subscription,
            "subscription.payment_failed",
            book.now,
            amount=from_units(payment.amount, payment.currency),
            currency=payment.currency.code,
            reason=self.reason,
            next_attempt_at=from_micros(left[0]) if left else None,
        )
        if left:
            book.touch(subscription)
            subscription.status = "action_required"
        else:
            payment.settled_at = book.now
            end(book, customer, subscription, "payment_failed")


def _found(book: Book, customer: Customer, payment_id: str) -> tuple[Subscription, Payment]:
    for subscription in book.subscriptions[customer.id]:
        for payment in subscription.payments:
            if payment.public_id == payment_id:
                return subscription, payment
    raise AssertionError(f"payment {payment_id} belongs to another customer")


def _paid(book: Book, customer: Customer, subscription: Subscription, payment: Payment) -> None:
    owed = payment.status in OPEN_PAYMENT
    book.touch(payment)
    payment.status, payment.settled_at, payment.next_attempt_at = "succeeded", book.now, None
    if not owed:
        # Paid at the very moment it was given up. It is the customer's money.
        put_by(book, customer, subscription, payment)
        return
    revenue = book.business_account(customer.tenant_id, "revenue", payment.currency)
    funding = book.business_account(customer.tenant_id, "funding", payment.currency)
    entries = [move(revenue, payment.amount), move(funding, -payment.amount)]
    details = {
        "subscription_id": subscription.public_id,
        "payment": payment.kind,
        "products": [[product, units] for product, _, units in payment.lines],
    }
    name, amount = payment.public_id, payment.amount
    post(book, customer, "subscription_fee", name, revenue, amount, entries, book.now, details)
    _use(book, customer, subscription, payment)
    payment.period_to = subscription.renews_at


def _use(book: Book, customer: Customer, subscription: Subscription, payment: Payment) -> None:
    """Do what was paid for."""
    if payment.kind in ("renewal", "change"):
        renewed(book, customer, subscription, payment.period_from)
        if payment.kind == "change":
            align(book, customer, subscription, book.now)
    elif subscription.activated_at is None and subscription.started_at > book.now:
        schedule(book, customer, subscription)
    else:
        payment.period_from = book.now
        activate(book, customer, subscription, book.now)
