"""A load: so many clients, each sending its next request when the last is answered.

The generator is a process of its own: `wrk` where it is installed, else `benchmarks.client`.
"""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import environment
from benchmarks.world import API_KEY

GRACE_SECONDS = 60
WRK = shutil.which("wrk")


@dataclass(frozen=True)
class Load:
    """`kind` is one of `bodies.py`; `customers` is how many wallets it goes to (1: one hot one)."""

    kind: str
    clients: int
    customers: int
    tool: str = ""


@dataclass(frozen=True)
class Measured:
    rate: float
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    failed: int = 0


def send(load: Load, urls: Sequence[str], seconds: float) -> Measured:
    """Send `load` for `seconds`, divided evenly over `urls`. Failures are counted, never hidden."""
    share = Load(load.kind, load.clients // len(urls), load.customers, load.tool)
    started = [_start(share, url, seconds) for url in urls]
    found = [_result(process, seconds) for process in started]
    return Measured(
        rate=sum(one["requests"] / one["seconds"] for one in found),
        p50_ms=max(one["p50_ms"] for one in found),
        p99_ms=max(one["p99_ms"] for one in found),
        failed=sum(one["failed"] for one in found),
    )


def _start(load: Load, url: str, seconds: float) -> subprocess.Popen[str]:
    if WRK is None:
        command = [sys.executable, "-m", "benchmarks.client", url, str(seconds)]
        command += [json.dumps(asdict(load))]
    else:
        script = str(Path(__file__).with_name("wrk.lua"))
        # wrk counts whole seconds.
        command = [WRK, "-t1", f"-c{load.clients}", f"-d{max(1, round(seconds))}s", "-s", script]
        command += [url, "--", load.kind, str(load.customers), API_KEY]
        command += [str(secrets.randbits(30)), str(time.time_ns() // 1_000_000), load.tool or "-"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())


def _result(process: subprocess.Popen[str], seconds: float) -> dict[str, Any]:
    text, _ = process.communicate(timeout=seconds + GRACE_SECONDS)
    for line in text.splitlines():
        if line.startswith("JSON "):
            found: dict[str, Any] = json.loads(line.removeprefix("JSON "))
            return found
    raise RuntimeError(f"the load generator said no result: {text}")
