"""Serves one MCP client on stdin and stdout; stdout carries nothing but the protocol.

The SDK's own transport hops to a thread for each line and twice for each answer, which costs more
than the call; here a hop carries all that has come, or is due, meanwhile. Numbers stay exact (see
`exact_json`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import suppress

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp.types import jsonrpc_message_adapter

from credyt_mcp import exact_json
from credyt_mcp.entrypoints.mcp.server import BillingServer
from credyt_mcp.use_cases.context import Billing

CHUNK = 2**16

Incoming = SessionMessage | Exception


async def serve_stdio(billing: Billing) -> None:
    """Serve until the client hangs up."""
    server = BillingServer(lambda: billing)._lowlevel_server
    wire_in, wire_out = _take_stdio()
    to_server, from_client = anyio.create_memory_object_stream[Incoming](0)
    to_client, from_server = anyio.create_memory_object_stream[SessionMessage](0)
    async with anyio.create_task_group() as transport:
        transport.start_soon(_read, wire_in, to_server)
        transport.start_soon(_write, wire_out, from_server)
        await server.run(from_client, to_client, server.create_initialization_options())


async def _read(wire: int, to_server: MemoryObjectSendStream[Incoming]) -> None:
    async with to_server:
        async for line in _lines(wire):
            try:
                message = jsonrpc_message_adapter.validate_python(
                    exact_json.loads_marked(line), by_name=False
                )
            except Exception as error:  # The SDK answers what cannot be read.
                await to_server.send(error)
            else:
                await to_server.send(SessionMessage(message))


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


async def _write(wire: int, from_server: MemoryObjectReceiveStream[SessionMessage]) -> None:
    async with from_server:
        async for message in from_server:
            due = [_line(message)]
            with suppress(anyio.WouldBlock, anyio.EndOfStream):
                while True:
                    due.append(_line(from_server.receive_nowait()))
            await anyio.to_thread.run_sync(_write_all, wire, b"".join(due))


def _line(message: SessionMessage) -> bytes:
    text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
    return exact_json.unmark_text(text).encode() + b"\n"


def _write_all(wire: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(wire, rest) :]


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
