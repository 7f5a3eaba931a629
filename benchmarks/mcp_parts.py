"""Part (h): record_event over MCP against a tool that does nothing, on stdio and over HTTP."""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.bench import Bench
from benchmarks.load import Measured
from benchmarks.processes import other, ours
from benchmarks.rounds import Contenders, Runs
from benchmarks.stdio_client import IN_FLIGHT
from benchmarks.world import Sqlite


def compare(bench: Bench, files: Sqlite) -> None:
    url, stdio_url = files.copy("mcp"), files.copy("mcp_stdio")
    with ExitStack() as stack:
        [server] = stack.enter_context(ours(url, bench.folder))
        trivial = stack.enter_context(other("tool", bench.folder))
        contenders: Contenders = {
            f"{name}@{count}": bench.load(where, "mcp", count, tool=tool)
            for name, where, tool in (
                ("record_event", server, "record_event"),
                ("trivial", trivial, "trivial"),
            )
            for count in IN_FLIGHT
        }
        for contender in contenders.values():
            contender()
        runs = bench.run("MCP over HTTP", contenders)
    _report(bench, runs, "HTTP")
    _report(bench, _stdio(bench, stdio_url), "stdio")
    bench.verify("MCP over HTTP", url)
    bench.verify("MCP on stdio", stdio_url)


def _stdio(bench: Bench, url: str) -> Runs:
    """One start of each server a round, measured at each number in flight."""
    commands = {
        "record_event": ["credyt_mcp", "--no-http"],
        "trivial": ["benchmarks.servers", "tool-stdio"],
    }
    runs: Runs = {f"{name}@{count}": [] for name in commands for count in IN_FLIGHT}
    for number in range(bench.rounds):
        for name in commands if number % 2 == 0 else reversed(commands):
            bench.say(f"MCP on stdio, round {number + 1} of {bench.rounds}: {name}")
            found = bench.helper(
                "stdio_client",
                name,
                bench.seconds,
                bench.customers,
                *commands[name],
                url=url,
            )
            for count, one in found.items():
                rate = one["requests"] / one["seconds"]
                measured = Measured(rate, one["p50_ms"], one["p99_ms"], one["failed"])
                runs[f"{name}@{count}"].append(measured)
    bench.report.runs["MCP on stdio"] = runs
    return runs


def _report(bench: Bench, runs: Runs, transport: str) -> None:
    for count in IN_FLIGHT:
        bench.report.raw(
            "h", f"trivial tool, {transport}, {count} in flight", runs, f"trivial@{count}"
        )
        what = f"record_event, {transport}, {count} in flight"
        aim = 0.8 if count == max(IN_FLIGHT) else None
        bench.report.compare("h", what, runs, f"record_event@{count}", f"trivial@{count}", aim)
