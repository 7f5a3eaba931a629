"""`python -m benchmarks` (make bench): every part side by side, one table, one JSON file."""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import machine, mcp_parts, postgres_parts, sqlite_parts
from benchmarks.bench import Bench
from benchmarks.load import WRK
from benchmarks.report import Report
from benchmarks.world import Sqlite
from credyt_mcp import exact_json

PARTS = ("sqlite", "postgres", "mcp", "growth")
RESULTS = Path(__file__).with_name("results")


def main(
    rows: Annotated[int, typer.Option(help="Events stored before (i) is measured.")] = 1_000_000,
    customers: Annotated[int, typer.Option(help="Wallets that a spread load goes to.")] = 10_000,
    seconds: Annotated[float, typer.Option(help="How long each contender runs a round.")] = 2,
    rounds: Annotated[int, typer.Option(help="How many rounds; the order alternates.")] = 3,
    only: Annotated[list[str] | None, typer.Option(help=f"Parts: {', '.join(PARTS)}.")] = None,
    json: Annotated[Path | None, typer.Option(help="Where to write the JSON.")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where the databases go; on the disk to be measured.")
    ] = None,
) -> None:
    """Run the benchmarks."""
    console, started = Console(), time.monotonic()
    progress = Console(stderr=True)
    unknown = set(only or ()) - set(PARTS)
    if unknown:
        raise typer.BadParameter(f"not a part: {', '.join(sorted(unknown))}", param_hint="--only")
    options = {
        "rows": rows,
        "customers": customers,
        "seconds": seconds,
        "rounds": rounds,
        "load generator": "wrk" if WRK else "benchmarks.client",
    }
    report = Report(machine.facts(), options)
    with tempfile.TemporaryDirectory(dir=folder, prefix="bench-") as place:
        bench = Bench(Path(place), report, progress, seconds, rounds, customers, rows)
        _run(bench, only or list(PARTS))
    report.facts["took, seconds"] = round(time.monotonic() - started)
    report.show(console if console.is_terminal else Console(width=150))
    RESULTS.mkdir(exist_ok=True)
    path = json or RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}.json"
    path.write_bytes(exact_json.dumps(report.as_json()))
    console.print(f"Written to {path}", highlight=False)


def _run(bench: Bench, parts: list[str]) -> None:
    probes = bench.report.probes
    probes["fdatasync of 4 KiB before"] = machine.probe_sync(bench.folder)
    bench.say(f"preparing {bench.customers:,} wallets")
    files = Sqlite(bench.folder, bench.customers)
    if "sqlite" in parts:
        sqlite_parts.compare(bench, files)
        probes["fdatasync after SQLite"] = machine.probe_sync(bench.folder)
    if "postgres" in parts:
        postgres_parts.compare(bench)
        probes["fdatasync after Postgres"] = machine.probe_sync(bench.folder)
    if "mcp" in parts:
        mcp_parts.compare(bench, files)
    if "growth" in parts:
        sqlite_parts.grow(bench, files)
    probes["fdatasync of 4 KiB after"] = machine.probe_sync(bench.folder)


if __name__ == "__main__":
    sys.argv[0] = "python -m benchmarks"
    typer.run(main)
