"""A receiver of webhooks: a real HTTP server on loopback, which can go away and come back."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


@dataclass(frozen=True)
class Received:
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def data(self) -> dict[str, Any]:
        return self.event["data"]

    @property
    def topic(self) -> str:
        return self.event["type"]


@dataclass
class Receiver:
    """`status` is what it answers; `held` makes it wait before it does."""

    status: int = 200
    location: str | None = None
    received: list[Received] = field(default_factory=list)
    held: threading.Event | None = None
    port: int = 0
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?token=in-the-url"

    def start(self) -> Receiver:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append(Received(_lower(self.headers), body))
                if receiver.held is not None:
                    receiver.held.wait(20)
                self.send_response(receiver.status)
                if receiver.location is not None:
                    self.send_header("Location", receiver.location)
                self.end_headers()
                self.wfile.write(b"thank you")

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    async def has(self, count: int, seconds: float = 30) -> None:
        """Wait until that many webhooks have come."""
        async with asyncio.timeout(seconds):
            while len(self.received) < count:  # noqa: ASYNC110 - they come on another thread
                await asyncio.sleep(0.01)

    @property
    def topics(self) -> list[str]:
        return [one.topic for one in self.received]


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def verify(received: Received, secret: str) -> None:
    """As a receiver does it: with the library, and by the recipe of `Credyt-Signature`."""
    assert Webhook(secret).verify(received.body, received.headers) == received.event
    verify_credyt_signature(received, secret)
    assert received.headers["webhook-id"] == received.event["id"]


def verify_credyt_signature(received: Received, secret: str) -> None:
    parts = dict(part.split("=", 1) for part in received.headers["credyt-signature"].split(","))
    signed = parts["t"].encode() + b"." + received.body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(expected, parts["v0"])
