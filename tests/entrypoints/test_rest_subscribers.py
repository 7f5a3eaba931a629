"""GET /products/{id}/subscribers: who holds a product, on which version."""

from __future__ import annotations

import httpx

from credyt_mcp.use_cases.customers import create_customer
from credyt_mcp.use_cases.products import create_product_version
from credyt_mcp.use_cases.subscriptions import update_subscription, update_subscription_product
from tests.conftest import Call
from tests.samples import a_product, a_wallet, unit_price


async def test_subscribers_are_those_who_hold_the_product_now(
    call: Call, rest: httpx.AsyncClient
) -> None:
    product = await a_product(call, unit_price(1))
    await a_product(call, unit_price(1), code="other")
    await call(create_product_version, product_id="studio", prices=[unit_price(2)], publish=True)
    made = [
        await call(
            create_customer,
            name=name.title(),
            external_id=name,
            email=f"{name}@example.com",
            subscriptions=[{"products": [{"code": "studio"}, {"code": "other"}]}],
        )
        for name in ("jane", "john", "judy")
    ]
    await a_wallet(call, "other", who="jill")
    jane, john, judy = ((customer.id, customer.subscriptions[0].id) for customer in made)
    await call(
        update_subscription_product,
        customer_id=jane[0],
        subscription_id=jane[1],
        product_id="studio",
        version=2,
    )
    await call(update_subscription, customer_id=judy[0], subscription_id=judy[1], status="inactive")

    page = (await rest.get("/products/studio/subscribers")).json()
    assert [(entry["customer_id"], entry["version"]) for entry in page["items"]] == [
        (john[0], 1),
        (jane[0], 2),
    ]
    assert page["items"][1] == {
        "customer_id": jane[0],
        "customer_name": "Jane",
        "external_id": "jane",
        "email": "jane@example.com",
        "subscription_id": jane[1],
        "subscription_status": "active",
        "started_at": "2026-03-10T12:00:00Z",
        "product_rate_plan_id": product.id,
        "version": 2,
    }
    second = (await rest.get(f"/products/{product.id}/subscribers?limit=1&offset=1")).json()
    assert [entry["customer_id"] for entry in second.pop("items")] == [jane[0]]
    assert second == {"total_count": 2, "limit": 1, "offset": 1}


async def test_a_product_that_is_not_there_has_no_list(rest: httpx.AsyncClient) -> None:
    assert (await rest.get("/products/none/subscribers")).status_code == 404
