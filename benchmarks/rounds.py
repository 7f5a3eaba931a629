"""Contenders side by side: each runs once a round, and every other round goes backwards.

Only figures of one round are divided by each other, since a machine's speed drifts.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from benchmarks.load import Measured

Contenders = Mapping[str, Callable[[], Measured]]
Runs = dict[str, list[Measured]]


class Spread(NamedTuple):
    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{figure(self.median)} ({figure(self.low)}-{figure(self.high)})"


def alternate(contenders: Contenders, rounds: int, progress: Callable[[str], None]) -> Runs:
    runs: Runs = {name: [] for name in contenders}
    for number in range(rounds):
        names = list(contenders)
        for name in names if number % 2 == 0 else reversed(names):
            progress(f"round {number + 1} of {rounds}: {name}")
            runs[name].append(contenders[name]())
    return runs


def spread(values: Iterable[float]) -> Spread:
    listed = sorted(values)
    return Spread(statistics.median(listed), listed[0], listed[-1])


def ratio(runs: Runs, of: str, to: str, field: str = "rate", times: float = 1) -> Spread:
    """Round by round, `field` of one contender over that of the other."""
    pairs = zip(runs[of], runs[to], strict=True)
    return spread(times * getattr(one, field) / getattr(two, field) for one, two in pairs)


def figure(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
