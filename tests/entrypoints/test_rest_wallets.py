"""Wallets over REST and MCP: the wire's statuses, names and shapes, money to the last digit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest
from mcp import Client

from credyt_mcp import exact_json
from tests.conftest import Call
from tests.samples import a_product, a_wallet, unit_price

WALLET = "/customers/jane/wallet"
BIG = "12345678.123456789"


@pytest.fixture(autouse=True)
async def jane(call: Call) -> Any:
    await a_product(call, unit_price("0.5"))
    return await a_wallet(call, "studio")


async def post(rest: httpx.AsyncClient, path: str, body: str) -> httpx.Response:
    """A body as it is written, since httpx would write a float."""
    return await rest.post(path, content=body, headers={"Content-Type": "application/json"})


async def test_an_adjustment_is_credited_to_the_last_digit(rest: httpx.AsyncClient) -> None:
    body = f'{{"transaction_id": "t 1", "asset": "USD", "amount": {BIG}, "reason": "gift"}}'
    first = await post(rest, f"{WALLET}/adjustments", body)
    assert first.status_code == 201
    assert first.json() == {"id": "t 1", "created_at": "2026-03-10T12:00:00Z"}
    again = await post(rest, f"{WALLET}/adjustments", body)
    assert (again.status_code, again.json()) == (201, first.json())
    wallet = await rest.get(WALLET)
    assert exact_json.loads(wallet.content) == {
        "accounts": [
            {"id": "default:USD", "name": "default", "asset": "USD", "available": Decimal(BIG)}
        ]
    }
    read = exact_json.loads((await rest.get(f"{WALLET}/transactions/t%201")).content)
    assert read == {
        "id": "t 1",
        "type": "adjustment",
        "account_id": "default:USD",
        "asset": "USD",
        "amount": Decimal(BIG),
        "created_at": "2026-03-10T12:00:00Z",
        "executed_at": "2026-03-10T12:00:00Z",
        "reason": "gift",
    }


@pytest.mark.parametrize("account_id", ["default:USD", "default%3AUSD", "Default:usd"])
async def test_an_account_is_read_under_any_spelling(
    rest: httpx.AsyncClient, account_id: str
) -> None:
    read = await rest.get(f"{WALLET}/{account_id}")
    assert (read.status_code, read.json()) == (
        200,
        {
            "id": "default:USD",
            "name": "default",
            "asset": "USD",
            "available": 0,
            "pending_in": 0,
            "pending_out": 0,
            "overdraft_limit": 0,
            "hard_limit": False,
        },
    )
    grants = await rest.get(f"{WALLET}/{account_id}/grants?exclude_expired=true")
    assert grants.json() == {"items": [], "total_count": 0, "limit": 20, "offset": 0}


async def test_a_grant_that_never_expires_says_null(rest: httpx.AsyncClient) -> None:
    adjustment = {"transaction_id": "1", "asset": "USD", "amount": 2, "reason": "external_topup"}
    await rest.post(f"{WALLET}/adjustments", json=adjustment)
    [grant] = (await rest.get(f"{WALLET}/default:USD/grants?purpose=paid")).json()["items"]
    assert grant.pop("id").startswith("grt_")
    assert grant == {
        "available": 2,
        "effective_at": "2026-03-10T12:00:00Z",
        "expires_at": None,
        "purpose": "paid",
        "created_at": "2026-03-10T12:00:00Z",
        "amount": 2,
        "source": "adjustment",
        "priority": 100,
    }


async def test_a_charge_answers_an_empty_object(rest: httpx.AsyncClient) -> None:
    charge = {"transaction_id": "c", "asset": "USD", "amount": 4.5, "subject": "order_9"}
    for _ in range(2):
        made = await rest.post(f"{WALLET}/charges", json=charge)
        assert (made.status_code, made.content) == (201, b"{}")
    read = (await rest.get(f"{WALLET}/transactions/c")).json()
    assert (read["type"], read["amount"], read["subject"]) == ("fee", 4.5, "order_9")
    assert (await rest.get(WALLET)).json()["accounts"][0]["available"] == -4.5


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"amount": 6}, 409, "id_reused"),
        ({"transaction_id": "2", "asset": "gold"}, 422, "unknown_reference"),
        ({"transaction_id": "2", "amount": 0}, 422, "invalid_request"),
        ({"transaction_id": "2", "amount": "0.0000000001"}, 422, "amount_out_of_range"),
        ({"transaction_id": None}, 422, "invalid_request"),
        ({"transaction_id": "x" * 256}, 422, "invalid_request"),
        ({"transaction_id": "2", "reason": "whim"}, 422, "invalid_request"),
        ({"transaction_id": "2", "amount": True}, 422, "invalid_request"),
    ],
)
async def test_refusals_have_their_status_and_code(
    rest: httpx.AsyncClient, change: dict[str, Any], status: int, code: str
) -> None:
    body = {"transaction_id": "1", "asset": "USD", "amount": 5, "reason": "gift"}
    await rest.post(f"{WALLET}/adjustments", json=body)
    refused = await rest.post(f"{WALLET}/adjustments", json={**body, **change})
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert (await rest.get(WALLET)).json()["accounts"][0]["available"] == 5


@pytest.mark.parametrize(
    "path",
    [
        "/customers/nobody/wallet",
        "/customers/nobody/wallet/default:USD",
        f"{WALLET}/default:EUR",
        f"{WALLET}/default:EUR/grants",
        f"{WALLET}/transactions/none",
    ],
)
async def test_what_is_not_there_is_not_found(rest: httpx.AsyncClient, path: str) -> None:
    missing = await rest.get(path)
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_an_adjustment_of_nobody_is_not_found(rest: httpx.AsyncClient) -> None:
    body = {"transaction_id": "1", "asset": "USD", "amount": 5, "reason": "gift"}
    for path in ("adjustments", "charges"):
        refused = await rest.post(f"/customers/nobody/wallet/{path}", json=body)
        assert refused.status_code == 404


async def test_a_wallet_is_made_over_rest_too(rest: httpx.AsyncClient) -> None:
    body = {
        "external_id": "joe",
        "products": ["studio"],
        "starting_credit": {"asset": "USD", "amount": 3},
    }
    made = await rest.post("/wallets", json=body)
    assert made.status_code == 201
    assert made.json()["balances"] == {"default:USD": 3}
    again = await rest.post("/wallets", json=body)
    assert again.json() == {**made.json(), "created": False}


async def test_a_model_makes_a_wallet_and_credits_it(mcp: Client) -> None:
    made = await mcp.call_tool(
        "create_wallet",
        {
            "external_id": "joe",
            "products": ["studio"],
            "starting_credit": {"asset": "USD", "amount": 0.1},
        },
    )
    assert made.structured_content is not None
    assert made.structured_content["balances"] == {"default:USD": 0.1}
    assert made.structured_content["subscriptions"][0]["status"] == "active"
    adjustment = {
        "customer_id": "joe",
        "transaction_id": "1",
        "asset": "USD",
        "amount": BIG,
        "reason": "gift",
        "description": "Verification test funding",
    }
    for _ in range(2):
        adjusted = await mcp.call_tool("create_adjustment", adjustment)
        assert adjusted.structured_content is not None
        assert adjusted.structured_content["id"] == "1"
    wallet = await mcp.call_tool("get_wallet", {"customer_id": "joe"})
    text = wallet.content[0].text  # type: ignore[union-attr]
    assert exact_json.loads(text)["accounts"][0]["available"] == Decimal("12345678.223456789")
    refused = await mcp.call_tool("create_wallet", {"external_id": "x", "products": ["nothing"]})
    assert refused.is_error
    assert "products[0]" in refused.content[0].text  # type: ignore[union-attr]
