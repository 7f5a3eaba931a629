"""Customers and the cards they have saved."""

from __future__ import annotations

from typing import Any

from stripe import params

from tests.fake_stripe.account import Account, Object, invalid, listed
from tests.fake_stripe.cards import METHODS, NUMBERS
from tests.fake_stripe.routes import route

IBANS = {"AT611904300234573201": "pm_sepaDebit", "IT60X0542811101000000123456": "pm_sepaDebit"}


@route("POST /v1/customers", params.CustomerCreateParams)
def create_customer(account: Account, form: dict[str, Any]) -> Object:
    return account.make("customer", "cus", **form)


@route("GET /v1/customers/{id}", params.CustomerRetrieveParams)
def get_customer(account: Account, _: dict[str, Any], customer: str) -> Object:
    return account.get(customer, "customer")


@route("GET /v1/customers/{id}/payment_methods", params.CustomerPaymentMethodListParams)
def list_methods(account: Account, form: dict[str, Any], customer: str) -> Object:
    account.get(customer, "customer")
    own = [one for one in account.of_kind("payment_method") if one["customer"] == customer]
    own = [one for one in own if one["type"] == form.get("type", one["type"])]
    return listed(own, form, f"/v1/customers/{customer}/payment_methods")


@route("POST /v1/payment_methods", params.PaymentMethodCreateParams)
def create_method(account: Account, form: dict[str, Any]) -> Object:
    card, iban = form.get("card", {}), form.get("sepa_debit", {}).get("iban")
    if "token" in card:
        test_method = f"pm_card_{card['token'].removeprefix('tok_')}"
    else:
        test_method = IBANS[iban] if iban else NUMBERS.get(card.get("number", ""), "")
    return made(account, test_method, billing_details=form.get("billing_details", {}))


@route("GET /v1/payment_methods/{id}", params.PaymentMethodRetrieveParams)
def get_method(account: Account, _: dict[str, Any], method: str) -> Object:
    return account.get(method, "payment_method")


@route("POST /v1/payment_methods/{id}/attach", params.PaymentMethodAttachParams)
def attach_method(account: Account, form: dict[str, Any], method: str) -> Object:
    return attached(account, of(account, method), form["customer"])


@route("POST /v1/payment_methods/{id}/detach", params.PaymentMethodDetachParams)
def detach_method(account: Account, _: dict[str, Any], method: str) -> Object:
    found = account.get(method, "payment_method")
    if found["customer"] is None:
        raise invalid("payment_method_unexpected_state")
    found["customer"], found["_gone"] = None, True
    account.tell("payment_method.detached", found)
    return found


def of(account: Account, method: str) -> Object:
    """A method by its id; each use of a test method's name makes a new one."""
    return made(account, method) if method in METHODS else account.get(method, "payment_method")


def made(account: Account, test_method: str, **more: Any) -> Object:
    if test_method not in METHODS:
        raise invalid("resource_missing", param="payment_method")
    number = {name: number for number, name in NUMBERS.items()}.get(test_method)
    kind = {"pm_usBankAccount": "us_bank_account", "pm_sepaDebit": "sepa_debit"}
    fields: dict[str, Any] = {"type": kind.get(test_method, "card"), "customer": None}
    if fields["type"] == "card":
        last4 = number[-4:] if number else "4242"
        fields["card"] = {"brand": "visa", "last4": last4, "exp_month": 12, "exp_year": 2034}
    return account.make(
        "payment_method", "pm", _test_method=test_method, _set_up=False, **fields, **more
    )


def attached(account: Account, method: Object, customer: str) -> Object:
    account.get(customer, "customer")
    if method.get("_gone"):
        raise invalid("payment_method_unexpected_state")
    if method["customer"] != customer:
        method["customer"] = customer
        account.tell("payment_method.attached", method)
    return method
