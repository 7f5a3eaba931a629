"""Serves one MCP client on stdin and stdout; stdout carries nothing but the protocol.

The SDK's own transport goes to a thread for each line and twice for each answer, which costs more
than the call. Here each turn of a thread carries all that has come, or is due, by then. Numbers
stay exact (see `exact_json`).
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import suppress

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp.types import (
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    jsonrpc_message_adapter,
)

from credyt_mcp import exact_json
from credyt_mcp.entrypoints.mcp.server import BillingServer
from credyt_mcp.use_cases.context import Billing

log = logging.getLogger(__name__)

CHUNK = 2**16
LAST_ANSWERS_SECONDS = 10.0
"""How long calls may take that are under way when the client closes its end."""

Incoming = SessionMessage | Exception


async def serve_stdio(billing: Billing) -> None:
    """Serve until the client closes its end, then answer the calls that it made before."""
    server = BillingServer(lambda: billing)._lowlevel_server
    wire_in, wire_out = _take_stdio()
    to_server, from_client = anyio.create_memory_object_stream[Incoming]()
    to_client, from_server = anyio.create_memory_object_stream[SessionMessage]()
    under_way = _UnderWay()
    async with anyio.create_task_group() as transport:
        transport.start_soon(_read, wire_in, to_server, under_way)
        transport.start_soon(_write, wire_out, from_server, under_way)
        async with to_client:
            await server.run(from_client, to_client, server.create_initialization_options())


class _UnderWay:
    """The tool calls that came and have no answer yet."""

    def __init__(self) -> None:
        self._ids: set[int | str] = set()
        self._none = anyio.Event()

    def came(self, message: JSONRPCMessage) -> None:
        match message:
            case JSONRPCRequest(method="tools/call"):
                self._ids.add(message.id)
            case JSONRPCNotification(
                method="notifications/cancelled", params={"requestId": int() | str() as cancelled}
            ):
                self._ids.discard(cancelled)  # It will have no answer.

    def went(self, message: JSONRPCMessage) -> None:
        if isinstance(message, JSONRPCResponse | JSONRPCError) and message.id is not None:
            self._ids.discard(message.id)
            if not self._ids:
                self._none.set()

    async def wait_for_none(self) -> None:
        self._none = anyio.Event()
        if self._ids:
            await self._none.wait()


async def _read(wire: int, to_server: MemoryObjectSendStream[Incoming], calls: _UnderWay) -> None:
    async with to_server:
        async for line in _lines(wire):
            try:
                value = exact_json.loads_marked(line.decode(errors="replace"))
                message = jsonrpc_message_adapter.validate_python(value, by_name=False)
            except Exception as error:  # The SDK decides what becomes of what cannot be read.
                await to_server.send(error)
            else:
                calls.came(message)
                await to_server.send(SessionMessage(message))
        # At the end of input the SDK cancels what is under way.
        with anyio.move_on_after(LAST_ANSWERS_SECONDS):
            await calls.wait_for_none()


async def _lines(wire: int) -> AsyncIterator[bytes]:
    started: list[bytes] = []
    while chunk := await anyio.to_thread.run_sync(os.read, wire, CHUNK):
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            yield b"".join([*started, line])
            started.clear()
        started.append(rest)
    if last := b"".join(started):
        yield last


async def _write(
    wire: int, from_server: MemoryObjectReceiveStream[SessionMessage], calls: _UnderWay
) -> None:
    gone = False
    async with from_server:
        async for first in from_server:
            due = [first.message]
            with suppress(anyio.WouldBlock, anyio.EndOfStream):
                while True:
                    due.append(from_server.receive_nowait().message)
            if not gone:
                gone = not await anyio.to_thread.run_sync(_write_all, wire, due)
            for message in due:
                calls.went(message)


def _write_all(wire: int, messages: list[JSONRPCMessage]) -> bool:
    """Whether anybody reads."""
    text = "".join(
        message.model_dump_json(by_alias=True, exclude_unset=True) + "\n" for message in messages
    )
    rest = memoryview(exact_json.unmark_text(text).encode())
    try:
        while rest:
            rest = rest[os.write(wire, rest) :]
    except OSError as error:
        log.warning("the client does not read its answers any more: %s", error)
        return False
    return True


def _take_stdio() -> tuple[int, int]:
    """The protocol's descriptors; whatever else prints to stdout from now on goes to stderr."""
    wire_in, wire_out = os.dup(0), os.dup(1)
    with suppress(OSError):
        os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdout = sys.stderr
    return wire_in, wire_out
