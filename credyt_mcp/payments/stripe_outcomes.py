"""What Stripe's words mean here: statuses, declines, minor units. Pure; knows no SDK."""

from __future__ import annotations

from typing import Any

from credyt_mcp.errors import AmountOutOfRange, UnknownReference
from credyt_mcp.payments.provider import ChargeSnapshot, PaymentStatus

REFUSED_CURRENCIES = frozenset({"ISK", "UGX"})
"""Stripe sends them with two decimals though they have none; refused until tried in a sandbox."""
THREE_DECIMALS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
WHOLE_AT_STRIPE = {"MGA": 100}
"""Counted with decimals by ISO 4217, and in whole units by Stripe."""
AMOUNT_MAX = 99_999_999

MINIMA = {
    **dict.fromkeys(("USD", "EUR", "CHF", "CAD", "AUD", "NZD", "SGD", "BRL", "INR", "JPY"), 50),
    **dict.fromkeys(("NOK", "SEK"), 300),
    **dict.fromkeys(("MYR", "PLN", "RON", "AED"), 200),
    **dict.fromkeys(("MXN", "THB"), 1000),
    "GBP": 30,
    "DKK": 250,
    "HKD": 400,
    "CZK": 1500,
    "HUF": 17500,
}
"""The least that Stripe charges, in its own units; it may ask for more where it pays out in another
currency."""

DECLINES = {
    "insufficient_funds": "The saved card has insufficient funds.",
    "expired_card": "The saved card has expired.",
    "lost_card": "The saved card was declined for good.",
    "stolen_card": "The saved card was declined for good.",
    "pickup_card": "The saved card was declined for good.",
    "fraudulent": "The saved card was declined for good.",
    "incorrect_number": "The saved card was declined for good.",
    "invalid_account": "The saved card was declined for good.",
    "processing_error": "An error occurred while processing the saved card.",
    "try_again_later": "An error occurred while processing the saved card.",
    "issuer_not_available": "The card's bank could not be reached.",
}
"""What a customer may be told; any other decline is told as the plain one."""

NEEDS_CUSTOMER = "The card's bank wants the customer to confirm."


def to_stripe(amount_minor: int, currency: str) -> int:
    """Our minor units as Stripe's. Raises where Stripe could not take exactly this."""
    if currency in REFUSED_CURRENCIES:
        raise UnknownReference("currency", f"payments in {currency} are not supported with Stripe")
    if currency in THREE_DECIMALS and amount_minor % 10:
        raise AmountOutOfRange("amount", f"{currency} is charged with two decimals at most")
    amount, rest = divmod(amount_minor, WHOLE_AT_STRIPE.get(currency, 1))
    if rest:
        raise AmountOutOfRange("amount", f"{currency} is charged in whole units")
    if amount > AMOUNT_MAX:
        raise AmountOutOfRange("amount", "is more than Stripe takes at once")
    return amount


def limits(currency: str) -> tuple[int, int]:
    """The least and the most that Stripe charges at once, in our minor units."""
    return from_stripe(MINIMA.get(currency, 1), currency), from_stripe(AMOUNT_MAX, currency)


def from_stripe(amount: int, currency: str) -> int:
    return amount * WHOLE_AT_STRIPE.get(currency, 1)


def checkout_status(status: str | None, payment_status: str, intent: str | None) -> PaymentStatus:
    """`intent` is the status of the session's PaymentIntent, where it has one. Only `paid` is."""
    if status == "open":
        return "initiated"
    if status == "expired":
        return "expired"
    if payment_status == "paid":
        return "succeeded"
    # The bank debit behind a completed page came to nothing, or nothing was asked for.
    if payment_status == "no_payment_required":
        return "failed"
    return "failed" if intent in ("requires_payment_method", "canceled") else "pending"


def charge_outcome(status: str, error: Any, amount_minor: int, currency: str) -> ChargeSnapshot:
    """What became of an off-session charge: `status` and last error of its PaymentIntent."""
    if status == "succeeded":
        return ChargeSnapshot("succeeded", amount_minor, currency)
    code = getattr(error, "decline_code", None) or getattr(error, "code", None)
    if status == "requires_action" or code == "authentication_required":
        return ChargeSnapshot("needs_customer", amount_minor, currency, NEEDS_CUSTOMER)
    if status in ("requires_payment_method", "canceled"):
        said = DECLINES.get(code or "", "The saved card was declined.")
        return ChargeSnapshot("failed", amount_minor, currency, said)
    return ChargeSnapshot("pending", amount_minor, currency)
