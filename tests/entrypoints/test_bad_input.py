"""Bad input over REST and MCP: the right status, code and field, a hint, and nothing written."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from mcp import Client
from sqlalchemy import select
from sqlmodel import SQLModel

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.use_cases.events import record_event
from credyt_mcp.use_cases.keys import create_key
from credyt_mcp.use_cases.products import create_product
from tests.conftest import API_KEY, Call
from tests.entrypoints.bad_requests import (
    AHEAD,
    CATALOGUE,
    CHAT,
    EVENT,
    GIFT,
    MONEY,
    OLD,
    TOO_FINE,
    TOO_LARGE,
    TOP_UP,
    USAGE,
    Cases,
    adjust,
    events,
)
from tests.samples import a_product, a_wallet, credits_asset, unit_price, volume_price


@pytest.fixture
async def world(call: Call) -> None:
    """jane has a wallet and one event; there is a published product, a draft and an asset."""
    await credits_asset(call)
    await a_product(call, unit_price("0.5"), volume_price(1))
    await call(create_product, name="Draft", code="draft", prices=[unit_price(1)], publish=False)
    await a_wallet(call, "studio", credit=5)
    await call(record_event, customer_id="jane", **EVENT)


def everything(system: System) -> dict[str, list[Any]]:
    """Every row of every table."""
    with system.billing.database.read() as session:
        return {
            table.name: sorted(map(str, session.execute(select(table))))  # type: ignore[deprecated]
            for table in SQLModel.metadata.sorted_tables
        }


async def refusals(rest: httpx.AsyncClient, cases: Cases) -> dict[str, tuple[int, str, Any]]:
    """What each case is answered, in the form of what is expected of it."""
    seen = {}
    for name, ((path, body), (_, _, field)) in cases.items():
        answer = await rest.post(path, json=body)
        problem = answer.json() if answer.content else {}
        fields = list(problem.get("errors", {}))
        shown = field if any(entry.startswith(field or "") for entry in fields) else fields or None
        assert problem.get("hint"), f"{name}: {answer.status_code} {answer.text}"
        assert answer.headers["content-type"] == "application/problem+json"
        seen[name] = (answer.status_code, problem["code"], shown)
    return seen


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("cases", [USAGE, MONEY, CATALOGUE], ids=["usage", "money", "catalogue"])
async def test_rest_refuses_bad_input_and_writes_nothing(
    cases: Cases, rest: httpx.AsyncClient, system: System
) -> None:
    before = everything(system)
    seen = await refusals(rest, cases)
    assert seen == {name: expected for name, (_, expected) in cases.items()}
    assert everything(system) == before


@pytest.mark.usefixtures("world")
async def test_mcp_refuses_the_same_bad_input_and_writes_nothing(
    mcp: Client, system: System
) -> None:
    before = everything(system)
    steps = [{"up_to": 10, "unit_price": 1}, {"up_to": 5, "unit_price": 1}, {"unit_price": 1}]
    tiers = {"tiers": steps, "pricing_model": "tiered", "period": "monthly"}
    price = {"product_id": "studio", "event_type": "image"}
    usage = {"customer_id": "jane", "id": "m1", "event_type": "chat"}
    gift = {"customer_id": "jane", **GIFT}
    for tool, arguments, expected in (
        ("record_event", usage | {"customer_id": "nobody"}, "unknown_reference: customer_id"),
        ("record_event", usage | {"data": {"tokens": "many"}}, "invalid_request: data.tokens"),
        ("record_event", usage | {"data": {"tokens": -1}}, "invalid_request: data.tokens"),
        ("record_event", usage | {"occurred_at": OLD}, "outside_window: occurred_at"),
        ("record_event", usage | {"occurred_at": AHEAD}, "outside_window: occurred_at"),
        ("record_event", usage | {"id": "e1"}, "id_reused: "),
        ("record_event", usage | {"amount": 1}, "invalid_request: amount: unknown argument"),
        ("create_adjustment", gift | {"asset": "gold"}, "unknown_reference: asset"),
        ("create_adjustment", gift | {"amount": TOO_LARGE}, "amount_out_of_range: amount"),
        ("create_adjustment", gift | {"amount": TOO_FINE}, "amount_out_of_range: amount"),
        (
            "create_wallet",
            {"external_id": "b", "products": ["draft"]},
            "invalid_request: products[0]",
        ),
        (
            "create_wallet",
            {"external_id": "b", "products": ["no"]},
            "unknown_reference: products[0]",
        ),
        ("define_price", price | {"unit_price": -1}, "invalid_request: unit_price"),
        (
            "define_price",
            price | {"tiers": tiers, "pricing_model": "tiered"},
            "invalid_request: tiers",
        ),
        ("generate_topup_flow", {"customer_id": "jane", "amount": 10.001}, "amount_out_of_range: "),
        ("get_wallet", {"customer_id": "nobody"}, "not_found: "),
    ):
        result = await mcp.call_tool(tool, arguments)
        assert result.is_error, f"{tool} {arguments}"
        text = result.content[0].text  # type: ignore[union-attr]
        assert expected in text
        assert text.endswith("."), text  # a hint follows what is wrong
    assert everything(system) == before


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("path", ["/events", "/products", "/customers", "/top-ups"])
async def test_what_is_not_json_is_malformed(
    path: str, rest: httpx.AsyncClient, system: System
) -> None:
    before = everything(system)
    for body in (
        b'{"name": ',
        b"name=1",
        b"\xff\xfe",
        b'{"amount": NaN}',
        b'"\\u0000"',
        b"[" * 9999,
    ):
        answer = await rest.post(path, content=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request"), body
        assert answer.json()["hint"]
    for body in (b"[]", b'"text"', b"null", b"7"):
        answer = await rest.post(path, content=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), body
    assert everything(system) == before


@pytest.mark.usefixtures("world")
async def test_only_a_known_key_of_the_account_is_let_in(
    rest: httpx.AsyncClient, system: System
) -> None:
    before = everything(system)
    body = events(CHAT)[1]
    for headers in (
        {"X-CREDYT-API-KEY": "key_wrong"},
        {"X-CREDYT-API-KEY": ""},
        {"X-CREDYT-API-KEY": "", "Authorization": f"Basic {API_KEY}"},
        {"X-CREDYT-API-KEY": "kéy".encode()},
    ):
        for method, path in (("POST", "/events"), ("GET", "/products"), ("POST", "/mcp")):
            answer = await rest.request(method, path, headers=headers, json=body)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), headers
            assert answer.json()["hint"]
            assert answer.headers["www-authenticate"] == "Bearer"
    foreign = await rest.post("/events", json=body, headers={"X-CREDYT-ACCOUNT": "acc_other"})
    assert (foreign.status_code, foreign.json()["code"]) == (403, "forbidden")
    del rest.headers["X-CREDYT-API-KEY"]
    assert (await rest.get("/products")).status_code == 401
    bearer = await rest.get("/products", headers={"Authorization": f"Bearer {API_KEY}"})
    assert bearer.status_code == 200
    assert everything(system) == before


@pytest.mark.usefixtures("world")
async def test_ids_of_another_environment_do_not_exist(
    rest: httpx.AsyncClient, system: System, clock: FrozenClock
) -> None:
    live = create_key(system.billing.database, clock, "live", "live").key
    headers = {"X-CREDYT-API-KEY": live}
    product = (await rest.get("/products")).json()["items"][0]
    customer = (await rest.get("/customers")).json()["items"][0]
    top_up = (await rest.post("/top-ups", json=TOP_UP)).json()
    paths = (
        f"/products/{product['id']}",
        f"/products/{product['id']}/1",
        f"/customers/{customer['id']}",
        f"/customers/{customer['id']}/wallet",
        f"/customers/{customer['id']}/wallet/default:USD",
        f"/customers/{customer['id']}/wallet/transactions/g1",
        f"/customers/{customer['id']}/wallet/default:USD/grants",
        "/customers?external_id=jane",
        "/events/e1",
        "/assets/credits",
        f"/top-ups/{top_up['id']}",
    )
    path, body = adjust()
    (await rest.post(path, json=body)).raise_for_status()
    before = everything(system)
    for path in paths:
        assert (await rest.get(path)).status_code in (200, 303), path
        answer = await rest.get(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
    for path, body in (events(CHAT), ("/top-ups", TOP_UP | {"customer_id": customer["id"]})):
        answer = await rest.post(path, json=body, headers=headers)
        assert answer.status_code == 422, answer.text
    for path in ("/products", "/customers", "/events", "/assets", "/vendors"):
        assert (await rest.get(path, headers=headers)).json()["total_count"] == 0
    assert everything(system) == before
    made = await rest.post("/customers", json={"name": "L", "external_id": "jane"}, headers=headers)
    assert made.status_code == 201  # and the same external id is free there
    assert (await rest.get(f"/customers/{made.json()['id']}")).status_code == 404
