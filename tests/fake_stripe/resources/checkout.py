"""Checkout Sessions, and their hosted page as Stripe's CLI and a customer use it."""

from __future__ import annotations

from typing import Any

from stripe import params

from tests.fake_stripe.account import Account, Object, invalid, listed
from tests.fake_stripe.resources import customers, intents
from tests.fake_stripe.routes import route

SHORTEST, LONGEST = 30 * 60, 24 * 60 * 60
SHOWN = ("mode", "success_url", "cancel_url", "client_reference_id", "customer", "customer_email")


@route("POST /v1/checkout/sessions", params.checkout.SessionCreateParams)
def create(account: Account, form: dict[str, Any]) -> Object:
    if "customer" in form:
        account.get(form["customer"], "customer")
    fields = {name: form.get(name) for name in SHOWN}
    amount, currency = None, form.get("currency")
    if form["mode"] == "payment":
        amount, currency = _total(account, form["line_items"])
        if amount < intents.MINIMUM:
            raise invalid("amount_too_small", param="line_items")
    taxed = form.get("automatic_tax", {}).get("enabled")
    ends = form.get("expires_at", account.now() + LONGEST)
    if not account.now() + SHORTEST - 10 <= ends <= account.now() + LONGEST + 10:
        raise invalid("parameter_invalid_integer", param="expires_at")
    session = account.make(
        "checkout.session",
        "cs_test",
        **fields,
        status="open",
        payment_status="unpaid" if form["mode"] == "payment" else "no_payment_required",
        amount_subtotal=amount,
        amount_total=amount * 6 // 5 if taxed else amount,
        invoice_creation=form.get("invoice_creation"),
        currency=currency,
        metadata=form.get("metadata", {}),
        payment_intent=None,
        setup_intent=None,
        expires_at=ends,
        _intent=form.get("payment_intent_data") or form.get("setup_intent_data") or {},
    )
    session["url"] = f"{account.pages_at}/c/pay/{session['id']}"
    return session


@route("GET /v1/checkout/sessions", params.checkout.SessionListParams)
def find(account: Account, form: dict[str, Any]) -> Object:
    return listed(account.of_kind("checkout.session"), form, "/v1/checkout/sessions")


@route("GET /v1/checkout/sessions/{id}", params.checkout.SessionRetrieveParams)
def get(account: Account, _: dict[str, Any], session_id: str) -> Object:
    session = account.get(session_id, "checkout.session")
    if session["status"] == "open" and session["expires_at"] <= account.now():
        _close(account, session)
    return session


@route("POST /v1/checkout/sessions/{id}/expire", params.checkout.SessionExpireParams)
def expire(account: Account, form: dict[str, Any], session_id: str) -> Object:
    session = get(account, form, session_id)
    if session["status"] != "open":
        raise invalid("session_not_open")
    return _close(account, session)


@route("GET /v1/payment_pages/{id}")
def look_at_page(account: Account, form: dict[str, Any], session_id: str) -> Object:
    return get(account, form, session_id)


@route("POST /v1/payment_pages/{id}/confirm")
def pay(account: Account, form: dict[str, Any], session_id: str) -> Object:
    """The customer pays. A decline leaves the page open, and so does a bank that asks back."""
    session = get(account, form, session_id)
    if session["status"] != "open":
        raise invalid("session_not_open")
    expected = int(form.get("expected_amount", session["amount_total"] or 0))
    if session["mode"] == "payment" and expected != session["amount_total"]:
        raise invalid("amount_mismatch")
    method = customers.of(account, form["payment_method"])
    if session["mode"] == "setup":
        return _save(account, session, method)
    intent = _intent(account, session)
    intent["payment_method"] = method["id"]
    return _after(account, session, intents.attempt(account, intent, away=False))


@route("POST /v1/payment_pages/{id}/authenticate")
def authenticate(account: Account, form: dict[str, Any], session_id: str) -> Object:
    """The customer answers their bank, which the page had sent them to."""
    session = get(account, form, session_id)
    intent = account.get(session["payment_intent"] or "", "payment_intent")
    if intent["status"] != "requires_action":
        raise invalid("payment_intent_unexpected_state")
    return _after(account, session, intents.authenticated(account, intent))


def _total(account: Account, lines: list[dict[str, Any]]) -> tuple[int, str]:
    prices = [
        account.get(line["price"], "price") if "price" in line else line["price_data"]
        for line in lines
    ]
    amount = sum(
        price["unit_amount"] * line.get("quantity", 1)
        for price, line in zip(prices, lines, strict=True)
    )
    return amount, prices[0]["currency"]


def _intent(account: Account, session: Object) -> Object:
    """Made when the customer pays, not before."""
    if session["payment_intent"] is None:
        asked = {**session["_intent"], "amount": session["amount_total"]}
        asked |= {name: session[name] for name in ("currency", "customer")}
        session["payment_intent"] = intents.new(account, asked)["id"]
    return account.get(session["payment_intent"])


def _after(account: Account, session: Object, intent: Object) -> Object:
    if intent["status"] in ("succeeded", "processing"):
        session.update(status="complete", url=None)
        session["payment_status"] = "paid" if intent["status"] == "succeeded" else "unpaid"
        account.tell("checkout.session.completed", session)
    return session


def _save(account: Account, session: Object, method: Object) -> Object:
    """A page that takes no money: the card is set up for later."""
    method["_set_up"] = True
    customers.attached(account, method, session["customer"])
    made = account.make(
        "setup_intent",
        "seti",
        status="succeeded",
        customer=session["customer"],
        payment_method=method["id"],
        usage="off_session",
        metadata=session["_intent"].get("metadata", {}),
    )
    session.update(status="complete", url=None, setup_intent=made["id"])
    account.tell("setup_intent.succeeded", made)
    account.tell("checkout.session.completed", session)
    return session


def _close(account: Account, session: Object) -> Object:
    session.update(status="expired", url=None)
    account.tell("checkout.session.expired", session)
    return session
