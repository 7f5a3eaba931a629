"""Parts (a)-(f), (i) and (j): SQLite over HTTP, the floors under it, and a peer."""

from __future__ import annotations

import importlib.util
import sqlite3
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from functools import partial

from benchmarks.bench import Bench
from benchmarks.bodies import COSTED, customer_name
from benchmarks.holds import check_holds
from benchmarks.load import Measured
from benchmarks.processes import other, ours
from benchmarks.reader import read
from benchmarks.rounds import Contenders, Runs
from benchmarks.world import Sqlite, fold_wal

CLIENTS = (1, 32, 128)
BATCH, BATCH_CLIENTS, HOLD_CLIENTS = 100, 8, 50
PEER_EVENTS = 100_000
DAYS = 28
WALLET = "the wallet"
READS = {
    WALLET: "/customers/{customer}/wallet",
    "a customer's stats": "/customers/{customer}/stats",
    "all customers' stats of four weeks": "/customers/stats?period_from={first}",
    "a vendor's stats": "/vendors/{vendor}/stats",
    "margins by model of four weeks": "/analytics/profitability?group_by=model&from={first}",
    "margins by customer this month, by cost": "/analytics/profitability?from={month}",
    "margins by customer of four weeks": "/analytics/profitability?from={first}",
    "decisions of this month": "/analytics/decisions?from={month}",
    "a customer's end users of four weeks": (
        "/analytics/profitability?group_by=user_id&customer_id={customer}&from={first}"
    ),
}


def compare(bench: Bench, files: Sqlite) -> None:
    """(a)-(f) and (j), all in the same rounds."""
    floor_rows = files.copy("floor_rows")
    bench.helper("inprocess", "seed", floor_rows, 50_000, bench.customers)
    url = files.copy("sqlite")
    peers = _peers(bench)
    with ExitStack() as stack:
        noop = stack.enter_context(other("noop", bench.folder))
        one_commit = stack.enter_context(other("one-commit", bench.folder, files.copy("single")))
        [server] = stack.enter_context(ours(url, bench.folder))
        load = bench.load
        contenders: Contenders = {
            **{f"noop@{n}": load(noop, "event", n) for n in CLIENTS},
            f"noop@{HOLD_CLIENTS}": load(noop, "hold", HOLD_CLIENTS, 1),
            "one COMMIT an event@128": load(one_commit, "event", 128),
            **{f"spread@{n}": load(server, "event", n) for n in CLIENTS},
            **{f"hot@{n}": load(server, "event", n, 1) for n in CLIENTS},
            "with a cost@128": load(server, "costed", 128),
            "batches of 100": load(server, "batch", BATCH_CLIENTS),
            "bulk floor": lambda: _floor(bench, files),
            "holds": load(server, "hold", HOLD_CLIENTS, 1),
            **peers,
        }
        for name in ("noop@128", "spread@128", "one COMMIT an event@128"):
            bench.say(f"warming up {name}")
            contenders[name]()
        runs = bench.run("SQLite", contenders)
    bench.verify("SQLite", url)
    bench.report.facts["holds on SQLite"] = check_holds(url)
    _report(bench, runs, bool(peers))


def _report(bench: Bench, runs: Runs, peers: bool) -> None:
    report = bench.report
    for clients in CLIENTS:
        report.raw("a", f"no-op Starlette JSON POST, {clients} clients", runs, f"noop@{clients}")
    report.compare(
        "b",
        "one COMMIT an event, same HTTP stack, 128",
        runs,
        "one COMMIT an event@128",
        "noop@128",
    )
    for kind in ("spread", "hot"):
        for clients in CLIENTS:
            aim = 0.4 if (kind, clients) == ("spread", 128) else None
            what = f"POST /events, {kind}, {clients} clients"
            report.compare("c", what, runs, f"{kind}@{clients}", f"noop@{clients}", aim)
    single, hot = "spread@128", "hot@128"
    report.compare(
        "c", "POST /events, spread, 128 clients", runs, single, "one COMMIT an event@128", 5
    )
    report.compare("c", "POST /events, hot, 128 clients", runs, hot, single, 0.9)
    report.compare("c", "with one cost line, spread, 128", runs, "with a cost@128", "noop@128")
    batches = partial(report.compare, "d", "batches of 100, 8 clients", runs, "batches of 100")
    batches(single, 5, each=BATCH, note="events/s")
    batches("bulk floor", 0.4, each=BATCH, note="events/s")
    report.raw("f", "SQLite bulk floor: the same rows, executemany", runs, "bulk floor", "events/s")
    to = f"noop@{HOLD_CLIENTS}"
    what = "authorize + capture, one hot wallet, 50 clients"
    report.raw("a", "no-op, authorize and capture bodies, 50 clients", runs, to)
    report.compare("e", what, runs, "holds", to, note="SQLite, requests/s")
    report.compare("e", what, runs, "holds", to, 2, by="p99_ms", against=f"{to} p99", note="SQLite")
    if not peers:
        report.facts["mcp-billing"] = "not measured: the package is not installed"
        return
    for name in ("mcp-billing, empty", "mcp-billing, 100,000 events"):
        report.raw("j", f"{name}, one caller, check + record", runs, name)
        for ours_ in ("spread@1", single):
            report.compare("j", f"ours, {ours_}", runs, ours_, name)


def _floor(bench: Bench, files: Sqlite) -> Measured:
    files.copy("floor")
    try:
        return bench.alone("inprocess", "floor", files.path("floor_rows"), files.path("floor"))
    finally:
        for path in bench.folder.glob("floor.db*"):
            path.unlink()


def _peers(bench: Bench) -> Contenders:
    if importlib.util.find_spec("mcp_billing") is None:
        return {}
    contenders = {}
    for name, events in (("empty", 0), (f"{PEER_EVENTS:,} events", PEER_EVENTS)):
        path = bench.folder / f"peer{events}.db"
        bench.helper("peer", "seed", path, events)
        contenders[f"mcp-billing, {name}"] = partial(bench.alone, "peer", "run", path, 1)
    return contenders


def grow(bench: Bench, files: Sqlite) -> None:
    """(i) POST /events over a large store against an empty one, and what an event takes there."""
    url, empty = files.copy("million"), files.copy("empty")
    before = fold_wal(files.path("million"))
    bench.say(f"storing {bench.rows:,} events")
    seeded = bench.alone("inprocess", "seed", url, bench.rows, bench.customers, DAYS)
    bench.report.facts["seeding, events/s in process"] = round(seeded.rate)
    stored = (fold_wal(files.path("million")) - before) / bench.rows
    bench.report.facts["bytes stored per event, SQLite"] = round(stored)
    bench.report.facts["bytes by table, SQLite"] = _by_table(files, bench.rows)
    with ExitStack() as stack:
        [small] = stack.enter_context(ours(empty, bench.folder))
        [large] = stack.enter_context(ours(url, bench.folder))
        contenders = {
            "empty": bench.load(small, "event", 128),
            "grown": bench.load(large, "event", 128),
        }
        for contender in contenders.values():
            contender()
        runs = bench.run("growth", contenders)
        paths = {name: _path(path) for name, path in READS.items()}
        readers = {name: partial(read, large, path, bench.seconds) for name, path in paths.items()}
        reads = bench.run("reading", readers)
    for name in READS:
        what = f"GET {name} at {bench.rows:,} events, one reader"
        aim = None if name == WALLET else 10
        bench.report.compare("k", what, reads, name, WALLET, aim, by="p50_ms")
    what = f"POST /events at {bench.rows:,} stored, 128 clients"
    bench.report.compare("i", what, runs, "grown", "empty", 0.8)
    if bench.rows <= 100_000:
        bench.verify("the grown store", url)


def _path(template: str) -> str:
    today = datetime.now(UTC).date()
    days = {"first": today - timedelta(days=DAYS), "month": today.replace(day=1)}
    return template.format(customer=customer_name(1), vendor=COSTED, **days)


def _by_table(files: Sqlite, events: int) -> dict[str, int]:
    """Bytes per event by table and index, where SQLite was built to tell."""
    with closing(sqlite3.connect(files.path("million"))) as connection:
        try:
            rows = connection.execute(
                "SELECT name, SUM(pgsize) FROM dbstat GROUP BY name"
            ).fetchall()
        except sqlite3.OperationalError:
            return {}
    return {name: round(size / events) for name, size in rows if size > 2 * events}
