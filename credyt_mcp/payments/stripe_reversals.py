"""Refunds and disputes at Stripe: one made once, all of a payment read, and whose an event is."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal

import stripe

from credyt_mcp.domain.disputes import DisputeSnapshot, DisputeStatus, Movement
from credyt_mcp.domain.refunds import RefundSnapshot, RefundStatus
from credyt_mcp.payments.provider import RefundRequest, Reversals
from credyt_mcp.payments.stripe_outcomes import from_stripe, to_stripe

KEY = "refund_id"
"""The metadata by which a refund of ours is known again."""

REFUND_EVENTS = [
    "charge.refunded",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "charge.dispute.closed",
]

_DISPUTES: dict[str, DisputeStatus] = {
    "warning_needs_response": "inquiry",
    "warning_under_review": "inquiry",
    "warning_closed": "closed",
    "prevented": "closed",
    "won": "won",
    "lost": "lost",
}

REFUSED = {
    "charge_already_refunded": "The payment was refunded already.",
    "charge_disputed": "The payment is disputed.",
    "refund_disputed_payment": "The payment is disputed.",
    "charge_not_refundable": "The payment cannot be refunded.",
    "insufficient_funds": "The balance at the payment provider does not cover it.",
}


Asking = Callable[[str, str], AbstractContextManager[None]]
"""Turns errors of the SDK into ours; see stripe.py."""

log = logging.getLogger(__name__)


class StripeReversals:
    def __init__(self, client: stripe.StripeClient, asking: Asking) -> None:
        self._api = client.v1
        self._asking = asking

    def refund(self, request: RefundRequest) -> RefundSnapshot:
        """One that was made under this key is looked for first: Stripe forgets keys after a day."""
        intent = self._intent_of(request.checkout_id)
        known = next((one for one in self._refunds(intent) if one.key == request.key), None)
        if known is not None:
            return known
        amount = to_stripe(request.amount_minor, request.currency)
        params: Any = {"payment_intent": intent, "amount": amount, "metadata": {KEY: request.key}}
        options: Any = {"idempotency_key": f"refund:{request.key}"}
        with self._asking("a refund", request.key):
            try:
                return refund_said(self._api.refunds.create(params, options))
            except stripe.InvalidRequestError as refused:
                log.info("refund %s: refused, request %s", request.key, refused.request_id)
                said = REFUSED.get(refused.code or "", "The payment provider refused it.")
        return RefundSnapshot(
            "", "failed", request.amount_minor, request.currency, request.key, said
        )

    def of_payment(self, payment_id: str) -> Reversals:
        intent = self._intent_of(payment_id)
        if intent is None:
            return Reversals()
        with self._asking("disputes", intent):
            listed = self._api.disputes.list({"payment_intent": intent, "limit": 100})
            disputes = tuple(map(dispute_said, listed.auto_paging_iter()))
        return Reversals(self._refunds(intent), disputes)

    def payment_behind(self, kind: str, object_id: str) -> str | None:
        """Our key of the payment that a charge, refund or dispute is of, as Stripe says now."""
        read: dict[str, Any] = {
            "charge": self._api.charges,
            "refund": self._api.refunds,
            "dispute": self._api.disputes,
        }
        with self._asking(f"a {kind}", object_id):
            intent = read[kind].retrieve(object_id, {"expand": ["payment_intent"]}).payment_intent
        if intent is None:
            return None
        metadata = intent.to_dict().get("metadata") or {}
        return metadata.get("payment_id") or metadata.get("charge_key")

    def _intent_of(self, payment_id: str) -> str | None:
        """The PaymentIntent of a page, or of a charge of a saved card, which is one already."""
        if payment_id.startswith("pi_"):
            return payment_id
        with self._asking("a checkout session", payment_id):
            intent = self._api.checkout.sessions.retrieve(payment_id).payment_intent
        return intent.id if isinstance(intent, stripe.PaymentIntent) else intent

    def _refunds(self, intent: str | None) -> tuple[RefundSnapshot, ...]:
        if intent is None:
            return ()
        with self._asking("refunds", intent):
            listed = self._api.refunds.list({"payment_intent": intent, "limit": 100})
            return tuple(map(refund_said, listed.auto_paging_iter()))


def refund_said(refund: Any) -> RefundSnapshot:
    status: RefundStatus = "pending"
    if refund.status == "succeeded":
        status = "succeeded"
    elif refund.status in ("failed", "canceled"):
        status = "failed"
    currency = refund.currency.upper()
    metadata = refund.to_dict().get("metadata") or {}
    return RefundSnapshot(
        id=refund.id,
        status=status,
        amount_minor=from_stripe(refund.amount, currency),
        currency=currency,
        key=metadata.get(KEY),
        reason=getattr(refund, "failure_reason", None),
    )


def dispute_said(dispute: Any) -> DisputeSnapshot:
    """A status that is new to us is an open dispute: what is disputed stays frozen. Of the money
    that moved only the direction counts: it may be in another currency, less the fee."""
    currency = dispute.currency.upper()
    moved = sorted(dispute.balance_transactions or (), key=lambda one: (one.created, one.amount))
    return DisputeSnapshot(
        id=dispute.id,
        status=_DISPUTES.get(dispute.status, "open"),
        amount_minor=from_stripe(dispute.amount, currency),
        currency=currency,
        movements=tuple(Movement(one.id, _direction(one.amount)) for one in moved),
        reason=dispute.reason,
    )


def _direction(amount: int) -> Literal["withdrawn", "reinstated"]:
    return "withdrawn" if amount < 0 else "reinstated"
