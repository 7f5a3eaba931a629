"""The server: `python -m tests.fake_stripe`; prints its port. `/_control` breaks it on demand."""

from __future__ import annotations

import json
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import RLock
from typing import Any
from urllib.parse import urlsplit

from stripe import WebhookSignature

from tests.fake_stripe.account import Account, Refused
from tests.fake_stripe.forms import nested, unknown_parameter

ACCOUNTS: dict[str, Account] = defaultdict(Account)
LOCK = RLock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def log_message(self, *_: Any) -> None:
        return

    def _answer(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        url = urlsplit(self.path)
        account = ACCOUNTS[self._account_id()]
        account.connected = self.headers.get("Stripe-Account") or account.connected
        with LOCK:
            if url.path.startswith("/_control/"):
                return self._send(200, control(account, url.path, nested(body or url.query)))
            fault = account.faults.pop(0) if account.faults else None
            if fault == "drop_before":
                self.close_connection = True
                return None
            if fault in ("500", "429"):
                kind = "api_error" if fault == "500" else "rate_limit_error"
                return self._send(int(fault), {"error": {"type": kind, "message": "fault"}})
            form = nested(body or url.query)
            if self._refused(method, url.path):
                said = {"type": "invalid_request_error", "message": "not allowed"}
                return self._send(403, {"error": said})
            if (method, url.path) == ("GET", "/v1/account"):
                return self._send(200, {"id": self._account_id(), "object": "account"})
            status, answer = self._once(account, method, url.path, form)
            if fault == "drop_after":
                self.close_connection = True
                return None
            return self._send(status, answer)

    def _account_id(self) -> str:
        """The connected account that is named, else the key's own: what follows `_test_` up to a
        further `_`, so that one account can have several keys. One with `mute` in it may not ask
        whose it is, and `acct_other…` has not let anybody in."""
        connected = self.headers.get("Stripe-Account")
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        return connected or f"acct_{key.rpartition('_test_')[2].partition('_')[0]}"

    def _refused(self, method: str, path: str) -> bool:
        key, connected = self.headers.get("Authorization", ""), self.headers.get("Stripe-Account")
        asks_whose = (method, path) == ("GET", "/v1/account")
        return (asks_whose and "mute" in key) or (connected or "").startswith("acct_other")

    def _once(self, account: Account, method: str, path: str, form: Any) -> tuple[int, Any]:
        """Idempotency as documented: the first answer again, also an error; 400 on other
        parameters."""
        key = self.headers.get("Idempotency-Key") if method == "POST" else None
        if key and key in account.answers:
            asked, status, answer = account.answers[key]
            if asked != (path, form):
                said = {"type": "idempotency_error", "message": "other parameters"}
                return 400, {"error": said}
            return status, answer
        account.requests.append(f"{method} {path}")
        try:
            status, answer = 200, json.loads(json.dumps(route(account, method, path, form)))
        except Refused as refused:
            status, answer = refused.status, {"error": refused.error}
        if key:
            account.answers[key] = ((path, form), status, answer)
        return status, answer

    def _send(self, status: int, answer: Any) -> None:
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Request-Id", "req_fake")
        self.end_headers()
        self.wfile.write(text)


def route(account: Account, method: str, path: str, form: dict[str, Any]) -> Any:
    unknown = unknown_parameter(path, form) if method == "POST" else None
    if unknown:
        raise Refused(400, "invalid_request_error", "parameter_unknown", param=unknown)
    match (method, *path.strip("/").split("/")[1:]):
        case ("POST", "customers"):
            return account.make("customer", "cus", **form)
        case ("GET", "customers", customer, "payment_methods"):
            own = [
                one
                for one in account.objects.values()
                if one["object"] == "payment_method" and one["customer"] == customer
            ]
            return account.listed(own, form, path)
        case ("POST", "checkout", "sessions"):
            return account.create_session(form)
        case ("GET", "checkout", "sessions", found):
            session = dict(account.get(found))
            if session["payment_intent"] and form.get("expand"):
                session["payment_intent"] = account.get(session["payment_intent"])
            return session
        case ("POST", "checkout", "sessions", found, "expire"):
            return account.expire_session(account.get(found))
        case ("GET", "payment_pages", found):
            return account.get(found)
        case ("POST", "payment_pages", found, "confirm"):
            return account.confirm_page(account.get(found), form)
        case ("POST", "payment_intents"):
            return account.create_intent(form)
        case ("GET", "payment_intents", found):
            return account.get(found)
        case ("POST", "payment_intents", found, "confirm"):
            return account.confirm_intent(account.get(found))
        case ("GET", "events"):
            return account.listed(account.events, form, path)
    raise Refused(404, "invalid_request_error", "url_unknown")


def control(account: Account, path: str, form: dict[str, Any]) -> Any:
    if path == "/_control/faults":
        account.faults = [form["fault"]] * int(form["times"]) if form.get("fault") else []
        return {}
    if path == "/_control/debit":
        return account.finish_debit(account.get(form["session"]), form["outcome"])
    if path == "/_control/objects":
        return list(account.objects.values())
    if path == "/_control/change":
        account.get(form.pop("session")).update(form)
        return {}
    if path == "/_control/requests":
        return account.requests
    thin = form.get("thin") == "1"
    return [_signed(thinned(event) if thin else event, form["secret"]) for event in account.events]


def thinned(event: dict[str, Any]) -> dict[str, Any]:
    about = event["data"]["object"]
    related = {"id": about["id"], "type": about["object"], "url": f"/v1/x/{about['id']}"}
    kept = {name: event[name] for name in ("created", "livemode")}
    return {
        **kept,
        "id": f"{event['id']}_thin",
        "object": "v2.core.event",
        "type": f"v1.{event['type']}",
        "related_object": related,
        "context": event.get("account"),
    }


def _signed(event: dict[str, Any], secret: str) -> dict[str, str]:
    body = json.dumps(event)
    signature = WebhookSignature.generate_signature_header(body, secret)
    return {"body": body, "signature": signature}


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
