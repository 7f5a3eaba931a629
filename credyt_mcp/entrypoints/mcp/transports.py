"""Carries MCP over stdio and HTTP without a number losing digits, and knows whose call it is.

The SDK reads and writes JSON through doubles; these wrappers mark what a double would change on its
way in, and unmark it on its way out (see `exact_json`).
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from contextvars import ContextVar
from io import TextIOWrapper
from typing import TextIO

import anyio
from mcp.server.stdio import stdio_server
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from credyt_mcp import exact_json
from credyt_mcp.entrypoints.auth import authenticate
from credyt_mcp.entrypoints.mcp.server import BillingServer
from credyt_mcp.entrypoints.rest.replies import problem
from credyt_mcp.errors import CredytError
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.key_ring import KeyRing

_caller: ContextVar[Billing] = ContextVar("caller")


class _ExactReader(TextIOWrapper):
    """Lines of the wire; only `readline` is used by an async file that is iterated."""

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        return exact_json.mark_text(super().readline(size))

    def __next__(self) -> str:  # type: ignore[override]
        line = self.readline()
        if not line:
            raise StopIteration
        return line


class _ExactWriter(TextIOWrapper):
    def write(self, text: str, /) -> int:
        return super().write(exact_json.unmark_text(text))


async def serve_stdio(billing: Billing) -> None:
    """Serve one client on stdin and stdout until it hangs up; stdout carries nothing else."""
    server = BillingServer(lambda: billing)
    stdin, stdout = _take_stdio()
    async with stdio_server(anyio.wrap_file(stdin), anyio.wrap_file(stdout)) as (reads, writes):
        lowlevel = server._lowlevel_server
        await lowlevel.run(reads, writes, lowlevel.create_initialization_options())


def _take_stdio() -> tuple[TextIO, TextIO]:
    """The protocol's streams; whatever else prints to stdout from now on goes to stderr."""
    wire_in, wire_out = os.dup(0), os.dup(1)
    with suppress(OSError):
        os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdout = sys.stderr
    reader = _ExactReader(os.fdopen(wire_in, "rb"), encoding="utf-8", errors="replace")
    return reader, _ExactWriter(os.fdopen(wire_out, "wb"), encoding="utf-8", newline="\n")


class ExactHttp:
    """ASGI wrapper of the SDK's HTTP application: authenticates, and keeps numbers exact."""

    def __init__(self, app: ASGIApp, billing: Billing, keys: KeyRing) -> None:
        self._app = app
        self._billing = billing
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            billing = await authenticate(self._keys, self._billing, request.headers)
        except CredytError as error:
            await problem(error)(scope, receive, send)
            return
        token = _caller.set(billing)
        try:
            await self._app(scope, _exact_body(receive), _exact_answer(send))
        finally:
            _caller.reset(token)


def http_server() -> BillingServer:
    """A server for `ExactHttp`, which says who calls."""
    return BillingServer(_caller.get)


def _exact_body(receive: Receive) -> Receive:
    """Quote in the whole body at once: a number may straddle two chunks."""
    done = False

    async def exact() -> Message:
        nonlocal done
        if done:
            return await receive()
        body = b""
        while not done:
            message = await receive()
            if message["type"] != "http.request":
                return message
            body += message.get("body", b"")
            done = not message.get("more_body", False)
        with suppress(UnicodeDecodeError):
            body = exact_json.mark_text(body.decode()).encode()
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
