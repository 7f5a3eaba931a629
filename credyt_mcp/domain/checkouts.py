"""The sandbox provider's payment page as a state machine, and Stripe's test card numbers. Pure.

A checkout is open until it is paid or expires; a declined card leaves it open for another try.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from credyt_mcp.domain.declines import decline

CheckoutStatus = Literal["open", "paid", "expired"]
RefundOutcome = Literal["succeeded", "pending", "failed"]

TEST_CARDS: dict[str, str | None] = {
    "4242424242424242": None,
    "5555555555554444": None,
    "4000000000000002": "Your card was declined.",
    "4000000000009995": "Your card has insufficient funds.",
    "4000000000009987": "Your card was declined.",
    "4000000000009979": "Your card was declined.",
    "4000000000000069": "Your card has expired.",
    "4000000000000127": "Your card's security code is incorrect.",
    "4000000000000119": "An error occurred while processing your card. Try again in a little bit.",
    "4000000000000341": None,
    "4000002500003155": None,
    "4000002760003184": None,
    "4000003800000446": None,
    "4000008260003178": "Your card has insufficient funds.",
    "4000000000007726": None,
    "4000000000005126": None,
}
"""Number → why it is declined; None means it is paid. Stripe's published test numbers."""

CHALLENGED = {
    *("4000002500003155", "4000002760003184", "4000003800000446", "4000008260003178"),
}
"""Cards whose bank asks the customer first, by 3-D Secure."""

WHEN_AWAY: dict[str, str] = {
    "4000000000000002": "generic_decline",
    "4000000000009995": "insufficient_funds",
    "4000000000009987": "lost_card",
    "4000000000009979": "stolen_card",
    "4000000000000069": "expired_card",
    "4000000000000127": "incorrect_cvc",
    "4000000000000119": "processing_error",
    "4000000000000341": "generic_decline",
    "4000002760003184": "authentication_required",
    "4000008260003178": "insufficient_funds",
}
"""What becomes of kept cards when they are charged later and the customer is away: see
`domain.declines`. Any card can be kept by adding it without paying."""

NOT_CONFIRMED = "Your bank could not confirm that it is you."


@dataclass(frozen=True)
class KeptCard:
    """A test card that is kept for a customer; `authenticated` with the customer's confirmation."""

    id: str
    number: str
    authenticated: bool
    created_at: datetime

    @property
    def brand(self) -> str:
        return "mastercard" if self.number.startswith("5") else "visa"

    def when_away(self) -> str | None:
        """Why it is declined, None when it pays."""
        if self.number == "4000002500003155" and not self.authenticated:
            return "authentication_required"
        return WHEN_AWAY.get(self.number)


WHEN_REFUNDED: dict[str, tuple[RefundOutcome, str]] = {
    "4000000000007726": ("pending", "A refund stays pending until the sandbox's owner decides."),
    "4000000000005126": ("failed", "A refund fails."),
}
"""Cards that pay here, and how a refund asked for by the API goes then."""


@dataclass(frozen=True)
class Checkout:
    """One payment page; `reference` is the payment it is for, amounts in minor units. With `setup`
    nothing is paid on it, a card is added. `card` is the kept one that it was paid with. `refunds`
    is how those go that are asked for by the API."""

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
    setup: bool = False
    card: str | None = None
    refunds: RefundOutcome = "succeeded"

    def at(self, now: datetime) -> Checkout:
        """The same page seen at `now`: open until it expires, for ever paid once paid."""
        if self.status == "open" and now >= self.expires_at:
            return replace(self, status="expired")
        return self


@dataclass(frozen=True)
class CardCharge:
    """A charge of a kept card, by the key of who asked for it. `code` is why it was declined."""

    tenant_id: int
    key: str
    status: Literal["succeeded", "failed", "needs_customer"]
    amount_minor: int
    currency: str
    reason: str | None = None
    code: str | None = None


def card_digits(card_number: str) -> str:
    return "".join(character for character in card_number if character.isdigit())


def needs_challenge(card_number: str) -> bool:
    return card_digits(card_number) in CHALLENGED


def decline_reason(card_number: str, *, setup: bool = False) -> str | None:
    """Why the card is declined, or None when it pays. Only test numbers can pay here; any of them
    can be added without paying (`setup`)."""
    number = card_digits(card_number)
    if number not in TEST_CARDS:
        return "Only the test card numbers below work in the sandbox."
    return None if setup else TEST_CARDS[number]


def refund_outcome(number: str) -> RefundOutcome:
    return WHEN_REFUNDED[number][0] if number in WHEN_REFUNDED else "succeeded"


def outcome_of(number: str, *, setup: bool = False) -> str:
    """What a test card does, in a sentence."""
    said = "Card is saved." if setup else TEST_CARDS[number] or "Payment succeeds."
    if number in CHALLENGED:
        said = f"Asks for confirmation (3-D Secure). {said}"
    if not setup and number in WHEN_REFUNDED:
        said = f"{said} {WHEN_REFUNDED[number][1]}"
    keeps = setup or TEST_CARDS[number] is None
    if keeps and number in WHEN_AWAY:
        return f"{said} Charged again later: {decline(WHEN_AWAY[number]).says}"
    return said
