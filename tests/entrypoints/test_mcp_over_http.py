"""MCP over HTTP: a call answered in front of the SDK reads as the SDK's own answer, number for
number; what is not a plain call is the SDK's."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from credyt_mcp import exact_json
from credyt_mcp.app import System
from credyt_mcp.entrypoints.mcp.hot_calls import HotCalls
from credyt_mcp.entrypoints.mcp.http import McpOverHttp
from credyt_mcp.entrypoints.mcp.server import BillingServer
from tests.conftest import API_KEY, Call
from tests.samples import a_product, a_wallet, unit_price

EXACT = "12345678.123456789"
MODERN = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
ANY_KIND = {"Accept": "*/*"}
"""The SDK takes it for JSON; the shorter way does not take it at all."""


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """One kind will do: the face does not know the database."""
    shutil.copy(sqlite_template, tmp_path / "credyt.db")
    return f"sqlite:///{tmp_path / 'credyt.db'}"


@pytest.fixture
async def client(system: System) -> AsyncIterator[httpx.AsyncClient]:
    face = McpOverHttp(system.billing, system.keys)
    async with (
        face.sessions.run(),
        httpx.AsyncClient(transport=httpx.ASGITransport(face), base_url="http://test") as client,
    ):
        yield client


def headers(tool: str = "get_wallet", **more: str) -> dict[str, str]:
    return {
        "X-CREDYT-API-KEY": API_KEY,
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": "tools/call",
        "Mcp-Name": tool,
        **more,
    }


def message(tool: str = "get_wallet", arguments: Any = None, **more: Any) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments, "_meta": META}
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params, **more}


def hot(system: System, body: bytes, **more: str) -> bool:
    """Whether that body would be answered in front of the SDK."""
    lower = {name.lower(): text for name, text in headers(**more).items()}
    return HotCalls(BillingServer(lambda: system.billing)).parse(lower, body) is not None


CALLS: list[tuple[str, Any]] = [
    ("get_wallet", {"customer_id": "jane"}),
    ("get_wallet", {"customer_id": "nobody"}),
    ("get_wallet", {"customer_id": "jane", "asset": None}),
    ("get_wallet", {"customer": "jane"}),
    ("get_wallet", {"customer_id": 5}),
    ("get_wallet", {}),
    ("get_wallet", None),
    ("list_products", {"limit": 1}),
    ("list_products", {"limit": 0.5}),
    ("get_product", {"product_id": "studio\x00"}),
    ("quote_asset", {"asset_code": "gold", "source": "USD", "amount": "AMOUNT"}),
    ("simulate_usage", {"product_id": "studio", "events": [{"id": "s", "event_type": "image"}]}),
    ("no_such_tool", {}),
]


@pytest.mark.parametrize(("tool", "arguments"), CALLS)
async def test_the_short_way_answers_as_the_sdk_does(
    client: httpx.AsyncClient, system: System, call: Call, tool: str, arguments: Any
) -> None:
    await a_product(call, unit_price("0.05"))
    await a_wallet(call, "studio", credit=EXACT)
    body = json.dumps(message(tool, arguments)).replace('"AMOUNT"', EXACT).encode()
    assert hot(system, body, tool=tool)
    short = await client.post("/mcp", content=body, headers=headers(tool))
    by_sdk = await client.post("/mcp", content=body, headers=headers(tool, **ANY_KIND))
    assert short.status_code == by_sdk.status_code == 200
    assert short.headers["content-type"] == by_sdk.headers["content-type"]
    assert exact_json.loads(short.content) == exact_json.loads(by_sdk.content)


async def test_the_short_way_keeps_every_digit(client: httpx.AsyncClient, call: Call) -> None:
    await a_product(call, unit_price("0.05"))
    body = message("create_wallet", {"external_id": "w", "starting_credit": ["CREDIT"]})
    credit = f'{{"asset":"USD","amount":{EXACT}}}'
    text = json.dumps(body).replace('"CREDIT"', credit)
    made = await client.post("/mcp", content=text, headers=headers("create_wallet"))
    # Once as a number of the structure, once inside the text.
    assert made.text.count(f":{EXACT}") == 2, made.text


UNUSUAL: dict[str, bytes] = {
    "not JSON": b"{",
    "no object": b"[]",
    "a batch": json.dumps([message()]).encode(),
    "a notification": json.dumps({"jsonrpc": "2.0", "method": "notifications/x"}).encode(),
    "another method": json.dumps(message(method="tools/list")).encode(),
    "another JSON-RPC": json.dumps(message(jsonrpc="1.0")).encode(),
    "an id that is a fraction": json.dumps(message(id=1.5)).encode(),
    "an id that is a truth value": json.dumps(message(id=True)).encode(),
    "no id": json.dumps(message(id=None)).encode(),
    "no params": json.dumps(message(params=None)).encode(),
    "no meta": json.dumps(message(params={"name": "get_wallet"})).encode(),
    "an older version": json.dumps(
        message(params={"name": "get_wallet", "_meta": {**META, next(iter(META)): "2025-06-18"}})
    ).encode(),
    "no capabilities": json.dumps(
        message(params={"name": "get_wallet", "_meta": {next(iter(META)): MODERN}})
    ).encode(),
    "another tool than the header's": json.dumps(message("get_event")).encode(),
    "no tool": json.dumps(message(params={"_meta": META})).encode(),
    "a tool that is no text": json.dumps(message(5)).encode(),  # type: ignore[arg-type]
    "arguments that are a list": json.dumps(message(arguments=["jane"])).encode(),
    "a state to resume": json.dumps(
        message(params={"name": "get_wallet", "_meta": META, "requestState": "x"})
    ).encode(),
    "half a character": b'{"jsonrpc":"2.0","id":"\\ud800","method":"tools/call"}',
    "deep nesting": b"[" * 100_000,
}


@pytest.mark.parametrize("name", UNUSUAL)
async def test_what_is_no_plain_call_is_answered_by_the_sdk(
    client: httpx.AsyncClient, system: System, name: str
) -> None:
    body = UNUSUAL[name]
    assert not hot(system, body)
    answer = await client.post("/mcp", content=body, headers=headers())
    by_sdk = await client.post("/mcp", content=body, headers=headers(**ANY_KIND))
    assert (answer.status_code, answer.content) == (by_sdk.status_code, by_sdk.content)
    assert answer.status_code < 500


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"Content-Type": "text/plain"}, 400),
        ({"Accept": "text/event-stream"}, 406),
        ({"Mcp-Method": "tools/list"}, 400),
        ({"MCP-Protocol-Version": "2099-01-01"}, 400),
        ({"X-CREDYT-API-KEY": "key_wrong"}, 401),
    ],
)
async def test_headers_are_checked(
    client: httpx.AsyncClient, changed: dict[str, str], status: int
) -> None:
    answer = await client.post("/mcp", json=message(), headers=headers(**changed))
    assert answer.status_code == status, answer.text


async def test_a_header_that_comes_twice_is_refused(client: httpx.AsyncClient) -> None:
    twice = [*headers().items(), ("Mcp-Name", "list_products")]
    answer = await client.post("/mcp", json=message(), headers=twice)
    assert answer.status_code == 400
    assert "more than once" in answer.text


async def test_a_body_that_is_too_large_is_refused(client: httpx.AsyncClient) -> None:
    for size, status in ((5 * 2**20, 413), (9 * 2**20, 413)):
        body = message(arguments={"customer_id": "x" * size})
        answer = await client.post("/mcp", json=body, headers=headers())
        assert answer.status_code == status
