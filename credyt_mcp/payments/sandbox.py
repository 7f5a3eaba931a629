"""A payment provider for the test environment: a local checkout page, test cards, no real money.

It behaves like any other provider: it keeps its own sessions and is asked for the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Literal, Protocol

from credyt_mcp.domain.checkouts import (
    NOT_CONFIRMED,
    CardCharge,
    Checkout,
    CheckoutStatus,
    KeptCard,
    card_digits,
    decline_reason,
    needs_challenge,
    refund_outcome,
)
from credyt_mcp.domain.refunds import RefundSnapshot
from credyt_mcp.domain.sandbox_reversals import SandboxReversal, Step
from credyt_mcp.errors import AmountOutOfRange, NotFound, WrongState
from credyt_mcp.ids import new_id, new_secret
from credyt_mcp.payments.cards import to_charge
from credyt_mcp.payments.provider import (
    ChargeRequest,
    ChargeSnapshot,
    CheckoutRef,
    CheckoutRequest,
    PaymentSnapshot,
    PaymentStatus,
    RefundRequest,
    Reversals,
    SavedCard,
    declined,
)

PAYMENTS_SHOWN = 50
EXPIRE = 2099
"""The year that test cards are shown to expire in."""


class Challenge(Enum):
    """The bank asks the customer first."""

    CHALLENGE = "challenge"


CHALLENGE = Challenge.CHALLENGE


class Sessions(Protocol):
    """Where the sandbox keeps its checkouts, cards and charges."""

    def add(self, checkout: Checkout) -> Checkout:
        """Store it; if one with the same reference exists, answer that one instead."""

    def get(self, checkout_id: str) -> Checkout | None: ...

    def end(
        self, checkout_id: str, status: CheckoutStatus, card: KeptCard | None = None
    ) -> Checkout:
        """Close it as paid or expired if it is open, keep the card if it says so; answers how it
        stands."""

    def cards(self, tenant_id: int, customer_key: str) -> list[KeptCard]:
        """Cards kept for a customer, newest first."""

    def remove_card(self, tenant_id: int, customer_key: str, card_id: str) -> bool:
        """Whether it was kept."""

    def charge(self, tenant_id: int, key: str) -> CardCharge | None: ...

    def add_charge(self, charge: CardCharge, paid: Checkout | None) -> CardCharge:
        """Store it, with the payment that it made; if there is one of the same key, answer that
        one instead."""

    def payments(self, tenant_id: int, limit: int) -> list[Checkout]:
        """Those that were paid, newest first."""

    def reversals(self, checkout_id: str) -> tuple[SandboxReversal, ...]:
        """Of a payment, oldest first."""

    def add_reversal(self, reversal: SandboxReversal, paid_minor: int) -> SandboxReversal:
        """Store it; if there is one of the same key, answer that one instead. Raises
        AmountOutOfRange where less is left of the payment."""

    def step(self, tenant_id: int, reversal_id: str, step: Step) -> SandboxReversal:
        """Raises NotFound, or WrongState where that cannot be done now."""


class SandboxProvider:
    name = "sandbox"

    def __init__(self, sessions: Sessions, public_url: str, now: Callable[[int], datetime]) -> None:
        """`now` answers what time it is for a tenant: links expire by the tenant's clock."""
        self._sessions = sessions
        self._public_url = public_url.rstrip("/")
        self._now = now

    def create_checkout(self, request: CheckoutRequest) -> CheckoutRef:
        checkout = self._sessions.add(
            Checkout(
                id=new_secret("sbx"),
                tenant_id=request.tenant_id,
                reference=request.key,
                status="open",
                amount_minor=request.amount_minor,
                currency=request.currency,
                description=request.description,
                return_url=request.return_url,
                failure_url=request.failure_url,
                created_at=request.created_at,
                expires_at=request.expires_at,
                save_card=request.save_card,
                customer_key=request.customer_key,
                setup=request.setup,
            )
        )
        return CheckoutRef(checkout.id, f"{self._public_url}/checkout/{checkout.id}")

    def fetch(self, checkout_id: str) -> PaymentSnapshot:
        return _snapshot(self.checkout(checkout_id))

    def close_checkout(self, checkout_id: str) -> PaymentSnapshot:
        if self.checkout(checkout_id).status != "open":
            return self.fetch(checkout_id)
        return _snapshot(self._sessions.end(checkout_id, "expired"))

    def charge(self, request: ChargeRequest) -> ChargeSnapshot:
        made = self._sessions.charge(request.tenant_id, request.key)
        return _said(made or self._charged(request))

    def call_off(self, tenant_id: int, key: str) -> ChargeSnapshot | None:
        made = self._sessions.charge(tenant_id, key)
        return None if made is None else _said(made)

    def cards(self, tenant_id: int, customer_key: str) -> list[SavedCard]:
        return [
            SavedCard(card.id, card.brand, card.number[-4:], 12, EXPIRE, card.created_at)
            for card in self._sessions.cards(tenant_id, customer_key)
        ]

    def remove_card(self, tenant_id: int, customer_key: str, card: str) -> None:
        if not self._sessions.remove_card(tenant_id, customer_key, card):
            raise NotFound(f"the customer has no saved card '{card}'")

    def _charged(self, request: ChargeRequest) -> CardCharge:
        kept = {card.id: card for card in self._sessions.cards(*_owner(request))}
        chosen = to_charge(request, list(kept)) if kept else None
        code: str | None = "no_card" if request.card is None else "card_removed"
        paid: Checkout | None = None
        if chosen is not None:
            code = kept[chosen].when_away()
            paid = self._paid(request, kept[chosen].number) if code is None else None
        said = ChargeSnapshot("succeeded", request.amount_minor, request.currency)
        if code is not None:
            said = declined(code, request.amount_minor, request.currency)
        assert said.status != "pending", "the sandbox always knows"
        charge = CardCharge(
            request.tenant_id,
            request.key,
            said.status,
            said.amount_minor,
            said.currency,
            said.reason,
            said.code,
        )
        return self._sessions.add_charge(charge, paid)

    def _paid(self, request: ChargeRequest, number: str) -> Checkout:
        """The payment that a charge made, to be refunded and disputed like one of a page."""
        now = self._now(request.tenant_id)
        return Checkout(
            id=request.key,
            tenant_id=request.tenant_id,
            reference=request.key,
            status="paid",
            amount_minor=request.amount_minor,
            currency=request.currency,
            description=request.description,
            return_url="",
            failure_url="",
            created_at=now,
            expires_at=now,
            customer_key=request.customer_key,
            refunds=refund_outcome(number),
        )

    def refund(self, request: RefundRequest) -> RefundSnapshot:
        checkout = self.checkout(request.checkout_id)
        for known in self._sessions.reversals(checkout.id):
            if known.key == request.key:
                return known.as_refund(checkout.currency)
        try:
            refund = self.add_reversal(
                checkout, "refund", request.amount_minor, checkout.refunds, request.key
            )
        except AmountOutOfRange as refused:
            said = (request.amount_minor, request.currency, request.key, refused.detail)
            return RefundSnapshot("", "failed", *said)
        return refund.as_refund(checkout.currency)

    def reversals(self, checkout_id: str) -> Reversals:
        checkout = self.checkout(checkout_id)
        known = self._sessions.reversals(checkout.id)
        return Reversals(
            tuple(one.as_refund(checkout.currency) for one in known if one.kind == "refund"),
            tuple(one.as_dispute(checkout.currency) for one in known if one.kind == "dispute"),
        )

    def payments(self, tenant_id: int) -> list[tuple[Checkout, tuple[SandboxReversal, ...]]]:
        """The newest paid ones, each with its refunds and disputes."""
        paid = self._sessions.payments(tenant_id, PAYMENTS_SHOWN)
        return [(one, self._sessions.reversals(one.id)) for one in paid]

    def add_reversal(
        self,
        checkout: Checkout,
        kind: Literal["refund", "dispute"],
        amount_minor: int,
        status: str,
        key: str | None = None,
    ) -> SandboxReversal:
        """A refund or dispute of a payment. Raises WrongState for one that was not paid,
        AmountOutOfRange where less is left of it."""
        if checkout.status != "paid":
            raise WrongState("this payment was not paid")
        prefix = "sbr" if kind == "refund" else "sbd"
        now = self._now(checkout.tenant_id)
        reversal = SandboxReversal(
            new_id(prefix), checkout.tenant_id, checkout.id, kind, status, amount_minor, now, key
        )
        return self._sessions.add_reversal(reversal, checkout.amount_minor)

    def step(self, tenant_id: int, reversal_id: str, step: Step) -> SandboxReversal:
        return self._sessions.step(tenant_id, reversal_id, step)

    def checkout(self, checkout_id: str) -> Checkout:
        """Raises NotFound."""
        checkout = self._sessions.get(checkout_id)
        if checkout is None:
            raise NotFound("this payment link does not exist", hint="Ask the app for a new link.")
        return checkout.at(self._now(checkout.tenant_id))

    def pay(
        self, checkout_id: str, card_number: str, confirmed: bool | None = None
    ) -> str | Challenge | None:
        """Pay with a test card: None when paid (also if it was before), else why it is declined, or
        `CHALLENGE` for a card whose bank asks first whether that is `confirmed`.

        Raises NotFound, or WrongState once the link has expired.
        """
        checkout = self.checkout(checkout_id)
        if checkout.status == "expired":
            raise WrongState("this payment link has expired", hint="Ask the app for a new link.")
        if checkout.status == "paid":
            return None
        challenged = needs_challenge(card_number)
        if challenged and confirmed is None:
            return CHALLENGE
        reason = decline_reason(card_number, setup=checkout.setup)
        if challenged and not confirmed:
            reason = NOT_CONFIRMED
        if reason is None:
            now = self._now(checkout.tenant_id)
            card = KeptCard(new_id("pm"), card_digits(card_number), challenged, now)
            self._sessions.end(checkout_id, "paid", card)
        return reason


def _owner(request: ChargeRequest) -> tuple[int, str]:
    return request.tenant_id, request.customer_key


def _said(charge: CardCharge) -> ChargeSnapshot:
    paid = charge.key if charge.status == "succeeded" else None
    return ChargeSnapshot(
        charge.status, charge.amount_minor, charge.currency, charge.reason, charge.code, paid
    )


def _snapshot(checkout: Checkout) -> PaymentSnapshot:
    statuses: dict[CheckoutStatus, PaymentStatus] = {
        "open": "initiated",
        "paid": "succeeded",
        "expired": "expired",
    }
    status = statuses[checkout.status]
    return PaymentSnapshot(status, checkout.amount_minor, checkout.currency, checkout.card)
