"""The skills' flow V1a over both faces: a fee, a link, a payment, an active subscription."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
from mcp import Client

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.use_cases.renewals import renew_due
from tests.conftest import Call
from tests.samples import credits_asset, unit_price
from tests.use_cases.plans import FAILS_LATER, GOOD, a_plan, credit, fee

WANTED: dict[str, Any] = {
    "name": "Verification Test Customer",
    "external_id": "verify_test_1",
    "subscriptions": [
        {"products": [{"code": "pro", "version": 1}], "return_url": "https://example.com/return"}
    ],
}


async def pay(web: httpx.AsyncClient, link: str, card: str = GOOD) -> int:
    answer = await web.post(httpx.URL(link).path, data={"card_number": card})
    return answer.status_code


async def a_hybrid_plan(call: Call) -> None:
    await credits_asset(call)
    await a_plan(call, fee(20), unit_price(10, "credits"), grants=[credit(1000)])


async def test_the_flow_over_mcp(
    call: Call, mcp: Client, rest: httpx.AsyncClient, clock: FrozenClock
) -> None:
    await a_hybrid_plan(call)

    async def tool(name: str, /, **arguments: Any) -> Any:
        result = await mcp.call_tool(name, arguments)
        assert not result.is_error, result.content
        return result.structured_content

    made = await tool("create_customer", **WANTED)
    [asked] = made["subscriptions"]
    assert (asked["status"], asked["required_actions"][0]["type"]) == ("action_required", "payment")
    early = await tool(
        "record_event", customer_id=made["id"], id="early", event_type="image", data={}
    )
    assert early["fees"] == []
    clock.advance(timedelta(hours=2))
    [again] = (await tool("get_customer", customer_id="verify_test_1"))["subscriptions"]
    link = again["required_actions"][0]["redirect_url"]
    assert link != asked["required_actions"][0]["redirect_url"]
    assert await pay(rest, link, "4000 0000 0000 0002") == 402
    [still] = (await tool("get_customer", customer_id="verify_test_1"))["subscriptions"]
    assert still["status"] == "action_required"
    assert await pay(rest, link) == 303
    [active] = (await tool("get_customer", customer_id="verify_test_1"))["subscriptions"]
    assert active["status"] == "active"
    assert "required_actions" not in active
    wallet = await tool("get_wallet", customer_id=made["id"])
    assert {one["id"]: one["available"] for one in wallet["accounts"]}["default:credits"] == 1000
    billed = await tool("record_event", customer_id=made["id"], id="1", event_type="image", data={})
    assert [one["amount"] for one in billed["fees"]] == [10]


async def test_create_wallet_over_mcp_shows_the_link(call: Call, mcp: Client) -> None:
    await a_hybrid_plan(call)
    wanted = {"external_id": "jane", "products": ["pro"]}
    refused = await mcp.call_tool("create_wallet", wanted)
    assert refused.is_error
    assert "return_url" in refused.content[0].text  # type: ignore[union-attr]
    made = await mcp.call_tool("create_wallet", {**wanted, "return_url": "https://a.example"})
    assert made.structured_content is not None
    [asked] = made.structured_content["subscriptions"]
    assert asked["required_actions"][0]["redirect_url"].startswith("http")


async def test_the_flow_over_rest(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock, system: System
) -> None:
    await a_hybrid_plan(call)
    refused = await rest.post(
        "/customers", json={**WANTED, "subscriptions": [{"products": [{"code": "pro"}]}]}
    )
    assert refused.status_code == 422
    assert list(refused.json()["errors"]) == ["subscriptions[0].return_url"]
    made = await rest.post("/customers", json=WANTED)
    assert made.status_code == 201
    customer, [asked] = made.json()["id"], made.json()["subscriptions"]
    assert asked["status"] == "action_required"
    await pay(rest, asked["required_actions"][0]["redirect_url"], FAILS_LATER)
    path = f"/customers/{customer}"
    [active] = (await rest.get(path)).json()["subscriptions"]
    assert (active["status"], active["renews_at"]) == ("active", "2026-04-10T12:00:00Z")
    shown = (await rest.get(f"{path}/wallet/default:credits/grants")).json()["items"]
    assert [(one["amount"], one["source"], one["priority"]) for one in shown] == [
        (1000, "entitlement", 100)
    ]
    clock.advance(timedelta(days=31))
    await renew_due(system.billing)
    [failed] = (await rest.get(path)).json()["subscriptions"]
    assert failed["status"] == "action_required"
    assert failed["required_actions"][0]["type"] == "payment_method"
    conflict = await rest.patch(f"{path}/subscriptions/{failed['id']}", json={"status": "active"})
    assert (conflict.status_code, "redirect_url" in conflict.json()["hint"]) == (409, True)
    await pay(rest, failed["required_actions"][0]["redirect_url"])
    [recovered] = (await rest.get(path)).json()["subscriptions"]
    assert recovered["status"] == "active"
    ended = await rest.patch(f"{path}/subscriptions/{failed['id']}", json={"status": "inactive"})
    assert ended.status_code == 204


async def test_a_version_change_over_rest(call: Call, rest: httpx.AsyncClient) -> None:
    await a_hybrid_plan(call)
    made = (await rest.post("/customers", json=WANTED)).json()
    [asked] = made["subscriptions"]
    await pay(rest, asked["required_actions"][0]["redirect_url"])
    terms = {"prices": [fee(50)], "entitlements": [credit(3000)], "publish": True}
    product = asked["products"][0]["id"]
    assert (await rest.post(f"/products/{product}", json=terms)).status_code == 201
    path = f"/customers/{made['id']}/subscriptions/{asked['id']}/products/{product}"
    changed = await rest.patch(path, json={"version": 2, "prorate": True})
    assert changed.status_code == 204
    [active] = (await rest.get(f"/customers/{made['id']}")).json()["subscriptions"]
    assert (active["status"], active["products"][0]["version"]) == ("active", 2)
