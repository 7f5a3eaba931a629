"""What every part of a run shares: the options, the folder, the progress line, and how to load."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.load import Load, Measured, send
from benchmarks.processes import environment
from benchmarks.report import Report
from benchmarks.rounds import Contenders, Runs, alternate

HELPER_SECONDS = 900


@dataclass(frozen=True)
class Bench:
    folder: Path
    report: Report
    console: Console
    seconds: float
    rounds: int
    customers: int
    rows: int

    def say(self, text: str) -> None:
        self.console.print(f"  {text}", highlight=False, style="dim")

    def run(self, part: str, contenders: Contenders) -> Runs:
        runs = alternate(contenders, self.rounds, lambda text: self.say(f"{part}, {text}"))
        self.report.runs[part] = runs
        return runs

    def load(
        self, urls: str | list[str], kind: str, clients: int, customers: int = 0, tool: str = ""
    ) -> Callable[[], Measured]:
        """A contender: `clients` over all wallets, or over so many as `customers` says."""
        load = Load(kind, clients, customers or self.customers, tool)
        listed = [urls] if isinstance(urls, str) else urls
        return lambda: send(load, listed, self.seconds)

    def helper(self, module: str, *arguments: object, url: str = "") -> Any:
        """What a module of benchmarks, run as a process of its own, found."""
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)],
            env=environment(url),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=HELPER_SECONDS,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{module} {arguments} failed: {done.stderr}")
        for line in done.stdout.splitlines():
            if line.startswith("JSON "):
                return json.loads(line.removeprefix("JSON "))
        return None

    def alone(self, module: str, *arguments: object) -> Measured:
        found = self.helper(module, *arguments)
        return Measured(rate=found["requests"] / found["seconds"])

    def verify(self, what: str, url: str) -> None:
        """The books must be exact after the load, or the figures are worth nothing."""
        self.say(f"verifying the books of {what}")
        done = subprocess.run(
            [sys.executable, "-m", "credyt_mcp", "ledger", "verify", "--json"],
            env=environment(url),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=HELPER_SECONDS,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"the books of {what} do not balance: {done.stdout}{done.stderr}")
        self.report.facts[f"books of {what}"] = {"ok": True, **json.loads(done.stdout)["checked"]}
