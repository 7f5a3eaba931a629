"""Refunds and disputes of charges, made by API, in the dashboard, or by a customer's bank."""

from __future__ import annotations

from typing import Any

from stripe import params

from tests.fake_stripe.account import Account, Object, invalid, listed
from tests.fake_stripe.resources.intents import balance_transaction
from tests.fake_stripe.routes import route

STARTS_AS = {"pm_card_pendingRefund": "pending"}
"""By the payment method that was charged; else a refund starts as succeeded."""


@route("POST /v1/refunds", params.RefundCreateParams)
def create(account: Account, form: dict[str, Any]) -> Object:
    charge = _charge(account, form)
    left = charge["amount"] - charge["amount_refunded"]
    amount = form.get("amount", left)
    if charge["disputed"]:
        raise invalid("charge_disputed")
    if not left:
        raise invalid("charge_already_refunded")
    if amount > left:
        raise invalid("amount_too_large", param="amount")
    method = account.get(charge["payment_method"], "payment_method")["_test_method"]
    refund = account.make(
        "refund",
        "re",
        amount=amount,
        currency=charge["currency"],
        charge=charge["id"],
        payment_intent=charge["payment_intent"],
        metadata=form.get("metadata", {}),
        reason=form.get("reason"),
        status=STARTS_AS.get(method, "succeeded"),
    )
    del refund["livemode"]  # the only object without
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    account.tell("refund.created", refund)
    account.tell("charge.refunded", charge)
    return refund


@route("GET /v1/refunds", params.RefundListParams)
def find(account: Account, form: dict[str, Any]) -> Object:
    return listed(_of_payment(account, "refund", form), form, "/v1/refunds")


@route("GET /v1/refunds/{id}", params.RefundRetrieveParams)
def get(account: Account, _: dict[str, Any], refund: str) -> Object:
    return account.get(refund, "refund")


@route("GET /v1/disputes", params.DisputeListParams)
def find_disputes(account: Account, form: dict[str, Any]) -> Object:
    return listed(_of_payment(account, "dispute", form), form, "/v1/disputes")


@route("GET /v1/disputes/{id}", params.DisputeRetrieveParams)
def get_dispute(account: Account, _: dict[str, Any], dispute: str) -> Object:
    return account.get(dispute, "dispute")


def finish(account: Account, refund: Object, status: str) -> None:
    """What a bank makes of a refund, even of one that had succeeded."""
    refund["status"] = status
    if status == "failed":
        refund["failure_reason"] = "lost_or_stolen_card"
        charge = account.get(refund["charge"])
        charge.update(amount_refunded=charge["amount_refunded"] - refund["amount"], refunded=False)
        account.tell("refund.failed", refund)
    account.tell("refund.updated", refund)


def dispute(account: Account, payment: Object, status: str) -> Object:
    """A customer's bank disputes a payment; an inquiry (`warning_…`) moves no money."""
    intent = account.get(payment.get("payment_intent") or payment["id"])
    charge = account.get(intent["latest_charge"])
    charge["disputed"] = True
    made = account.make(
        "dispute",
        "dp",
        amount=charge["amount"],
        currency=charge["currency"],
        charge=charge["id"],
        payment_intent=charge["payment_intent"],
        balance_transactions=[],
        evidence={},
        evidence_details={"has_evidence": False, "past_due": False, "submission_count": 0},
        is_charge_refundable=status.startswith("warning"),
        metadata={},
        reason="fraudulent",
        status=status,
    )
    account.tell("charge.dispute.created", made)
    return made


def decide(account: Account, disputed: Object, status: str) -> None:
    """The next status; `funds_withdrawn` and `funds_reinstated` move the money instead."""
    if status.startswith("funds"):
        sign = -1 if status == "funds_withdrawn" else 1
        amount = sign * disputed["amount"]
        moved = balance_transaction(
            account, disputed["id"], "adjustment", amount, disputed["currency"]
        )
        del (
            moved["livemode"],
            moved["source"],
        )  # the source would hold the dispute, and that all its movements
        disputed["balance_transactions"].append(moved)
        account.tell(f"charge.dispute.{status}", disputed)
        return
    disputed["status"] = status
    closed = status in ("won", "lost", "warning_closed")
    account.tell(f"charge.dispute.{'closed' if closed else 'updated'}", disputed)


def control(account: Account, what: str, form: dict[str, Any]) -> Any:
    about = account.get(form["id"])
    if what == "dispute":
        return {"id": dispute(account, about, form["status"])["id"]}
    act = finish if about["object"] == "refund" else decide
    act(account, about, form["status"])
    return {}


def _charge(account: Account, form: dict[str, Any]) -> Object:
    if "charge" in form:
        return account.get(form["charge"], "charge")
    intent = account.get(form["payment_intent"], "payment_intent")
    if intent["latest_charge"] is None:
        raise invalid("payment_intent_unexpected_state", payment_intent=intent)
    return account.get(intent["latest_charge"], "charge")


def _of_payment(account: Account, kind: str, form: dict[str, Any]) -> list[Object]:
    names = [name for name in ("payment_intent", "charge") if name in form]
    return [one for one in account.of_kind(kind) if all(one[name] == form[name] for name in names)]
