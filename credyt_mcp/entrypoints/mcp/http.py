"""Carries MCP over HTTP without a number losing digits, and knows whose call it is.

Plain tool calls are answered in front of the SDK (see `hot_calls`). The SDK reads and writes JSON
through doubles, so what it serves is marked on the way in and unmarked on the way out (see
`exact_json`).
"""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar

from mcp.server.transport_security import TransportSecuritySettings
from opentelemetry import trace
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from credyt_mcp import exact_json
from credyt_mcp.entrypoints.auth import authenticate
from credyt_mcp.entrypoints.mcp.hot_calls import HotCalls
from credyt_mcp.entrypoints.mcp.server import BillingServer
from credyt_mcp.entrypoints.rest.replies import problem, whole_body
from credyt_mcp.errors import CredytError
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.key_ring import KeyRing

_caller: ContextVar[Billing] = ContextVar("caller")


class McpOverHttp:
    """ASGI: authenticates, and hands a request to the SDK unless it is a plain tool call.

    Its `sessions.run()` must be entered before the first request.
    """

    def __init__(self, billing: Billing, keys: KeyRing) -> None:
        self._billing, self._keys = billing, keys
        server = BillingServer(_caller.get)
        # The key in each request admits it; a browser page on another site has none to send.
        self._sdk: ASGIApp = server.streamable_http_app(
            json_response=True,
            stateless_http=True,
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        self.sessions = server.session_manager
        # Where traces are collected the SDK serves every call, because it writes the spans.
        traced = not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
        self._hot = None if traced else HotCalls(server)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The first of a name counts.
        headers = {
            name.decode("latin-1"): text.decode("latin-1")
            for name, text in reversed(scope["headers"])
        }
        body = b""
        try:
            billing = await authenticate(self._keys, self._billing, headers)
            if scope["method"] == "POST":
                body = await whole_body(receive)
        except CredytError as error:
            await problem(error)(scope, receive, send)
            return
        repeated = len(headers) < len(scope["headers"])
        if self._hot and body and not repeated and (call := self._hot.parse(headers, body)):
            await (await self._hot.answer(billing, call))(scope, receive, send)
            return
        token = _caller.set(billing)
        try:
            exact = _exact_body(body, receive) if body else receive
            await self._sdk(scope, exact, _exact_answer(send))
        finally:
            _caller.reset(token)


def _exact_body(body: bytes, receive: Receive) -> Receive:
    """The body with its numbers marked; what is not JSON is left to the SDK's own error."""
    with suppress(ValueError, RecursionError):
        body = exact_json.dumps(exact_json.loads_marked(body))
    done = False

    async def exact() -> Message:
        nonlocal done
        if done:
            return await receive()
        done = True
        return {"type": "http.request", "body": body, "more_body": False}

    return exact


def _exact_answer(send: Send) -> Send:
    """Answers are JSON in one piece (json_response), so its length must be corrected as well."""
    started: Message | None = None

    async def exact(message: Message) -> None:
        nonlocal started
        if message["type"] == "http.response.start":
            started = message
            return
        if message["type"] != "http.response.body" or started is None:
            await send(message)
            return
        body = message.get("body", b"")
        if not message.get("more_body", False):
            body = exact_json.unmark_text(body.decode()).encode() if body else body
            started["headers"] = [
                (name, str(len(body)).encode() if name == b"content-length" else value)
                for name, value in started["headers"]
            ]
        await send(started)
        started = None
        await send({**message, "body": body})

    return exact
