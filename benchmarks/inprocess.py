"""What is measured without HTTP, each run in a process of its own: `python -m benchmarks.inprocess`

* `seed URL EVENTS CUSTOMERS [DAYS]` records events of the last days as fast as the lane's own
  statements go; with several days, one in ten brings a cost;
* `lane URL CLIENTS SECONDS CUSTOMERS` awaits the write lane, event by event;
* `floor SOURCE TARGET` inserts the rows of SOURCE's events into TARGET in one transaction.

Each prints one line, `JSON {…}`.
"""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import sys
import time
from contextlib import closing
from dataclasses import replace
from typing import Any

import uvloop

from benchmarks.bodies import COSTED, Ids, customer_name, event
from benchmarks.world import settings
from credyt_mcp.app import running
from credyt_mcp.clock import SystemClock, to_micros
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.domain.earnings import DAY
from credyt_mcp.domain.usage import RecordUsage, UsageEvent
from credyt_mcp.storage.book import BookStore
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.lane_connection import table_of
from credyt_mcp.storage.tables import VendorRow

TENANT = 1
EVENTS_A_COMMAND, COMMANDS_A_BATCH = 50, 40
FLOOR_EVENTS = 50_000
SHARE_COSTED = 0.1
VENDORS = table_of(VendorRow)


class Commands:
    """Makes commands like those that requests turn into."""

    def __init__(self, customers: int, days: int = 1, vendor: str = "") -> None:
        self._customers, self._days, self._new_id = customers, days, Ids()
        self._cost = {"vendor_id": vendor, "category": "inference", "currency": "USD"}

    def __call__(self, count: int = 1) -> RecordUsage:
        who = customer_name(random.randrange(self._customers))  # noqa: S311 - not a secret
        now = to_micros(SystemClock().now())
        events = []
        for _ in range(count):
            body = event(self._new_id())
            at = now - DAY * random.randrange(self._days)  # noqa: S311 - not a secret
            one = UsageEvent(body["id"], body["event_type"], at, data=body["data"])
            if self._days > 1:
                user, task = (str(random.randrange(most)) for most in (3, 10**6))  # noqa: S311
                one = replace(one, user_id=f"user {user}", subject=f"task {task}")
            if self._days > 1 and random.random() < SHARE_COSTED:  # noqa: S311 - not a secret
                one = replace(one, costs=[{**self._cost, "id": one.id, "amount": 1}])
            events.append(one)
        ref = CustomerRef(TENANT, None, who)
        return RecordUsage(ref, tuple(events), max_age=now, max_ahead=10**6)


def seed(url: str, events: int, customers: int, days: int = 1) -> dict[str, float]:
    database, done = Database(url), 0
    started = time.perf_counter()
    with closing(database), closing(database.lane_connection()) as connection:
        [vendor] = connection.find(VENDORS, ("tenant_id", "external_id"), [(TENANT, COSTED)])
        commands = Commands(customers, days, vendor["public_id"])
        store = BookStore(connection)
        while done < events:
            wanted = min(COMMANDS_A_BATCH, -(-(events - done) // EVENTS_A_COMMAND))
            batch = [commands(EVENTS_A_COMMAND) for _ in range(wanted)]
            connection.begin()
            book = store.load(batch, to_micros(SystemClock().now()))
            for command in batch:
                book.mark()
                command.decide(book)
            store.save(book)
            connection.commit()
            done += wanted * EVENTS_A_COMMAND
    return {"requests": done, "seconds": time.perf_counter() - started}


async def lane(url: str, clients: int, seconds: float, customers: int) -> dict[str, float]:
    commands, done = Commands(customers), 0
    async with running(settings(url)) as system:
        started = time.perf_counter()

        async def client() -> None:
            nonlocal done
            while time.perf_counter() - started < seconds:
                await system.billing.lane.submit(commands())
                done += 1

        await asyncio.gather(*(client() for _ in range(clients)))
        return {"requests": done, "seconds": time.perf_counter() - started}


def floor(source: str, target: str) -> dict[str, float]:
    rows: dict[str, list[Any]] = {}
    with closing(sqlite3.connect(source)) as connection:
        events = connection.execute("SELECT * FROM events LIMIT ?", (FLOOR_EVENTS,)).fetchall()
        last = events[-1][0]
        rows["events"] = events
        rows["ledger_entries"] = connection.execute(
            "SELECT e.* FROM ledger_entries e JOIN events v ON v.id = e.transaction_id"
            " WHERE v.id <= ?",
            (last,),
        ).fetchall()
    with closing(sqlite3.connect(target, isolation_level=None)) as connection:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=16000"):
            connection.execute(f"PRAGMA {pragma}")
        started = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        for table, found in rows.items():
            marks = ", ".join("?" * len(found[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", found)  # noqa: S608
        connection.execute("COMMIT")
        seconds = time.perf_counter() - started
    return {"requests": len(events), "seconds": seconds}


def main() -> None:
    what, *given = sys.argv[1:]
    if what == "seed":
        found = seed(given[0], *map(int, given[1:]))
    elif what == "lane":
        found = uvloop.run(lane(given[0], int(given[1]), float(given[2]), int(given[3])))
    else:
        found = floor(given[0], given[1])
    print("JSON", json.dumps(found))


if __name__ == "__main__":
    main()
