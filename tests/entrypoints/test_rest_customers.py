"""Customers and subscriptions over REST and MCP: the wire's statuses, names and shapes."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from mcp import Client

from tests.conftest import Call
from tests.samples import a_product, unit_price

JANE: dict[str, Any] = {
    "name": "Jane Roe",
    "external_id": "u_18991",
    "email": "jane@example.com",
    "metadata": {"plan": "pro"},
    "external_accounts": [{"provider": "stripe", "provider_id": "cus_123"}],
    "subscriptions": [
        {
            "return_url": "https://app.example/account",
            "failure_url": "https://app.example/failed",
            "redirect_to": "return_url",
            "products": [{"code": "studio", "version": 1}],
        }
    ],
}


@pytest.fixture(autouse=True)
async def product(call: Call) -> Any:
    return await a_product(call, unit_price("0.5"))


async def test_a_customer_is_created_and_read_as_the_wire_says(
    rest: httpx.AsyncClient, product: Any
) -> None:
    made = await rest.post("/customers", json=JANE)
    assert made.status_code == 201
    assert made.json().keys() == {"id", "subscriptions"}
    [subscription] = made.json()["subscriptions"]
    assert subscription["id"].startswith("sub_")
    assert subscription.keys() == {"id", "status", "started_at", "products"}
    assert subscription["products"] == [{"id": product.id, "code": "studio", "version": 1}]
    for name in (made.json()["id"], "u_18991"):
        read = await rest.get(f"/customers/{name}")
        assert read.status_code == 200
        assert read.json() == {
            "id": made.json()["id"],
            "created_at": "2026-03-10T12:00:00Z",
            "active_subscription_count": 1,
            **JANE,
            "subscriptions": [subscription],
        }


async def test_a_customer_without_subscriptions_says_so(rest: httpx.AsyncClient) -> None:
    made = await rest.post("/customers", json={"name": "Jane"})
    assert made.json()["subscriptions"] == []
    page = (await rest.get("/customers")).json()
    assert page["items"] == [
        {"id": made.json()["id"], "name": "Jane", "active_subscription_count": 0}
    ]
    assert (page["total_count"], page["limit"], page["offset"]) == (1, 20, 0)


async def test_an_external_id_redirects_to_its_customer(rest: httpx.AsyncClient) -> None:
    made = (await rest.post("/customers", json=JANE)).json()
    found = await rest.get("/customers", params={"external_id": "u_18991"})
    assert (found.status_code, found.headers["location"]) == (303, f"/customers/{made['id']}")
    followed = await rest.get("/customers?external_id=u_18991", follow_redirects=True)
    assert followed.json()["id"] == made["id"]
    assert (await rest.get("/customers?external_id=nobody")).status_code == 404
    by_email = await rest.get("/customers", params={"email": "JANE@example.com"})
    assert [item["id"] for item in by_email.json()["items"]] == [made["id"]]


async def test_a_taken_external_id_is_a_conflict_with_a_hint(rest: httpx.AsyncClient) -> None:
    await rest.post("/customers", json=JANE)
    taken = await rest.post("/customers", json={"name": "J", "external_id": "u_18991"})
    assert (taken.status_code, taken.json()["code"]) == (409, "already_exists")
    assert "external_id" in taken.json()["hint"]
    other = (await rest.post("/customers", json={"name": "J"})).json()["id"]
    patched = await rest.patch(f"/customers/{other}", json={"external_id": "u_18991"})
    assert patched.status_code == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "J", "external_id": "cust_1"}, "external_id"),
        ({"name": "J", "email": "nobody"}, "email"),
        ({"name": "J", "metadata": {"a": 1}}, "metadata.a"),
        ({"name": "J", "subscriptions": [{"products": []}]}, "subscriptions[0].products"),
        ({"name": "J", "subscriptions": [{"products": [{}]}]}, "subscriptions[0].products[0]"),
        (
            {"name": "J", "subscriptions": [{"products": [{"code": "x"}]}]},
            "subscriptions[0].products[0].code",
        ),
        (
            {"name": "J", "subscriptions": [{"products": [{"code": "studio", "version": 0}]}]},
            "subscriptions[0].products[0].version",
        ),
    ],
)
async def test_invalid_fields_are_named(
    rest: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    refused = await rest.post("/customers", json=body)
    assert refused.status_code == 422
    assert refused.json()["errors"].keys() == {field}
    assert (await rest.get("/customers")).json()["total_count"] == 0


@pytest.mark.parametrize(
    "address", ["?offset=99999999999999999999", "?name=a%00b", "?external_id=%00", "/a%00b"]
)
async def test_an_address_no_database_can_look_for_is_refused(
    rest: httpx.AsyncClient, address: str
) -> None:
    assert (await rest.get(f"/customers{address}")).status_code == 422


async def test_subscriptions_are_added_ended_and_put_on_another_version(
    rest: httpx.AsyncClient, product: Any
) -> None:
    customer = (await rest.post("/customers", json={"name": "J"})).json()["id"]
    path = f"/customers/{customer}/subscriptions"
    body = {"products": [{"id": product.id, "version": "default"}]}
    made = await rest.post(path, json=body)
    assert made.status_code == 201
    assert made.json()["products"][0]["version"] == 1
    assert (await rest.post(path, json=body)).status_code == 409
    own = f"{path}/{made.json()['id']}"
    same = await rest.patch(f"{own}/products/{product.id}", json={"version": 1})
    assert (same.status_code, same.content) == (204, b"")
    wrong = await rest.patch(f"{own}/products/{product.id}", json={"version": 5})
    assert (wrong.status_code, wrong.json()["errors"].keys()) == (422, {"version"})
    assert (await rest.patch(own, json={"status": "inactive"})).status_code == 204
    assert (await rest.patch(own, json={"status": "paused"})).status_code == 422
    assert (await rest.patch(f"{path}/sub_x", json={"status": "active"})).status_code == 404
    read = (await rest.get(f"/customers/{customer}")).json()
    assert [item["status"] for item in read["subscriptions"]] == ["inactive"]
    assert (await rest.get("/customers?status=active")).json()["items"] == []


async def test_an_update_answers_nothing(rest: httpx.AsyncClient) -> None:
    await rest.post("/customers", json=JANE)
    patched = await rest.patch("/customers/u_18991", json={"name": "Jane Doe"})
    assert (patched.status_code, patched.content) == (204, b"")
    assert (await rest.get("/customers/u_18991")).json()["name"] == "Jane Doe"
    assert (await rest.patch("/customers/nobody", json={})).status_code == 404


async def test_a_model_creates_finds_and_lists_customers(mcp: Client) -> None:
    made = (await mcp.call_tool("create_customer", JANE)).structured_content
    assert made is not None
    assert made["subscriptions"][0]["status"] == "active"
    read = await mcp.call_tool("get_customer", {"customer_id": "u_18991"})
    assert read.structured_content is not None
    assert read.structured_content["id"] == made["id"]
    page = await mcp.call_tool("list_customers", {"external_id": "u_18991"})
    assert page.structured_content is not None
    assert page.structured_content["items"][0]["active_subscription_count"] == 1
    again = await mcp.call_tool("create_customer", JANE)
    assert again.is_error
    assert again.content[0].text.startswith("already_exists: ")  # type: ignore[union-attr]
