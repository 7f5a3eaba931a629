"""PaymentIntents: made, confirmed, declined, waiting for a bank or for the customer."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from stripe import params

from tests.fake_stripe.account import Account, Object, Refused, invalid
from tests.fake_stripe.cards import AUTHENTICATE, Outcome, outcome
from tests.fake_stripe.resources import customers
from tests.fake_stripe.routes import route

MINIMUM = 50
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
KEPT = (
    *("amount", "currency", "customer", "description"),
    *("setup_future_usage", "receipt_email", "application_fee_amount"),
)


@route("POST /v1/payment_intents", params.PaymentIntentCreateParams)
def create(account: Account, form: dict[str, Any]) -> Object:
    intent = new(account, form)
    return confirm(account, form, intent["id"]) if form.get("confirm") else intent


@route("GET /v1/payment_intents/{id}", params.PaymentIntentRetrieveParams)
def get(account: Account, _: dict[str, Any], intent: str) -> Object:
    return account.get(intent, "payment_intent")


@route("GET /v1/charges/{id}", params.ChargeRetrieveParams)
def get_charge(account: Account, _: dict[str, Any], charge: str) -> Object:
    return account.get(charge, "charge")


@route("POST /v1/payment_intents/{id}/confirm", params.PaymentIntentConfirmParams)
def confirm(account: Account, form: dict[str, Any], intent_id: str) -> Object:
    intent = account.get(intent_id, "payment_intent")
    if intent["status"] not in OPEN:
        raise invalid("payment_intent_unexpected_state", payment_intent=intent)
    if "payment_method" in form:
        intent["payment_method"] = customers.of(account, form["payment_method"])["id"]
    if intent["payment_method"] is None:
        raise invalid("payment_intent_unexpected_state", payment_intent=intent)
    return attempt(account, intent, away=bool(form.get("off_session")))


@route("POST /v1/payment_intents/{id}/cancel", params.PaymentIntentCancelParams)
def cancel(account: Account, form: dict[str, Any], intent_id: str) -> Object:
    intent = account.get(intent_id, "payment_intent")
    if intent["status"] not in OPEN:
        raise invalid("payment_intent_unexpected_state", payment_intent=intent)
    intent.update(status="canceled", cancellation_reason=form.get("cancellation_reason"))
    account.tell("payment_intent.canceled", intent)
    return intent


def new(account: Account, form: dict[str, Any]) -> Object:
    if form["amount"] < MINIMUM:
        raise invalid("amount_too_small", param="amount")
    if "application_fee_amount" in form and not account.connected:
        raise invalid("parameter_invalid", param="application_fee_amount")
    fields = {name: form.get(name) for name in KEPT}
    method = form.get("payment_method")
    if method is not None:
        method = customers.of(account, method)["id"]
    intent = account.make(
        "payment_intent",
        "pi",
        status="requires_payment_method" if method is None else "requires_confirmation",
        payment_method=method,
        metadata=form.get("metadata", {}),
        amount_received=0,
        last_payment_error=None,
        latest_charge=None,
        next_action=None,
        **fields,
    )
    account.tell("payment_intent.created", intent)
    return intent


def attempt(account: Account, intent: Object, *, away: bool) -> Object:
    """One try at the money, with the customer there or `away`. A decline is raised."""
    method = account.get(intent["payment_method"], "payment_method")
    found = outcome(
        method["_test_method"], saved=method["customer"] is not None, set_up=method["_set_up"]
    )
    if found.sca is not None and not away:
        action = {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
        intent.update(status="requires_action", next_action=action)
        account.tell("payment_intent.requires_action", intent)
        return intent
    return _settle(account, intent, found if found.sca is None else AUTHENTICATE)


def authenticated(account: Account, intent: Object) -> Object:
    """The customer has said yes to the bank."""
    method = account.get(intent["payment_method"], "payment_method")
    found = outcome(method["_test_method"], saved=False, set_up=True)
    return _settle(account, intent, found._replace(sca=None))


def finish(account: Account, intent: Object, result: str) -> None:
    """What the bank says days later: succeeded or failed."""
    intent = account.get(intent.get("payment_intent") or intent["id"], "payment_intent")
    later = (
        Outcome()
        if result == "succeeded"
        else Outcome("requires_payment_method", "payment_method_provider_decline")
    )
    with suppress(Refused):
        _settle(account, intent, later)
    for session in account.of_kind("checkout.session"):
        if session["payment_intent"] == intent["id"]:
            session["payment_status"] = "paid" if result == "succeeded" else "unpaid"
            account.tell(f"checkout.session.async_payment_{result}", session)


def _settle(account: Account, intent: Object, found: Outcome) -> Object:
    intent.update(status=found.status, next_action=None)
    if found.status == "requires_payment_method":
        error = {
            "type": "card_error",
            "code": found.code,
            "decline_code": found.decline_code,
            "advice_code": found.advice_code,
            "message": f"declined: {found.decline_code}",
        }
        intent.update(last_payment_error=error, payment_method=None)
        account.tell("payment_intent.payment_failed", intent)
        raise Refused(
            402,
            error["type"],
            found.code or "",
            payment_intent=intent,
            **{name: error[name] for name in ("decline_code", "advice_code")},
        )
    intent["last_payment_error"] = None
    if found.status == "processing":
        account.tell("payment_intent.processing", intent)
        return intent
    intent.update(amount_received=intent["amount"], latest_charge=_charge(account, intent)["id"])
    _remember(account, intent)
    account.tell("payment_intent.succeeded", intent)
    return intent


def _charge(account: Account, intent: Object) -> Object:
    """The money taken, and its line in the account's balance."""
    charge = account.make(
        "charge",
        "ch",
        **{
            name: intent[name]
            for name in ("amount", "currency", "customer", "metadata", "payment_method")
        },
        payment_intent=intent["id"],
        amount_captured=intent["amount"],
        amount_refunded=0,
        captured=True,
        paid=True,
        refunded=False,
        disputed=False,
        status="succeeded",
    )
    charge["balance_transaction"] = balance_transaction(
        account, charge["id"], "charge", charge["amount"], charge["currency"]
    )["id"]
    account.tell("charge.succeeded", charge)
    return charge


def balance_transaction(
    account: Account, source: str, kind: str, amount: int, currency: str
) -> Object:
    """Money that moved on the account: in, or (negative) out."""
    return account.make(
        "balance_transaction",
        "txn",
        type=kind,
        source=source,
        amount=amount,
        net=amount,
        fee=0,
        currency=currency,
        status="pending",
    )


def _remember(account: Account, intent: Object) -> None:
    if intent["setup_future_usage"] and intent["customer"]:
        method = account.get(intent["payment_method"], "payment_method")
        method["_set_up"] = True
        customers.attached(account, method, intent["customer"])
