"""Calls a tool over stdio with so many calls in flight: the load generator for MCP on stdio.

`python -m benchmarks.stdio_client TOOL SECONDS CUSTOMERS MODULE ARGUMENTS…` starts `python -m
MODULE ARGUMENTS…` and prints one line, `JSON {…}`, by the number in flight.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
from typing import IO, Any

from benchmarks import bodies

IN_FLIGHT = (1, 16)
WARM_UP = 50


def measure(
    writes: IO[bytes], reads: IO[bytes], in_flight: int, seconds: float, line: Any
) -> dict[str, float]:
    sent: dict[int, float] = {}
    times: list[float] = []
    failed = number = 0

    def send() -> None:
        nonlocal number
        number += 1
        sent[number] = time.perf_counter()
        writes.write(line(number))
        writes.flush()

    started = time.perf_counter()
    for _ in range(in_flight):
        send()
    while sent:
        answer = json.loads(reads.readline())
        if answer.get("id") not in sent:
            continue
        times.append(time.perf_counter() - sent.pop(answer["id"]))
        failed += "result" not in answer or bool(answer["result"].get("isError"))
        if time.perf_counter() - started < seconds:
            send()
    elapsed = time.perf_counter() - started
    times.sort()
    return {
        "requests": len(times),
        "seconds": elapsed,
        "p50_ms": statistics.median(times) * 1000,
        "p99_ms": times[int(len(times) * 0.99)] * 1000,
        "failed": failed,
    }


def main() -> None:
    tool, seconds, customers, *command = sys.argv[1:]
    new_id = bodies.Ids()

    def line(number: int) -> bytes:
        who = bodies.customer_name(random.randrange(int(customers)))  # noqa: S311 - not a secret
        arguments = {**bodies.event(new_id()), "customer_id": who}
        return json.dumps(bodies.call(number, tool, arguments)).encode() + b"\n"

    with subprocess.Popen(
        [sys.executable, "-m", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        pipes = server.stdin, server.stdout
        measure(*pipes, 1, 0.3, line)
        found = {count: measure(*pipes, count, float(seconds), line) for count in IN_FLIGHT}
        server.stdin.close()
    print("JSON", json.dumps(found))


if __name__ == "__main__":
    main()
