"""What it means that a bank refuses a card, and what to do about it. Pure; the words of the codes
are Stripe's, which the sandbox uses as well.

`soft` may work later and is tried again, `hard` never will with this card, and with
`needs_customer` the bank (or we) must hear the customer, so asking it again is in vain.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

DeclineKind = Literal["soft", "hard", "needs_customer"]


class Decline(NamedTuple):
    """`says` is for the customer and tells nothing that a thief should know; `hint` is for the
    operator."""

    kind: DeclineKind
    says: str
    hint: str


_WAIT = "Nothing to do: it is tried again. The customer may top up with another card meanwhile."
_OTHER_CARD = "Ask the customer for another card, then switch automatic top-ups on again."
_CONFIRM = "Send the customer the link: paying there confirms the card with its bank."
_GONE = "The saved card was declined for good."
_BUSY = "An error occurred while processing the saved card."

_SOFT = {
    "generic_decline": "The saved card was declined.",
    "card_declined": "The saved card was declined.",
    "do_not_honor": "The saved card was declined.",
    "call_issuer": "The saved card was declined.",
    "no_action_taken": "The saved card was declined.",
    "not_permitted": "The saved card was declined.",
    "insufficient_funds": "The saved card has insufficient funds.",
    "withdrawal_count_limit_exceeded": "The saved card has reached its limit.",
    "card_velocity_exceeded": "The saved card has reached its limit.",
    "try_again_later": _BUSY,
    "processing_error": _BUSY,
    "reenter_transaction": _BUSY,
    "issuer_not_available": "The card's bank could not be reached.",
}
_HARD = {
    "expired_card": "The saved card has expired.",
    "incorrect_cvc": "The saved card's security code is incorrect.",
    "invalid_cvc": "The saved card's security code is incorrect.",
    "card_not_supported": "The saved card does not support this payment.",
    "currency_not_supported": "The saved card does not support this currency.",
    "card_removed": "The saved card was removed.",
    **dict.fromkeys(
        (
            *("lost_card", "stolen_card", "pickup_card", "restricted_card", "fraudulent"),
            *("incorrect_number", "invalid_number", "invalid_account", "merchant_blacklist"),
            *("invalid_expiry_month", "invalid_expiry_year", "new_account_information_available"),
            *("revocation_of_authorization", "revocation_of_all_authorizations"),
            *("security_violation", "service_not_allowed", "stop_payment_order"),
            *("testmode_decline", "transaction_not_allowed", "do_not_try_again"),
        ),
        _GONE,
    ),
}
_NEEDS_CUSTOMER = {
    "authentication_required": "The card's bank wants the customer to confirm.",
    "offline_pin_required": "The card's bank wants the customer to confirm.",
    "online_or_offline_pin_required": "The card's bank wants the customer to confirm.",
    "no_card": "No card is saved.",
}
_OURS = {
    "no_rate": Decline(
        "hard",
        "Automatic top-ups are not possible at present.",
        "The asset has no exchange rate in force for the rule's currency: add one "
        "(add_asset_rate), then switch automatic top-ups on again.",
    ),
    "amount_refused": Decline(
        "hard",
        "The amount cannot be charged.",
        "The payment provider takes no such amount: choose another one in the rule.",
    ),
    "provider_removed": Decline(
        "hard",
        "The saved card can no longer be charged.",
        "The account at the payment provider that keeps the card takes no new payments, or is not "
        "configured any more: restore it, or ask the customer for a card anew.",
    ),
}

DECLINES: dict[str, Decline] = {
    **{code: Decline("soft", says, _WAIT) for code, says in _SOFT.items()},
    **{code: Decline("hard", says, _OTHER_CARD) for code, says in _HARD.items()},
    **{code: Decline("needs_customer", says, _CONFIRM) for code, says in _NEEDS_CUSTOMER.items()},
    **_OURS,
}


def decline(code: str | None) -> Decline:
    """The meaning of a code; one that is new to us is a plain, soft decline."""
    return DECLINES.get(code or "", DECLINES["generic_decline"])
