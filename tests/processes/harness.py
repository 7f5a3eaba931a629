"""Starts the real thing: server processes on a port, and MCP clients of a server on stdio."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from credyt_mcp import exact_json

KEY = "key_process_tests"
APPROVED, DECLINED = "4242 4242 4242 4242", "4000 0000 0000 0002"
DEADLINE_SECONDS = 60.0
INHERITED = ("PATH", "HOME", "TMPDIR", "PYTHONPATH")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(database_url: str, port: int) -> dict[str, str]:
    """The environment of a process of ours: nothing of the developer's own settings."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {
        **inherited,
        "CREDYT_DATABASE_URL": database_url,
        "CREDYT_API_KEY": KEY,
        "CREDYT_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "PYTHONFAULTHANDLER": "1",
    }


@dataclass(frozen=True)
class Server:
    """`credyt-mcp serve` as a process of its own."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def wait_until_healthy(self) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"the server ended: {self.log.read_text()}"
            try:
                if httpx.get(f"{self.url}/healthz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.02)  # the interval of the poll, not a guess at a duration
        raise AssertionError(f"the server is not healthy: {self.log.read_text()}")

    def stop(self) -> None:
        """Ask it to end, as a service manager does; it must not need to be killed."""
        self.process.terminate()
        assert self.process.wait(DEADLINE_SECONDS) in (0, -signal.SIGTERM), self.log.read_text()

    def kill(self) -> None:
        """kill -9: no chance to finish anything."""
        self.process.kill()
        self.process.wait(DEADLINE_SECONDS)

    def client(self, **more: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(**self._client(more))

    def sync_client(self, **more: Any) -> httpx.Client:
        return httpx.Client(**self._client(more))

    def _client(self, more: dict[str, Any]) -> dict[str, Any]:
        headers = {"X-CREDYT-API-KEY": KEY}
        return {"base_url": self.url, "headers": headers, "timeout": DEADLINE_SECONDS, **more}


def launch(database_url: str, folder: Path, *arguments: str) -> Server:
    """Start a server without waiting for it; the caller stops or kills it."""
    port = free_port()
    log = folder / f"server-{port}.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "credyt_mcp", "serve", "--port", str(port), *arguments],
            env=environment(database_url, port),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
        )
    return Server(f"http://127.0.0.1:{port}", process, log)


@contextmanager
def serving(
    database_url: str, folder: Path, *arguments: str, processes: int = 1
) -> Iterator[list[Server]]:
    """Healthy servers on one database, started at the same time and stopped afterwards."""
    servers = [launch(database_url, folder, *arguments) for _ in range(processes)]
    try:
        for server in servers:
            server.wait_until_healthy()
        yield servers
        for server in servers:
            server.stop()
    finally:
        for server in servers:
            if server.process.poll() is None:
                server.kill()


def run(database_url: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of the CLI, run to its end."""
    return subprocess.run(
        [sys.executable, "-m", "credyt_mcp", *arguments],
        env=environment(database_url, free_port()),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


def verify_by_command(database_url: str, folder: Path) -> None:
    """`ledger verify --json` must find nothing wrong."""
    done = run(database_url, folder, "ledger", "verify", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["ok"] and not report["problems"]


@dataclass(frozen=True)
class Agent:
    """An MCP client of a server on stdio, as a coding tool starts it."""

    client: Client
    url: str

    async def call(self, tool: str, **arguments: Any) -> Any:
        """The answer of a tool that must succeed, every digit kept."""
        text, failed = await self._call(tool, arguments)
        assert not failed, text
        return exact_json.loads(text)

    async def refused(self, tool: str, **arguments: Any) -> str:
        """What the model reads of a call that must fail."""
        text, failed = await self._call(tool, arguments)
        assert failed, text
        return text

    async def _call(self, tool: str, arguments: dict[str, Any]) -> tuple[str, bool]:
        result = await self.client.call_tool(tool, arguments)
        [block] = result.content
        assert block.type == "text"
        return block.text, bool(result.is_error)


@asynccontextmanager
async def agent(
    database_url: str, folder: Path, *arguments: str, mode: str = "auto", port: int = 0
) -> AsyncIterator[Agent]:
    """A client connected to `credyt-mcp` on stdio; it also serves HTTP on `agent.url`."""
    port = port or free_port()
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "credyt_mcp", *arguments],
        env=environment(database_url, port),
        cwd=folder,
    )
    with (folder / f"stdio-{port}.log").open("w") as log:
        async with Client(stdio_client(server, errlog=log), mode=mode) as client:
            yield Agent(client, f"http://127.0.0.1:{port}")
