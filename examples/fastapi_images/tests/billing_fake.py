"""A billing server for tests: one price, exact balances, on a port of its own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PRICE = Decimal("0.05")
SECRET = base64.b64encode(b"a secret that only tests know").decode()

Answer = tuple[int, dict[str, Any]]


class FakeBilling:
    """`balances` by user; an event costs PRICE, or its `units` times as much."""

    def __init__(self) -> None:
        self.url = ""
        self.down = False
        self.balances: dict[str, Decimal] = {}
        self.holds: dict[str, dict[str, Any]] = {}
        self.events: dict[str, dict[str, Any]] = {}
        self.lock = threading.Lock()

    def available(self, user: str) -> Decimal:
        own = [one for one in self.holds.values() if one["user"] == user]
        held = [one["cost"] for one in own if one["status"] == "authorized"]
        return self.balances[user] - sum(held, Decimal(0))

    def answer(self, path: str, body: dict[str, Any]) -> Answer:
        if self.down:
            return 503, {}
        _, noun, *rest = path.split("/")
        user = body.get("customer_external_id") or body.get("customer_id")
        if noun == "wallets":
            self.balances.setdefault(body["external_id"], Decimal(0))
            return 201, {}
        if noun == "authorizations" and not rest:
            return self.authorize(str(user), body)
        if noun == "authorizations":
            name, verb = rest
            return self.close(name, verb, body)
        if noun == "events":
            for event in body["events"]:
                self.bill(str(user), event)
                if event.get("authorization_id") in self.holds:
                    self.holds[event["authorization_id"]]["status"] = "captured"
            return 200, {}
        user = rest[0] if noun == "customers" else user
        if user not in self.balances:
            return 422, {"code": "unknown_reference", "detail": "no such customer"}
        if noun == "customers":
            available = float(self.available(user))
            account = {"asset": "USD", "available": available}
            return 200, {"accounts": [account]}
        return 201, {"redirect_url": f"{self.url}/pay/{user}"}

    def authorize(self, user: str, body: dict[str, Any]) -> Answer:
        if user not in self.balances:
            return 422, {"code": "unknown_reference", "detail": "no such customer"}
        if body["id"] in self.holds:
            return 200, {"metadata": self.holds[body["id"]]["metadata"]}
        missing = cost(body) - self.available(user)
        if missing > 0:
            said = {"code": "insufficient_balance", "missing": float(missing)}
            return 402, {**said, "available": float(self.available(user))}
        held = {"user": user, "cost": cost(body), "status": "authorized"}
        self.holds[body["id"]] = {**held, "metadata": body.get("metadata")}
        return 201, {"metadata": body.get("metadata")}

    def close(self, name: str, verb: str, body: dict[str, Any]) -> Answer:
        held = self.holds[name]
        if verb == "capture" and held["status"] == "authorized":
            self.bill(held["user"], body["event"])
        held["status"] = f"{verb}d"
        return 200, {}

    def bill(self, user: str, event: dict[str, Any]) -> None:
        if event["id"] not in self.events:
            self.events[event["id"]] = event
            self.balances[user] = self.balances.get(user, Decimal(0)) - cost(event)


def cost(event: dict[str, Any]) -> Decimal:
    return PRICE * int((event.get("data") or {}).get("units", 1))


def signed(body: bytes, age: int = 0) -> dict[str, str]:
    """The headers of a webhook, sent `age` seconds ago."""
    sent_at = str(int(time.time()) - age)
    text = f"evt_1.{sent_at}.".encode() + body
    code = hmac.new(base64.b64decode(SECRET), text, hashlib.sha256).digest()
    return {
        "webhook-id": "evt_1",
        "webhook-timestamp": sent_at,
        "webhook-signature": f"v1,{base64.b64encode(code).decode()}",
    }


@contextmanager
def fake_billing() -> Iterator[FakeBilling]:
    fake = FakeBilling()

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with fake.lock:
                status, said = fake.answer(self.path, json.loads(sent or b"{}"))
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = respond

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
