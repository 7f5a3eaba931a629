"""MCP on the wire itself: clean stdout, exact numbers, HTTP beside stdio, exit on end of input."""

from __future__ import annotations

import itertools
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.processes.harness import (
    APPROVED,
    DEADLINE_SECONDS,
    KEY,
    Server,
    agent,
    environment,
    free_port,
)
from tests.samples import unit_price

EXACT = "12345678.123456789"
"""A double would make it 12345678.12345679."""
LEGACY, MODERN = "2025-06-18", "2026-07-28"
CLIENT = {"name": "raw", "version": "1"}
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}
Unique = Callable[[str], str]


def request(number: int, method: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


class RawStdio:
    """A server on stdio and the lines that go over its pipes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.seen: list[str] = []
        self._numbers = itertools.count(1)

    def send(self, message: dict[str, Any] | str) -> None:
        line = message if isinstance(message, str) else json.dumps(message)
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, method: str, params: dict[str, Any], **inserted: str) -> str:
        """Send a request and return the line that answers it. `inserted` texts replace their names
        in quotes, so that a number is written digit by digit."""
        number = next(self._numbers)
        line = json.dumps(request(number, method, params))
        for name, text in inserted.items():
            line = line.replace(f'"{name}"', text)
        self.send(line)
        assert self.process.stdout is not None
        while answer := self.process.stdout.readline():
            self.seen.append(answer)
            if json.loads(answer).get("id") == number:
                return answer
        raise AssertionError("the server hung up")

    def initialize(self) -> None:
        self.ask(
            "initialize",
            {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": CLIENT},
        )
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})


@contextmanager
def raw_stdio(database_url: str, folder: Path, *arguments: str) -> Iterator[RawStdio]:
    with (
        (folder / "raw-stdio.log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-m", "credyt_mcp", *arguments],
            env=environment(database_url, free_port()),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            yield RawStdio(process)
        finally:
            process.kill()


@pytest.mark.parametrize("modern", [False, True], ids=["legacy", "modern"])
def test_stdio_keeps_every_digit_and_stdout_is_only_the_protocol(
    modern: bool, database_url: str, tmp_path: Path
) -> None:
    meta = {"_meta": META} if modern else {}
    with raw_stdio(database_url, tmp_path, "--no-http") as wire:
        if not modern:
            wire.initialize()

        def call(tool: str, arguments: dict[str, Any], **inserted: str) -> str:
            return wire.ask(
                "tools/call", {"name": tool, "arguments": arguments, **meta}, **inserted
            )

        credit = {"asset": "USD", "amount": "AMOUNT"}
        wallet = {"external_id": "jane", "starting_credit": credit}
        made = call("create_wallet", wallet, AMOUNT=EXACT)
        read = call("get_wallet", {"customer_id": "jane"})
        for line in (made, read):
            # Once as a raw number in structuredContent, once inside the text.
            assert line.count(f":{EXACT}") == 2, line
        call("get_event", {"event_id": "none"})
        wire.ask("no/such/method", meta)
        wire.send("this is not JSON")
        read = call("get_wallet", {"customer_id": "jane"})
        assert EXACT in read
        assert wire.process.stdin is not None
        assert wire.process.stdout is not None
        wire.process.stdin.close()  # end of input ends the server
        assert wire.process.wait(DEADLINE_SECONDS) == 0
        rest = wire.process.stdout.read().splitlines()
    for line in [*wire.seen, *rest]:
        assert json.loads(line)["jsonrpc"] == "2.0"


def test_http_mcp_keeps_every_digit_in_both_eras(shared_server: Server, unique: Unique) -> None:
    modern = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call"}
    accept = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    bearer = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=shared_server.url, headers=accept | bearer) as client:
        for era, headers, meta in (
            ("legacy", {"MCP-Protocol-Version": LEGACY}, {}),
            ("modern", modern, {"_meta": META}),
        ):
            who = unique(era)

            def call(
                tool: str,
                arguments: dict[str, Any],
                headers: dict[str, str] = headers,
                meta: dict[str, Any] = meta,
            ) -> str:
                params = {"name": tool, "arguments": arguments, **meta}
                body = json.dumps(request(1, "tools/call", params)).replace('"AMOUNT"', EXACT)
                extra = {"Mcp-Name": tool} if meta else {}
                answer = client.post("/mcp", content=body, headers=headers | extra)
                assert answer.status_code == 200, answer.text
                return answer.text

            credit = {"asset": "USD", "amount": "AMOUNT"}
            made = call("create_wallet", {"external_id": who, "starting_credit": credit})
            read = call("get_wallet", {"customer_id": who})
            for text in (made, read):
                assert text.count(f":{EXACT}") == 2, text
            assert "isError" not in read or '"isError":false' in read
            rest = client.get("/customers", params={"external_id": who}, follow_redirects=False)
            wallet = client.get(f"{rest.headers['location']}/wallet")
            assert f":{EXACT}" in wallet.text


def test_http_mcp_needs_a_key(shared_server: Server) -> None:
    body = request(1, "tools/list", {})
    accept = {"Accept": "application/json, text/event-stream"}
    for headers in (accept, {**accept, "Authorization": "Bearer key_wrong"}):
        answer = httpx.post(f"{shared_server.url}/mcp", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


async def test_a_checkout_link_can_be_paid_beside_stdio(sqlite_url: str, tmp_path: Path) -> None:
    async with agent(sqlite_url, tmp_path) as tool:
        await tool.call("create_product", name="S", code="s", prices=[unit_price(1)])
        await tool.call("create_wallet", external_id="jane", products=["s"])
        flow = await tool.call("generate_topup_flow", customer_id="jane", amount=10)
        assert flow["redirect_url"].startswith(f"{tool.url}/checkout/")
        async with httpx.AsyncClient() as browser:
            page = await browser.get(flow["redirect_url"])
            assert "TEST" in page.text
            paid = await browser.post(flow["redirect_url"], data={"card_number": APPROVED})
            assert paid.status_code == 303
            rest = await browser.get(f"{tool.url}/products", headers={"X-CREDYT-API-KEY": KEY})
            assert rest.json()["total_count"] == 1
        assert (await tool.call("get_top_up", top_up_id=flow["top_up_id"]))["status"] == "succeeded"
        [account] = (await tool.call("get_wallet", customer_id="jane"))["accounts"]
        assert account["available"] == 10


async def test_no_http_serves_none_and_a_taken_port_does_not_matter(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with agent(sqlite_url, tmp_path, "--no-http") as tool, httpx.AsyncClient() as browser:
        await tool.call("list_products")
        with pytest.raises(httpx.ConnectError):
            await browser.get(f"{tool.url}/healthz")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with agent(sqlite_url, tmp_path, port=port) as tool:
            assert (await tool.call("list_products"))["total_count"] == 0


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_unknown_tools_and_arguments_are_errors_a_model_can_act_on(
    mode: str, sqlite_url: str, tmp_path: Path
) -> None:
    async with agent(sqlite_url, tmp_path, "--no-http", mode=mode) as tool:
        unknown = await tool.refused("create_invoice", amount=1)
        assert "unknown_tool: there is no tool 'create_invoice'" in unknown
        misspelt = await tool.refused("list_products", limt=5)
        assert "invalid_request: limt: unknown argument of list_products" in misspelt
        assert "code, limit, offset" in misspelt
        missing = await tool.refused("get_wallet", customer_id="nobody")
        assert "not_found: there is no customer 'nobody'" in missing
