"""The server: who asks, in which version, what goes wrong on demand, and one answer for each key.

Faults: `drop_before`, `drop_after` (the connection, before or after acting), `500`, `429`, `403`
and so on (before acting), `500_after` (acted, but said to have failed), `500_kept` (not acted, and
the failure kept for the key), `slow:0.5` (seconds).
"""

from __future__ import annotations

import json
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import RLock, Thread
from typing import Any
from urllib.parse import urlsplit

import stripe

from tests.fake_stripe import control, resources, routes
from tests.fake_stripe.account import Account, Refused, invalid, public
from tests.fake_stripe.forms import nested
from tests.fake_stripe.idempotency import Kept

KINDS = {"429": "rate_limit_error", "500": "api_error", "503": "api_error"}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        resources.load()
        self.lock = RLock()
        self.accounts: dict[str, Account] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def start(self) -> None:
        Thread(target=self.serve_forever, daemon=True).start()

    def account(self, key: str, connected: str = "") -> Account:
        """The connected account that is named, else the key's own: what follows `_test_` up to a
        further `_`, so that one account can have several keys."""
        own = f"acct_{key.rpartition('_test_')[2].partition('_')[0]}"
        found = self.accounts.setdefault(connected or own, Account(connected or own))
        found.connected = found.connected or bool(connected)
        return found


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def log_message(self, *_: Any) -> None:
        return

    def _answer(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        url = urlsplit(self.path)
        form = nested(body or url.query)
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        account = self.server.account(key, self.headers.get("Stripe-Account", ""))
        if url.path.startswith("/_control/"):
            return self._send(200, control.perform(self.server.lock, account, url.path, form))
        request = f"{method} {url.path}"
        with self.server.lock:
            # Customers pay on the hosted page, whatever is wrong with the API.
            fault = "" if "/payment_pages/" in request else account.fault(request)
        if fault == "drop_before":
            return self._drop()
        if fault.isdigit():
            return self._send(int(fault), failure(fault))
        if not key.startswith(("sk_test_", "rk_test_")):
            return self._send(401, failure("401"))
        # A key with `mute` in it may not ask whose it is; `acct_other…` has let nobody in.
        if ("mute" in key and request == "GET /v1/account") or account.id.startswith("acct_other"):
            return self._send(403, failure("403"))
        status, answer = self._once(account, request, form, fault)
        return self._drop() if fault == "drop_after" else self._send(status, answer)

    def _once(self, account: Account, request: str, form: Any, fault: str) -> tuple[int, Any]:
        key = self.headers.get("Idempotency-Key", "") if request.startswith("POST") else ""
        asked = (request, form)
        with self.server.lock:
            known = account.keys.begin(key, asked, account.now()) if key else None
        if known is not None:
            self.replayed = True
            return known
        if fault.startswith("slow:"):
            time.sleep(float(fault.removeprefix("slow:")))
        kept = None
        with self.server.lock:
            account.requests.append(request)
            try:
                status, answer, began = self._act(account, request, form, fault)
                kept = Kept(asked, account.now(), status, answer) if began else None
            finally:
                account.keys.end(key, kept)
        return status, answer

    def _act(self, account: Account, request: str, form: Any, fault: str) -> tuple[int, Any, bool]:
        """Status, answer, and whether anything began: what is refused before leaves its key."""
        failed, _, when = fault.partition("_")
        if when == "kept":
            return int(failed), failure(failed), True
        try:
            version = self.headers.get("Stripe-Version")
            if version not in (None, stripe.api_version):
                raise invalid("api_version_unknown")
            found, ids = routes.find(request)
            read = routes.read(found, form, legacy=version is None)
        except Refused as refused:
            return refused.status, {"error": refused.error}, False
        try:
            answer = found.act(account, read, *ids)
            answer = public(routes.expanded(account, answer, read.get("expand", [])))
        except Refused as refused:
            return refused.status, {"error": public(refused.error)}, True
        except Exception:
            account.complaints.append(traceback.format_exc())
            return 500, failure("500"), True
        for one in answer["data"] if answer["object"] == "list" else [answer]:
            account.check(request, one)
        if when == "after" and failed.isdigit():
            return int(failed), failure(failed), True
        return 200, answer, True

    def _drop(self) -> None:
        self.close_connection = True

    def _send(self, status: int, answer: Any) -> None:
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Request-Id", "req_fake")
        if self.__dict__.pop("replayed", False):
            self.send_header("Idempotent-Replayed", "true")
        self.end_headers()
        self.wfile.write(text)


def failure(status: str) -> Any:
    kind = KINDS.get(status, "invalid_request_error")
    return {"error": {"type": kind, "message": f"fault {status}"}}
