"""What Stripe's words mean here: statuses, declines, cards, minor units. Pure; knows no SDK."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from credyt_mcp.domain.declines import decline
from credyt_mcp.errors import AmountOutOfRange, UnknownReference
from credyt_mcp.payments.provider import ChargeSnapshot, PaymentStatus, SavedCard, declined

REFUSED_CURRENCIES = frozenset({"ISK", "UGX"})
"""Stripe sends them with two decimals though they have none; refused until tried in a sandbox."""
THREE_DECIMALS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
WHOLE_AT_STRIPE = {"MGA": 100}
"""Counted with decimals by ISO 4217, and in whole units by Stripe."""
AMOUNT_MAX = 99_999_999


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
    if status == "requires_action":
        return declined("authentication_required", amount_minor, currency)
    if status in ("requires_payment_method", "canceled"):
        return declined(_code(error), amount_minor, currency)
    return ChargeSnapshot("pending", amount_minor, currency)


def _code(error: Any) -> str:
    """Why it was declined, in the words of `domain.declines`. Advice not to try again overrules the
    reason, for the card networks punish those who do."""
    code = getattr(error, "decline_code", None) or getattr(error, "code", None)
    if getattr(error, "advice_code", None) == "do_not_try_again":
        return code if decline(code).kind == "hard" and code else "do_not_try_again"
    return code or "generic_decline"


def kept_card(intent: Any) -> str | None:
    """The card that was saved with a payment."""
    kept = getattr(intent, "setup_future_usage", None) == "off_session"
    method = getattr(intent, "payment_method", None) if kept else None
    return method if isinstance(method, str) else None


def outcome_of(intent: Any) -> ChargeSnapshot:
    currency = intent.currency.upper()
    amount = from_stripe(intent.amount, currency)
    said = charge_outcome(intent.status, intent.last_payment_error, amount, currency)
    return replace(said, payment=intent.id)


def saved_card(method: Any) -> SavedCard:
    card = method.card
    made = datetime.fromtimestamp(method.created, UTC)
    return SavedCard(method.id, card.brand, card.last4, card.exp_month, card.exp_year, made)
