"""What the figures were taken on: facts of the machine, and how fast its disk syncs right now."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

PROBE_WRITES = 200


def facts() -> dict[str, Any]:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607 - whichever git there is
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "uvicorn": version("uvicorn"),
        "starlette": version("starlette"),
        "mcp": version("mcp"),
        "commit": commit.stdout.strip() or None,
        "load_average": [round(load, 1) for load in os.getloadavg()],
    }


def probe_sync(folder: Path) -> dict[str, float]:
    """Milliseconds of `fdatasync` after 4 KiB: the floor of any durable answer."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(PROBE_WRITES):
            os.pwrite(file.fileno(), b"x" * 4096, file.tell())
            file.seek(4096, os.SEEK_CUR)
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - started) * 1000)
    times.sort()
    return {
        "p50_ms": round(statistics.median(times), 3),
        "p99_ms": round(times[int(len(times) * 0.99)], 3),
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
