"""The sandbox provider's payment page as a state machine, and Stripe's test card numbers. Pure.

A checkout is open until it is paid or expires; a declined card leaves it open for another try.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

CheckoutStatus = Literal["open", "paid", "expired"]

TEST_CARDS: dict[str, str | None] = {
    "4242424242424242": None,
    "5555555555554444": None,
    "4000000000000002": "Your card was declined.",
    "4000000000009995": "Your card has insufficient funds.",
    "4000000000000069": "Your card has expired.",
    "4000000000000127": "Your card's security code is incorrect.",
    "4000000000000119": "An error occurred while processing your card. Try again in a little bit.",
}
"""Number → why it is declined; None means it is paid. Stripe's published test numbers."""


@dataclass(frozen=True)
class Checkout:
    """One payment page; `reference` is the payment it is for, amounts in minor units."""

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

    def at(self, now: datetime) -> Checkout:
        """The same page seen at `now`: open until it expires, for ever paid once paid."""
        if self.status == "open" and now >= self.expires_at:
            return replace(self, status="expired")
        return self


def decline_reason(card_number: str) -> str | None:
    """Why the card is declined, or None when it pays. Only test numbers can pay here."""
    digits = "".join(character for character in card_number if character.isdigit())
    return TEST_CARDS.get(digits, "Only the test card numbers below work in the sandbox.")
