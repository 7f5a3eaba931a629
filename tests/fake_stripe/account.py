"""One Stripe account's state: customers, sessions, payments, events. One API key, one account."""

from __future__ import annotations

import itertools
import time
from typing import Any

DECLINES = {
    "pm_card_chargeCustomerFail": ("card_declined", "generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "pm_card_authenticationRequired": ("authentication_required", "authentication_required"),
}
DECLINED_ON_PAGE = {"pm_card_chargeDeclinedInsufficientFunds"}


class Refused(Exception):
    def __init__(self, status: int, kind: str, code: str, **more: Any) -> None:
        super().__init__(code)
        self.status = status
        self.error = {"type": kind, "code": code, "message": f"refused: {code}", **more}


class Account:
    def __init__(self) -> None:
        self.connected: str | None = None
        """Its id, where a platform acts for it: then its events name it."""
        self.objects: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.answers: dict[str, tuple[Any, int, Any]] = {}
        self.faults: list[str] = []
        self.requests: list[str] = []
        self._numbers = itertools.count(1)

    def get(self, object_id: str) -> dict[str, Any]:
        if object_id not in self.objects:
            raise Refused(404, "invalid_request_error", "resource_missing")
        return self.objects[object_id]

    def make(self, kind: str, prefix: str, **fields: Any) -> dict[str, Any]:
        made = {
            "id": f"{prefix}_{next(self._numbers)}",
            "object": kind,
            "created": int(time.time()),
            "livemode": False,
            **fields,
        }
        self.objects[made["id"]] = made
        return made

    def tell(self, kind: str, about: dict[str, Any]) -> None:
        of = {"account": self.connected} if self.connected else {}
        self.events.append(
            {
                **of,
                "id": f"evt_{next(self._numbers)}",
                "object": "event",
                "type": kind,
                "api_version": "2026-10-28.endive",
                "created": int(time.time()),
                "livemode": False,
                "pending_webhooks": 1,
                "request": None,
                "data": {"object": dict(about)},
            }
        )

    def create_session(self, form: dict[str, Any]) -> dict[str, Any]:
        price = form["line_items"]["0"]["price_data"]
        amount = int(price["unit_amount"]) * int(form["line_items"]["0"]["quantity"])
        if amount < 50:
            raise Refused(400, "invalid_request_error", "amount_too_small")
        now = int(time.time())
        ends = int(form.get("expires_at", now + 86400))
        if not now + 1790 <= ends <= now + 86410:
            raise Refused(400, "invalid_request_error", "parameter_invalid_integer")
        taxed = form.get("automatic_tax", {}).get("enabled") == "true"
        session = self.make(
            "checkout.session",
            "cs_test",
            status="open",
            payment_status="unpaid",
            mode=form["mode"],
            amount_subtotal=amount,
            amount_total=amount * 6 // 5 if taxed else amount,
            invoice_creation=form.get("invoice_creation"),
            currency=price["currency"],
            client_reference_id=form.get("client_reference_id"),
            metadata=form.get("metadata", {}),
            customer=form.get("customer"),
            payment_intent=None,
            expires_at=ends,
            success_url=form["success_url"],
        )
        session["url"] = f"https://checkout.stripe.com/c/pay/{session['id']}"
        session["_intent"] = form.get("payment_intent_data", {})
        return session

    def expire_session(self, session: dict[str, Any]) -> dict[str, Any]:
        if session["status"] != "open":
            raise Refused(400, "invalid_request_error", "session_not_open")
        session.update(status="expired", url=None)
        self.tell("checkout.session.expired", session)
        return session

    def confirm_page(self, session: dict[str, Any], form: dict[str, Any]) -> dict[str, Any]:
        """The customer pays on the hosted page."""
        method = form["payment_method"]
        if session["status"] != "open":
            raise Refused(400, "invalid_request_error", "session_not_open")
        if method in DECLINED_ON_PAGE:
            code, decline = DECLINES[method]
            raise Refused(402, "card_error", code, decline_code=decline)
        later = method == "pm_usBankAccount"
        intent = self.make(
            "payment_intent",
            "pi",
            status="processing" if later else "succeeded",
            amount=session["amount_total"],
            currency=session["currency"],
            metadata=session["_intent"].get("metadata", {}),
            customer=session["customer"],
            last_payment_error=None,
            application_fee_amount=session["_intent"].get("application_fee_amount"),
        )
        if session["_intent"].get("setup_future_usage") and session["customer"]:
            self.make("payment_method", method, type="card", customer=session["customer"])
        session.update(status="complete", url=None, payment_intent=intent["id"])
        session["payment_status"] = "unpaid" if later else "paid"
        self.tell("checkout.session.completed", session)
        if not later:
            self.tell("payment_intent.succeeded", intent)
        return session

    def finish_debit(self, session: dict[str, Any], outcome: str) -> dict[str, Any]:
        """What a bank debit came to, days later."""
        intent = self.objects[session["payment_intent"]]
        paid = outcome == "succeeded"
        intent["status"] = "succeeded" if paid else "requires_payment_method"
        session["payment_status"] = "paid" if paid else "unpaid"
        self.tell(f"checkout.session.async_payment_{outcome}", session)
        return session

    def create_intent(self, form: dict[str, Any]) -> dict[str, Any]:
        fields = {name: form.get(name) for name in ("currency", "customer", "payment_method")}
        return self.make(
            "payment_intent",
            "pi",
            status="requires_confirmation",
            amount=int(form["amount"]),
            metadata=form.get("metadata", {}),
            last_payment_error=None,
            **fields,
        )

    def confirm_intent(self, intent: dict[str, Any]) -> dict[str, Any]:
        if intent["status"] != "requires_confirmation":
            raise Refused(400, "invalid_request_error", "payment_intent_unexpected_state")
        card = intent["payment_method"].rpartition("_")[0]
        if card in DECLINES:
            code, decline = DECLINES[card]
            error = {"type": "card_error", "code": code, "decline_code": decline}
            intent.update(status="requires_payment_method", last_payment_error=error)
            raise Refused(402, "card_error", code, decline_code=decline)
        intent["status"] = "succeeded"
        self.tell("payment_intent.succeeded", intent)
        return intent

    def listed(self, found: list[dict[str, Any]], query: dict[str, Any], url: str) -> Any:
        """Newest first, by cursor."""
        found = found[::-1]
        after = query.get("starting_after")
        if after:
            found = found[[one["id"] for one in found].index(after) + 1 :]
        limit = int(query.get("limit", 10))
        page, more = found[:limit], len(found) > limit
        return {"object": "list", "url": url, "data": page, "has_more": more}
