"""Starts and stops the processes that are measured: our server, and those it is compared with."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.world import API_KEY

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0


def environment(database_url: str = "") -> dict[str, str]:
    """Nothing of the developer's own settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "CREDYT_DATABASE_URL": database_url,
        "CREDYT_API_KEY": API_KEY,
    }


@contextmanager
def ours(database_url: str, folder: Path, processes: int = 1) -> Iterator[list[str]]:
    """`credyt-mcp serve` processes on one database; answers their URLs."""
    with _servers(["credyt_mcp", "serve"], database_url, folder, processes) as urls:
        yield urls


@contextmanager
def other(name: str, folder: Path, database_url: str = "") -> Iterator[str]:
    """A server of `benchmarks.servers`; answers its URL."""
    with _servers(["benchmarks.servers", name], database_url, folder, 1) as [url]:
        yield url


@contextmanager
def _servers(command: list[str], url: str, folder: Path, count: int) -> Iterator[list[str]]:
    ports = [_free_port() for _ in range(count)]
    running = []
    try:
        for port in ports:
            with (folder / f"server-{port}.log").open("wb") as log:
                running.append(
                    subprocess.Popen(
                        [sys.executable, "-m", *command, "--port", str(port)],
                        env=environment(url),
                        cwd=folder,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                    )
                )
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        for one, process, port in zip(urls, running, ports, strict=True):
            _wait(one, process, folder / f"server-{port}.log")
        yield urls
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait(START_SECONDS)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            httpx.get(f"{url}/healthz")
            return
        except httpx.TransportError:
            time.sleep(0.02)  # the interval of the poll
    raise RuntimeError(f"a server did not start: {log.read_text()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
