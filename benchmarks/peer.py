"""The PyPI package mcp-billing, checking and recording, one caller: `python -m benchmarks.peer`.

`seed PATH EVENTS` makes its file with that many events of one key; `run PATH SECONDS` prints one
line, `JSON {…}`. It keeps costs as floats, knows no repeats and has no ledger.
"""

from __future__ import annotations

import importlib
import json
import sqlite3
import sys
import time
from contextlib import closing
from typing import Any

KEY, TOOL = "key", "tool"


def guard(path: str) -> Any:
    """With limits, so that it checks them, but none that would stop it."""
    package = importlib.import_module("mcp_billing")
    tier = package.PricingTier(
        name="bench", rate_limit=10**9, monthly_cap=10**9, cost_per_call=0.001
    )
    return package.BillingGuard(path, tiers=[tier])


def seed(path: str, events: int) -> None:
    made = guard(path)
    made.register_key(KEY, "bench")
    made.close()
    now = time.time()
    rows = [(KEY, TOOL, 0.001, "{}", now - 120) for _ in range(events)]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            "INSERT INTO usage_log (api_key, tool_name, cost, metadata, timestamp)"
            " VALUES (?, ?, ?, ?, ?)",
            rows,
        )


def run(path: str, seconds: float) -> dict[str, float]:
    made, done = guard(path), 0
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        assert made.check_access(KEY, TOOL).allowed
        made.record_usage(KEY, TOOL)
        done += 1
    return {"requests": done, "seconds": time.perf_counter() - started}


if __name__ == "__main__":
    if sys.argv[1] == "seed":
        seed(sys.argv[2], int(sys.argv[3]))
    else:
        print("JSON", json.dumps(run(sys.argv[2], float(sys.argv[3]))))
