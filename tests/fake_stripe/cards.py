"""Stripe's test payment methods and numbers, and what becomes of a payment with each."""

from __future__ import annotations

from typing import NamedTuple


class Outcome(NamedTuple):
    """`status` of the PaymentIntent, or the codes it is declined with; `sca` says when the bank
    wants to hear the customer: always, or until set up for charges while they are away."""

    status: str = "succeeded"
    code: str | None = None
    decline_code: str | None = None
    advice_code: str | None = None
    sca: str | None = None


def declined(
    decline_code: str, code: str = "card_declined", advice: str = "try_again_later"
) -> Outcome:
    return Outcome("requires_payment_method", code, decline_code, advice)


NEVER = "do_not_try_again"
AUTHENTICATE = declined("authentication_required", "authentication_required", "confirm_card_data")
METHODS = {
    "pm_card_visa": Outcome(),
    "pm_card_mastercard": Outcome(),
    "pm_card_chargeCustomerFail": declined("generic_decline"),
    "pm_card_chargeDeclined": declined("generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": declined("insufficient_funds"),
    "pm_card_chargeDeclinedLostCard": declined("lost_card", advice=NEVER),
    "pm_card_chargeDeclinedStolenCard": declined("stolen_card", advice=NEVER),
    "pm_card_chargeDeclinedFraudulent": declined("fraudulent", advice=NEVER),
    "pm_card_chargeDeclinedExpiredCard": declined("expired_card", "expired_card", NEVER),
    "pm_card_chargeDeclinedProcessingError": declined("processing_error", "processing_error"),
    "pm_card_authenticationRequired": Outcome(sca="always"),
    "pm_card_authenticationRequiredOnSetup": Outcome(sca="until set up"),
    "pm_card_authenticationRequiredSetupForOffSession": Outcome(),
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": declined(
        "insufficient_funds"
    )._replace(sca="until set up"),
    "pm_card_createDispute": Outcome(),
    "pm_card_createDisputeInquiry": Outcome(),
    "pm_card_pendingRefund": Outcome(),
    "pm_card_refundFail": Outcome(),
    "pm_usBankAccount": Outcome("processing"),
    "pm_sepaDebit": Outcome("processing"),
}
NUMBERS = {
    "4242424242424242": "pm_card_visa",
    "4000000000000002": "pm_card_chargeDeclined",
    "4000000000009995": "pm_card_chargeDeclinedInsufficientFunds",
    "4000000000009987": "pm_card_chargeDeclinedLostCard",
    "4000000000009979": "pm_card_chargeDeclinedStolenCard",
    "4000000000000069": "pm_card_chargeDeclinedExpiredCard",
    "4000000000000119": "pm_card_chargeDeclinedProcessingError",
    "4000000000000341": "pm_card_chargeCustomerFail",
    "4000002500003155": "pm_card_authenticationRequiredOnSetup",
    "4000002760003184": "pm_card_authenticationRequired",
    "4000003800000446": "pm_card_authenticationRequiredSetupForOffSession",
    "4000008260003178": "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",
    "4000000000007726": "pm_card_pendingRefund",
    "4000000000005126": "pm_card_refundFail",
    "4000000000000259": "pm_card_createDispute",
    "4000000000001976": "pm_card_createDisputeInquiry",
}
ATTACH_ONLY_SAVES = {"pm_card_chargeCustomerFail"}
"""Declined as a saved card; a first payment with it goes through."""


def outcome(test_method: str, *, saved: bool, set_up: bool) -> Outcome:
    """Of a payment with `test_method`. On a page the customer is there to authenticate."""
    found = METHODS[test_method]
    if test_method in ATTACH_ONLY_SAVES and not saved:
        return Outcome()
    if found.sca == "until set up" and set_up:
        return found._replace(sca=None)
    return found
