"""Products over REST and MCP: status codes, wire shapes, publish defaults, clear refusals."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest
from mcp import Client

from credyt_mcp import exact_json

IMAGE: dict[str, Any] = {
    "name": "Image",
    "type": "usage_based",
    "billing_model": {"type": "real_time"},
    "usage_calculation": {"event_type": "image_generated", "usage_type": "unit"},
    "pricing": [{"asset": "USD", "values": [{"unit_price": 0.05}]}],
}
FEE: dict[str, Any] = {
    "name": "Plan",
    "type": "fixed",
    "billing_model": {"type": "recurring", "recurring": {"interval": "month"}},
    "pricing": [{"asset": "USD", "values": [{"unit_price": 20}]}],
}
PRODUCT: dict[str, Any] = {"name": "Image Generation", "code": "image_gen", "prices": [IMAGE]}
EVENT = {"id": "0b1f", "event_type": "image_generated"}


async def errors_of(answer: httpx.Response) -> dict[str, list[str]]:
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    errors: dict[str, list[str]] = answer.json()["errors"]
    return errors


async def tool(mcp: Client, tool_name: str, /, **arguments: Any) -> Any:
    result = await mcp.call_tool(tool_name, arguments)
    text = result.content[0].text  # type: ignore[union-attr]
    assert not result.is_error, text
    assert json.loads(text) == result.structured_content
    return exact_json.loads(text)


async def refusal(mcp: Client, tool_name: str, /, **arguments: Any) -> str:
    result = await mcp.call_tool(tool_name, arguments)
    assert result.is_error
    text: str = result.content[0].text  # type: ignore[union-attr]
    return text


async def test_the_life_of_a_product_has_the_codes_of_the_wire(rest: httpx.AsyncClient) -> None:
    made = await rest.post("/products", json={**PRODUCT, "publish": True})
    assert made.status_code == 201
    product_id = made.json()["id"]
    assert made.json() == {
        "id": product_id,
        "code": "image_gen",
        "version": 1,
        "status": "published",
        "is_default": True,
    }
    second = await rest.post(
        f"/products/{product_id}", json={**PRODUCT, "prices": [FEE], "publish": True}
    )
    assert (second.status_code, second.json()["version"]) == (201, 2)
    assert (await rest.patch("/products/image_gen/2", json={"make_default": True})).content == b""
    assert (await rest.get("/products/image_gen/default")).json()["version"] == 2
    assert (await rest.delete("/products/image_gen/2")).status_code == 409
    assert (await rest.delete("/products/image_gen/1")).status_code == 204
    assert (await rest.get("/products/image_gen/1")).json()["status"] == "archived"
    assert (await rest.patch("/products/image_gen/1", json={"publish": True})).status_code == 409
    assert (await rest.delete(f"/products/{product_id}")).status_code == 204
    assert (await rest.get(f"/products/{product_id}")).status_code == 404


async def test_reads_have_the_shapes_of_the_wire(rest: httpx.AsyncClient) -> None:
    product_id = (await rest.post("/products", json=PRODUCT)).json()["id"]
    page = (await rest.get("/products", params={"code": "image_gen"})).json()
    listed = {"id": product_id, "code": "image_gen", "name": "Image Generation"}
    assert page == {"items": [listed], "total_count": 1, "limit": 20, "offset": 0}
    product = (await rest.get("/products/image_gen")).json()
    version = (await rest.get("/products/image_gen/1")).json()
    assert product["default_version"].keys() == {"version", "entitlements", "prices"}
    assert product["versions"][0].keys() == {"version", "created_at", "status"}
    assert version == {
        **listed,
        "version": 1,
        "status": "draft",
        "is_default": False,
        "prices": product["default_version"]["prices"],
        "entitlements": [],
    }
    price = version["prices"][0]
    assert price == {"id": price["id"], "pricing_model": "flat", **IMAGE}


async def test_simulation_answers_fees_and_warnings(rest: httpx.AsyncClient) -> None:
    await rest.post("/products", json={**PRODUCT, "publish": True})
    for version in ("1", "default"):
        answer = await rest.post(
            f"/products/image_gen/{version}/simulate-usage",
            json={"events": [{**EVENT, "occurred_at": "2026-05-01T12:00:00Z"}]},
        )
        assert answer.status_code == 200
        fee = answer.json()["fees"][0]
        assert fee == {
            "price_id": fee["price_id"],
            "price_name": "Image",
            "currency": "USD",
            "usage_id": "0b1f",
            "event_type": "image_generated",
            "usage_type": "unit",
            "unit_price": 0.05,
            "amount": 0.05,
        }
        assert answer.json()["warnings"] == []


async def test_no_digit_of_a_price_is_lost(rest: httpx.AsyncClient) -> None:
    rate = "12345678.123456789"
    body = json.dumps({**PRODUCT, "publish": True}).replace("0.05", rate)
    assert (await rest.post("/products", content=body)).status_code == 201
    shown = exact_json.loads((await rest.get("/products/image_gen")).content)
    value = shown["default_version"]["prices"][0]["pricing"][0]["values"][0]
    assert value["unit_price"] == Decimal(rate)
    fees = await rest.post("/products/image_gen/1/simulate-usage", json={"events": [EVENT]})
    assert f'"amount":{rate}' in fees.text


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/products/nothing", "GET"),
        ("/products/nothing", "DELETE"),
        ("/products/image_gen/7", "GET"),
        ("/products/image_gen/latest", "GET"),
        ("/products/image_gen/0", "GET"),
        ("/products/image_gen/99999999999999999999", "GET"),
        ("/products/image_gen/default", "GET"),
        ("/products/image_gen/latest", "DELETE"),
    ],
)
async def test_a_path_that_names_nothing_is_404(
    rest: httpx.AsyncClient, path: str, method: str
) -> None:
    await rest.post("/products", json=PRODUCT)
    answer = await rest.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def with_price(**changes: Any) -> dict[str, Any]:
    return {**PRODUCT, "prices": [{**IMAGE, **changes}]}


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        (
            {
                **PRODUCT,
                "prices": [{**FEE, "pricing": [{"asset": "USD", "values": [{"unit_price": -20}]}]}],
            },
            "prices[0].pricing[0].values[0].unit_price",
            "must not be negative",
        ),
        (
            with_price(pricing=[{"asset": "gold", "values": [{"unit_price": 1}]}]),
            "prices[0].pricing[0].asset",
            "there is no asset 'gold'",
        ),
        ({**PRODUCT, "prices": [], "publish": True}, "publish", "nothing to publish"),
        ({"name": "x", "code": "x"}, "prices", "required"),
        ({**PRODUCT, "prices": [IMAGE, IMAGE]}, "prices", "'Image' is used 2 times"),
        ({**PRODUCT, "code": "prp_mine"}, "code", "must not start with prp_"),
    ],
)
async def test_bad_terms_are_refused_by_field_and_nothing_is_written(
    rest: httpx.AsyncClient, body: dict[str, Any], field: str, said: str
) -> None:
    errors = await errors_of(await rest.post("/products", json=body))
    assert list(errors) == [field]
    assert said in errors[field][0]
    assert (await rest.get("/products")).json()["total_count"] == 0


async def test_tiers_out_of_order_are_refused(rest: httpx.AsyncClient) -> None:
    tiers = [{"up_to": 10, "unit_price": 2}, {"up_to": 5, "unit_price": 1}, {"unit_price": 0}]
    body = with_price(pricing_model="tiered", pricing=[{"asset": "USD", "values": tiers}])
    errors = await errors_of(await rest.post("/products", json=body))
    assert "out of order" in json.dumps(errors)


async def test_a_taken_code_is_a_conflict(rest: httpx.AsyncClient) -> None:
    assert (await rest.post("/products", json=PRODUCT)).status_code == 201
    again = await rest.post("/products", json=PRODUCT)
    assert (again.status_code, again.json()["code"]) == (409, "already_exists")


async def test_bad_simulations_name_the_event(rest: httpx.AsyncClient) -> None:
    tokens = {"event_type": "chat", "usage_type": "volume", "volume_field": "tokens"}
    pricing = [{"asset": "USD", "values": [{"volume_rate": 1}]}]
    await rest.post("/products", json=with_price(usage_calculation=tokens, pricing=pricing))
    path = "/products/image_gen/1/simulate-usage"
    bad = {"id": "e", "event_type": "chat", "data": {"tokens": "many"}}
    errors = await errors_of(await rest.post(path, json={"events": [bad]}))
    assert errors == {"events[0].data.tokens": ["must be a number"]}
    many = await rest.post(path, json={"events": [EVENT] * 1001})
    assert (many.status_code, many.json()["code"]) == (422, "too_many")


async def test_rest_keeps_a_product_unpublished_and_mcp_publishes_it(
    rest: httpx.AsyncClient, mcp: Client
) -> None:
    assert (await rest.post("/products", json=PRODUCT)).json()["status"] == "draft"
    made = await tool(mcp, "create_product", **{**PRODUCT, "code": "b"})
    assert (made["status"], made["is_default"]) == ("published", True)
    assert (await tool(mcp, "create_product", name="C", code="c"))["status"] == "draft"
    held = await tool(mcp, "create_product", **{**PRODUCT, "code": "d", "publish": False})
    assert held["status"] == "draft"
    second = await tool(mcp, "create_product_version", product_id="b", prices=[FEE])
    assert (second["version"], second["status"]) == (2, "draft")


async def test_the_setup_a_skill_makes_over_mcp(mcp: Client) -> None:
    await tool(mcp, "create_asset", name="Credits", code="credits", precision=0)
    pricing = [{"asset": "credits", "values": [{"unit_price": 10}]}]
    image = {**IMAGE, "pricing": pricing}
    await tool(mcp, "create_product", name="Images", code="images", prices=[image])
    entitlements = [
        {
            "name": "Monthly",
            "asset": "credits",
            "amount": 1000,
            "purpose": "bundled",
            "lifecycle": {
                "duration": "month",
                "duration_count": 1,
                "refresh": {"strategy": "expire_and_replace"},
            },
            "accounting": {"revenue_basis": 0.00, "cost_basis": "auto"},
        },
        {
            "name": "Welcome",
            "asset": "credits",
            "amount": 5,
            "purpose": "promotion",
            "lifecycle": {"duration": "day", "duration_count": 1},
        },
    ]
    hybrid = {"name": "Hybrid", "code": "hybrid", "prices": [FEE, image]}
    await tool(mcp, "create_product", **hybrid, entitlements=entitlements)
    product = await tool(mcp, "get_product", product_id="hybrid")
    fee, usage = product["default_version"]["prices"]
    assert fee["billing_model"]["recurring"]["interval"] == "month"
    assert usage["usage_calculation"]["event_type"] == "image_generated"
    assert product["default_version"]["entitlements"] == entitlements
    tracking = {**IMAGE, "pricing": [{"asset": "credits", "values": [{"unit_price": 0}]}]}
    await tool(mcp, "create_product", name="Tracking", code="tracking", prices=[tracking])
    for code, amount in (("images", 10), ("hybrid", 10), ("tracking", 0)):
        result = await tool(mcp, "simulate_usage", product_id=code, version=1, events=[EVENT])
        assert [fee["amount"] for fee in result["fees"]] == [amount]
        assert result["warnings"] == []
    assert (await tool(mcp, "list_products"))["total_count"] == 3


async def test_each_version_is_simulated_at_its_own_price_over_mcp(mcp: Client) -> None:
    chat = {
        "name": "Chat",
        "type": "usage_based",
        "usage_calculation": {
            "event_type": "chat",
            "usage_type": "volume",
            "volume_field": "total_tokens",
            "billable_dimensions": ["model"],
        },
        "pricing": [
            {
                "asset": "USD",
                "values": [
                    {"dimensions": {"model": "gpt-4"}, "values": [{"volume_rate": 0.00002}]},
                    {"dimensions": {"model": "*"}, "values": [{"volume_rate": 0.00001}]},
                ],
            }
        ],
    }
    await tool(mcp, "create_product", name="Chat", code="chat", prices=[chat])
    cheap = {
        **chat,
        "pricing": [
            {
                "asset": "USD",
                "values": [{"dimensions": {"model": "*"}, "values": [{"volume_rate": 0.000001}]}],
            }
        ],
    }
    await tool(mcp, "create_product_version", product_id="chat", prices=[cheap])
    event = {"id": "e", "event_type": "chat", "data": {"total_tokens": 1000.0, "model": "gpt-4"}}
    for version, amount in ((1, "0.02"), ("1", "0.02"), (2, "0.001"), ("default", "0.02")):
        result = await tool(
            mcp, "simulate_usage", product_id="chat", version=version, events=[event]
        )
        assert result["fees"][0]["amount"] == Decimal(amount)


async def test_define_price_is_the_plain_way(mcp: Client) -> None:
    await tool(mcp, "create_product", name="App", code="app")
    defined = await tool(
        mcp,
        "define_price",
        product_id="app",
        event_type="response_completed",
        volume_field="input_tokens",
        volume_rate=1.25,
        package_size=1000000,
    )
    assert defined["example"] == "1,000 input_tokens cost 0.00125 USD"
    assert (defined["version"], defined["status"]) == (1, "published")


async def test_refusals_over_mcp_are_one_line_that_names_the_argument(mcp: Client) -> None:
    negative = {**FEE, "pricing": [{"asset": "USD", "values": [{"unit_price": -20}]}]}
    text = await refusal(mcp, "create_product", **{**PRODUCT, "prices": [negative]})
    assert text.startswith(
        "invalid_request: prices[0].pricing[0].values[0].unit_price: must not be negative."
    )
    typo = [{"up_too": 5, "unit_price": 1}, {"unit_price": 2}]
    text = await refusal(
        mcp, "define_price", product_id="app", event_type="e", period="monthly", tiers=typo
    )
    assert "tiers[0].up_too" in text
    text = await refusal(mcp, "define_price", product_id="app", event_type="e", unit_price=-1)
    assert "unit_price: must not be negative" in text
    text = await refusal(mcp, "define_price", product_id="app", event_type="e", price=1)
    assert "unknown argument" in text
    assert "\n" not in text


async def test_the_openapi_document_shows_prices_in_full(rest: httpx.AsyncClient) -> None:
    schemas = (await rest.get("/openapi.json")).json()["components"]["schemas"]
    assert "billable_dimensions" in json.dumps(schemas)
    prices = schemas["ProductFields"]["properties"]["prices"]["items"]
    assert "UsageBasedPrice" in json.dumps(prices)
