"""The table that a run prints, and the JSON that it writes. Figures only come in; none are made."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.rounds import Runs, Spread, figure, ratio, spread


@dataclass(frozen=True)
class Row:
    """One line: how one contender compares with another, and the raw figures behind it."""

    part: str
    what: str
    against: str = ""
    ratio: Spread | None = None
    aim: float | None = None
    at_most: bool = False
    rate: Spread | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    failed: int = 0
    note: str = ""

    @property
    def met(self) -> bool | None:
        if self.ratio is None or self.aim is None:
            return None
        reached = self.ratio.median
        return reached <= self.aim if self.at_most else reached >= self.aim


@dataclass
class Report:
    """Everything a run found."""

    machine: dict[str, Any]
    options: dict[str, Any]
    probes: dict[str, dict[str, float]] = field(default_factory=dict)
    runs: dict[str, Runs] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def raw(
        self, part: str, what: str, runs: Runs, name: str, note: str = "", each: int = 1
    ) -> Row:
        """A line with figures alone; `each` events a request."""
        row = Row(part, what, note=note, **_figures(runs, name, each))
        self.rows.append(row)
        return row

    def compare(
        self,
        part: str,
        what: str,
        runs: Runs,
        of: str,
        to: str,
        aim: float | None = None,
        *,
        against: str = "",
        by: str = "rate",
        each: int = 1,
        note: str = "",
    ) -> None:
        """A line with a ratio: rates ask for at least the aim, latencies for at most."""
        found = ratio(runs, of, to, by, each)
        figures = _figures(runs, of, each)
        at_most = by != "rate"
        row = Row(part, what, against or to, found, aim, at_most, note=note, **figures)
        self.rows.append(row)

    def as_json(self) -> dict[str, Any]:
        rows = [{**asdict(row), "met": row.met} for row in self.rows]
        runs = {
            part: {name: [asdict(one) for one in measured] for name, measured in found.items()}
            for part, found in self.runs.items()
        }
        return {
            "machine": self.machine,
            "options": self.options,
            "fdatasync": self.probes,
            "rows": rows,
            "facts": self.facts,
            "runs": runs,
        }

    def show(self, console: Console) -> None:
        table = Table(
            title="Ratios of one run: median (min-max) of the rounds", title_justify="left"
        )
        for name in ("", "what", "against", "ratio", "aim", "", "per second", "p50 ms", "p99 ms"):
            table.add_column(name, justify="left" if name in ("what", "against") else "right")
        for row in self.rows:
            table.add_row(*_cells(row))
        console.print(table)
        for name, value in self.machine.items():
            console.print(f"{name}: {value}", highlight=False)
        for name, value in {**self.probes, **self.facts}.items():
            console.print(f"{name}: {value}", highlight=False)


def _figures(runs: Runs, name: str, each: int) -> dict[str, Any]:
    found = runs[name]
    failed = sum(one.failed for one in found)
    p50, p99 = spread(one.p50_ms for one in found), spread(one.p99_ms for one in found)
    figures: dict[str, Any] = {"rate": spread(one.rate * each for one in found)}
    if p50.median:
        figures |= {"p50_ms": p50.median, "p99_ms": p99.median}
    if failed:
        figures["failed"] = failed
    return figures


def _cells(row: Row) -> list[str]:
    mark = {True: "✓", False: "✗", None: ""}[row.met]
    aim = "" if row.aim is None else f"{'≤' if row.at_most else '≥'} {row.aim:g}"
    what = row.what if not row.note else f"{row.what} ({row.note})"
    return [
        row.part,
        f"{what} [red]{row.failed} FAILED[/red]" if row.failed else what,
        row.against,
        "" if row.ratio is None else str(row.ratio),
        aim,
        mark,
        "" if row.rate is None else str(row.rate),
        "" if row.p50_ms is None else figure(row.p50_ms),
        "" if row.p99_ms is None else figure(row.p99_ms),
    ]
