"""The load generator where `wrk` is missing: keep-alive sockets, hardly any parsing.

`python -m benchmarks.client URL SECONDS LOAD` prints one line, `JSON {…}`.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

from benchmarks import bodies
from benchmarks.load import Load
from benchmarks.world import API_KEY

Next = Callable[[], tuple[str, bytes]]


def holds(customers: int) -> Next:
    """A client of its own each: it authorizes, then captures what it authorized."""
    new_id, due = bodies.Ids(), list[str]()

    def following() -> tuple[str, bytes]:
        if due:
            return f"/authorizations/{due.pop()}/capture", bodies.capture(new_id())
        due.append(new_id())
        return "/authorizations", bodies.hold(due[0], bodies.customer_name(0))

    return following


class Connection(asyncio.Protocol):
    """Sends the next request as soon as the last one is answered in full."""

    def __init__(self, following: Next, head: bytes, times: list[float]) -> None:
        self._following, self._head, self._times = following, head, times
        self._received = b""
        self.failed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._received[:end].lower()
        _, found, length = head.partition(b"content-length: ")
        size = int(length.split(b"\r\n", 1)[0]) if found else 0
        if len(self._received) < end + 4 + size:
            return
        self._times.append(time.perf_counter() - self._sent)
        self.failed += self._received[9:10] != b"2"
        self._received = b""
        self._send()

    def close(self) -> None:
        self._transport.abort()

    def _send(self) -> None:
        path, body = self._following()
        request = b"POST %s HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n" % (
            path.encode(),
            self._head,
            len(body),
        )
        self._sent = time.perf_counter()
        self._transport.write(request + body)


async def run(url: str, seconds: float, load: Load) -> dict[str, float]:
    address, times = urlsplit(url), list[float]()
    shared = None
    if load.kind != "hold":
        shared = bodies.bodies(load.kind, load.customers, load.tool)
    head = "".join(f"{n}: {v}\r\n" for n, v in bodies.headers(API_KEY, load.tool).items())
    head = f"Host: {address.netloc}\r\n{head}"
    loop, connections = asyncio.get_running_loop(), []
    started = time.perf_counter()
    for _ in range(load.clients):
        following = shared or holds(load.customers)
        _, protocol = await loop.create_connection(
            lambda following=following: Connection(following, head.encode(), times),  # type: ignore[misc]
            address.hostname or "",
            address.port or 80,
        )
        connections.append(protocol)
    await asyncio.sleep(seconds)
    elapsed = time.perf_counter() - started
    for connection in connections:
        connection.close()
    times.sort()
    return {
        "requests": len(times),
        "seconds": elapsed,
        "p50_ms": statistics.median(times) * 1000,
        "p99_ms": times[int(len(times) * 0.99)] * 1000,
        "failed": sum(connection.failed for connection in connections),
    }


def main() -> None:
    url, seconds, load = sys.argv[1], float(sys.argv[2]), Load(**json.loads(sys.argv[3]))
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        print("JSON", json.dumps(runner.run(run(url, seconds, load))))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # Windows
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    main()
