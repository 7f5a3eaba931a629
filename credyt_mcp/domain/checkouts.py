"""The sandbox provider's payment page as a state machine, and Stripe's test card numbers. Pure.

A checkout is open until it is paid or expires; a declined card leaves it open for another try.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

CheckoutStatus = Literal["open", "paid", "expired"]
RefundOutcome = Literal["succeeded", "pending", "failed"]

TEST_CARDS: dict[str, str | None] = {
    "4242424242424242": None,
    "5555555555554444": None,
    "4000000000000002": "Your card was declined.",
    "4000000000009995": "Your card has insufficient funds.",
    "4000000000000069": "Your card has expired.",
    "4000000000000127": "Your card's security code is incorrect.",
    "4000000000000119": "An error occurred while processing your card. Try again in a little bit.",
    "4000000000000341": None,
    "4000002500003155": None,
    "4000000000007726": None,
    "4000000000005126": None,
}
"""Number → why it is declined; None means it is paid. Stripe's published test numbers."""

WHEN_AWAY: dict[str, tuple[Literal["failed", "needs_customer"], str]] = {
    "4000000000000341": ("failed", "The saved card was declined."),
    "4000002500003155": ("needs_customer", "The card's bank wants the customer to confirm."),
}
"""Cards that pay here, but not when they are charged later and the customer is away."""


WHEN_REFUNDED: dict[str, tuple[RefundOutcome, str]] = {
    "4000000000007726": ("pending", "A refund stays pending until the sandbox's owner decides."),
    "4000000000005126": ("failed", "A refund fails."),
}
"""Cards that pay here, and how a refund asked for by the API goes then."""


@dataclass(frozen=True)
class Checkout:
    """One payment page; `reference` is the payment it is for, amounts in minor units. `refunds` is
    how those go that are asked for by the API."""

    id: str
    tenant_id: int
    reference: str
    status: CheckoutStatus
    amount_minor: int
    currency: str
    description: str
    return_url: str
    failure_url: str
    created_at: datetime
    expires_at: datetime
    save_card: bool = False
    customer_key: str | None = None
    refunds: RefundOutcome = "succeeded"

    def at(self, now: datetime) -> Checkout:
        """The same page seen at `now`: open until it expires, for ever paid once paid."""
        if self.status == "open" and now >= self.expires_at:
            return replace(self, status="expired")
        return self


@dataclass(frozen=True)
class CardCharge:
    """A charge of a kept card, by the key of who asked for it."""

    tenant_id: int
    key: str
    status: Literal["succeeded", "failed", "needs_customer"]
    amount_minor: int
    currency: str
    reason: str | None = None


def charge_card(
    tenant_id: int, key: str, card: str | None, amount_minor: int, currency: str
) -> CardCharge:
    """What becomes of charging the card that is kept, None if there is none."""
    if card is None:
        said = "No card is saved."
        return CardCharge(tenant_id, key, "needs_customer", amount_minor, currency, said)
    if card in WHEN_AWAY:
        status, reason = WHEN_AWAY[card]
        return CardCharge(tenant_id, key, status, amount_minor, currency, reason)
    return CardCharge(tenant_id, key, "succeeded", amount_minor, currency)


def card_digits(card_number: str) -> str:
    return "".join(character for character in card_number if character.isdigit())


def decline_reason(card_number: str) -> str | None:
    """Why the card is declined, or None when it pays. Only test numbers can pay here."""
    said = "Only the test card numbers below work in the sandbox."
    return TEST_CARDS.get(card_digits(card_number), said)


def outcome_of(number: str) -> str:
    """What a test card does, in a sentence."""
    declined = TEST_CARDS[number]
    if declined is None and number in WHEN_REFUNDED:
        return f"Payment succeeds. {WHEN_REFUNDED[number][1]}"
    if declined is None and number in WHEN_AWAY:
        return f"Payment succeeds. Charged again later: {WHEN_AWAY[number][1]}"
    return declined or "Payment succeeds."
