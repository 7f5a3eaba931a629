"""HTTP/1.1 by hand: 200 callers on 200 connections in one process, and still fast enough."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from credyt_mcp import exact_json
from tests.processes.harness import DEADLINE_SECONDS, KEY, Server


class Answer(NamedTuple):
    status: int
    body: Any


class Broken(Exception):
    """The connection ended before the answer came."""


class Line:
    """One connection; one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def post(self, path: str, body: dict[str, Any] | None = None) -> Answer:
        return await self.ask("POST", path, body)

    async def get(self, path: str) -> Answer:
        return await self.ask("GET", path)

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        """Raises Broken when there is no whole answer."""
        content = exact_json.dumps(body) if body is not None else b""
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: test\r\nx-credyt-api-key: {KEY}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        )
        try:
            self._writer.write(head.encode() + content)
            return await self._answer()
        except (asyncio.IncompleteReadError, OSError) as error:
            raise Broken from error

    async def _answer(self) -> Answer:
        head = await self._reader.readuntil(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        content = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(status.split(" ")[1]), exact_json.loads(content) if content else None)

    def close(self) -> None:
        self._writer.close()


@asynccontextmanager
async def lines(servers: Sequence[Server], count: int) -> AsyncIterator[list[Line]]:
    """So many open connections, spread over the servers."""
    opened = []
    try:
        for number in range(count):
            address = urlsplit(servers[number % len(servers)].url)
            opened.append(Line(*await asyncio.open_connection(address.hostname, address.port)))
        yield opened
    finally:
        for line in opened:
            line.close()


async def everywhere(
    servers: Sequence[Server],
    count: int,
    names: Sequence[str],
    ask: Callable[[Line, str], Awaitable[Answer]],
) -> dict[str, Answer]:
    """`count` connections ask for their share of `names`, one after another; all of them are open
    before the first begins."""
    answers: dict[str, Answer] = {}
    barrier = asyncio.Barrier(count)

    async def caller(number: int, line: Line) -> None:
        await barrier.wait()
        for name in names[number::count]:
            answers[name] = await ask(line, name)

    async with lines(servers, count) as opened:
        await asyncio.gather(*(caller(number, line) for number, line in enumerate(opened)))
    return answers


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again, with a breath between."""
    for _ in range(int(DEADLINE_SECONDS / 0.02)):
        if await reached():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came to that")
