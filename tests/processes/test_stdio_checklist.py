"""The calls the official skills make (credyt-wire.md 4.1), by an MCP client over stdio.

S1-S14 are billing-setup, V0-V6 billing-verification. V1a and subscriptions to recurring fees and
entitlements wait for the issue on the whole wire contract.
"""

from __future__ import annotations

import time
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.processes.harness import Agent, agent
from tests.samples import unit_price, volume_price

pytestmark = pytest.mark.parametrize("mode", ["auto", "legacy"])

MONTHLY_FEE: dict[str, Any] = {
    "name": "Monthly fee",
    "type": "fixed",
    "billing_model": {"type": "recurring", "recurring": {"interval": "month"}},
    "pricing": [{"asset": "USD", "values": [{"unit_price": 20}]}],
}
BY_MODEL: dict[str, Any] = {
    "name": "Chat",
    "type": "usage_based",
    "billing_model": {"type": "real_time"},
    "usage_calculation": {
        "event_type": "chat_completed",
        "usage_type": "volume",
        "volume_field": "total_tokens",
        "billable_dimensions": ["model"],
    },
    "pricing": [
        {
            "asset": "USD",
            "values": [
                {"dimensions": {"model": "gpt-4"}, "values": [{"volume_rate": 0.00003}]},
                {"dimensions": {"model": "*"}, "values": [{"volume_rate": 0.00001}]},
            ],
        }
    ],
}
RECURRING: dict[str, Any] = {
    "name": "Monthly credits",
    "asset": "credits",
    "amount": 1000,
    "purpose": "bundled",
    "lifecycle": {
        "duration": "month",
        "duration_count": 1,
        "refresh": {"strategy": "expire_and_replace"},
    },
    "accounting": {"revenue_basis": 0.00, "cost_basis": "auto"},
}
ONE_OFF: dict[str, Any] = {
    "name": "Welcome credits",
    "asset": "credits",
    "amount": 50,
    "purpose": "promotion",
    "lifecycle": {"duration": "day", "duration_count": 14},
}
CREDITS = {
    "name": "Credits",
    "code": "credits",
    "precision": 0,
    "rates": [{"source": "USD", "rate": 0.05}],
}
PER_IMAGE = unit_price(10, asset="credits", event_type="image_generated")


async def test_billing_setup(mode: str, database_url: str, tmp_path: Path) -> None:
    async with agent(database_url, tmp_path, "--no-http", mode=mode) as skill:
        await set_up_assets(skill)
        await set_up_products(skill)
        await try_prices_and_versions(skill)


async def set_up_assets(skill: Agent) -> None:
    assert (await skill.call("list_assets"))["items"] == []  # S1
    assert (await skill.call("list_products"))["items"] == []  # S2
    assert (await skill.call("create_asset", **CREDITS))["code"] == "credits"  # S3
    for dollars, units in ((1, 20), (10, 200), (50, 1000)):  # S4
        quote = await skill.call("quote_asset", asset_code="credits", source="USD", amount=dollars)
        assert (quote["destination_amount"], quote["rate"]) == (units, Decimal("0.05"))
    await skill.call("add_asset_rate", asset_code="credits", source="USD", rate=0.04)  # S5
    quote = await skill.call("quote_asset", asset_code="credits", source="USD", amount=1)
    assert (quote["destination_amount"], quote["rate"]) == (25, Decimal("0.04"))
    listed = (await skill.call("list_assets"))["items"]
    assert listed == [{"code": "credits", "name": "Credits"}]


async def set_up_products(skill: Agent) -> None:
    made = await skill.call(  # S6
        "create_product", name="Image Generation", code="image_gen", prices=[PER_IMAGE]
    )
    assert (made["version"], made["status"], made["is_default"]) == (1, "published", True)
    for code, fields in {
        "hybrid": {"prices": [MONTHLY_FEE, PER_IMAGE]},  # S7
        "tracked": {"prices": [unit_price(0, event_type="page_viewed")]},  # S8
        "plan": {"prices": [MONTHLY_FEE, PER_IMAGE], "entitlements": [RECURRING]},  # S9
        "welcome": {"prices": [PER_IMAGE], "entitlements": [ONE_OFF]},
        "chat": {"prices": [BY_MODEL]},  # S11
        "tokens": {"prices": [volume_price("0.00002", field="total_tokens")]},
    }.items():
        made = await skill.call("create_product", name=code, code=code, publish=True, **fields)
        assert (made["code"], made["status"]) == (code, "published")
    plan = await skill.call("get_product", product_id="plan")
    [entitlement] = plan["default_version"]["entitlements"]
    assert entitlement.items() >= RECURRING.items()
    negative = {**MONTHLY_FEE, "pricing": [{"asset": "USD", "values": [{"unit_price": -20}]}]}
    refusal = await skill.refused(  # S10
        "create_product", name="Bad", code="bad", prices=[negative], publish=True
    )
    assert "invalid_request: prices[0].pricing[0].values[0].unit_price" in refusal
    codes = {item["code"] for item in (await skill.call("list_products"))["items"]}
    assert codes == {"image_gen", "hybrid", "tracked", "plan", "welcome", "chat", "tokens"}


async def try_prices_and_versions(skill: Agent) -> None:
    event = {"id": "sim-1", "event_type": "image_generated"}
    ask = {"product_id": "image_gen", "events": [event]}
    simulated = await skill.call("simulate_usage", **ask, version=1)  # S12
    assert [fee["amount"] for fee in simulated["fees"]] == [10]
    for model, amount in (("gpt-4", "0.03"), ("other", "0.01")):
        data = {"total_tokens": 1000, "model": model}
        chat = {"id": "sim-2", "event_type": "chat_completed", "data": data}
        simulated = await skill.call("simulate_usage", product_id="chat", version=1, events=[chat])
        assert [fee["amount"] for fee in simulated["fees"]] == [Decimal(amount)]
    await skill.call(
        "create_customer", name="Old", external_id="old", subscriptions=_to("image_gen")
    )
    dearer = unit_price(12, asset="credits", event_type="image_generated")
    made = await skill.call(  # S13
        "create_product_version", product_id="image_gen", prices=[dearer], publish=True
    )
    assert made["version"] == 2
    for version, credits_each in ((1, 10), (2, 12)):
        simulated = await skill.call("simulate_usage", **ask, version=version)
        assert [fee["amount"] for fee in simulated["fees"]] == [credits_each]
    [subscription] = (await skill.call("get_customer", customer_id="old"))["subscriptions"]
    assert subscription["products"][0]["version"] == 1
    vendor = await skill.call("create_vendor", name="OpenAI")  # S14
    assert vendor["id"].startswith("vnd_")


async def test_billing_verification(mode: str, database_url: str, tmp_path: Path) -> None:
    async with agent(database_url, tmp_path, "--no-http", mode=mode) as skill:
        await skill.call("create_asset", **CREDITS)
        for code, price in (
            ("image_gen", PER_IMAGE),
            ("chat", BY_MODEL),
            ("tokens", volume_price("0.00002", "total_tokens", "embedded")),
        ):
            await skill.call("create_product", name=code, code=code, prices=[price])
        await read_what_products_charge(skill)
        customer_id = await subscribe_a_test_customer(skill)
        for event_type, data, account, fee in (
            ("image_generated", {}, "default:credits", "10"),
            ("embedded", {"total_tokens": 1000}, "default:USD", "0.02"),
            ("chat_completed", {"total_tokens": 1000, "model": "gpt-4"}, "default:USD", "0.03"),
            ("chat_completed", {"total_tokens": 1, "model": "new"}, "default:USD", "0.00001"),
        ):
            await verify_one_event(skill, customer_id, event_type, data, account, Decimal(fee))


async def read_what_products_charge(skill: Agent) -> None:
    listed = (await skill.call("list_products"))["items"]  # V0
    assert {item["code"] for item in listed} == {"image_gen", "chat", "tokens"}
    read = await skill.call("get_product", product_id="chat")
    [price] = read["default_version"]["prices"]
    assert price["usage_calculation"] == BY_MODEL["usage_calculation"]
    [pricing] = price["pricing"]
    assert pricing["asset"] == "USD"
    assert [
        (entry["dimensions"], entry["values"][0]["volume_rate"]) for entry in pricing["values"]
    ] == [({"model": "gpt-4"}, Decimal("0.00003")), ({"model": "*"}, Decimal("0.00001"))]


async def subscribe_a_test_customer(skill: Agent) -> str:
    created = await skill.call(  # V1
        "create_customer",
        name="Verification Test Customer",
        external_id=f"verify_test_{time.time_ns()}",
        subscriptions=_to("image_gen", "chat", "tokens"),
    )
    [subscription] = created["subscriptions"]
    assert subscription["status"] == "active"
    assert {entry["version"] for entry in subscription["products"]} == {1}
    assert await _wallet(skill, created["id"]) == {"default:USD": 0, "default:credits": 0}  # V2
    for asset, amount in (("USD", 10), ("credits", 200)):  # V3
        await skill.call(
            "create_adjustment",
            customer_id=created["id"],
            transaction_id=str(uuid.uuid4()),
            asset=asset,
            amount=amount,
            reason="gift",
            description="Verification test funding",
        )
    assert await _wallet(skill, created["id"]) == {"default:USD": 10, "default:credits": 200}
    return str(created["id"])


async def verify_one_event(
    skill: Agent,
    customer_id: str,
    event_type: str,
    data: dict[str, Any],
    account: str,
    fee: Decimal,
) -> None:
    before = await _wallet(skill, customer_id)
    event_id = str(uuid.uuid4())
    event = {"id": event_id, "event_type": event_type, "data": data}
    await skill.call("submit_events", customer_id=customer_id, events=[event])  # V4
    read = await skill.call("get_event", event_id=event_id)  # V5
    assert [(entry["amount"], entry["product_version"]) for entry in read["fees"]] == [(fee, 1)]
    after = await _wallet(skill, customer_id)  # V6
    assert after == {**before, account: before[account] - fee}


def _to(*codes: str) -> list[dict[str, Any]]:
    products = [{"code": code, "version": 1} for code in codes]
    return [{"products": products, "return_url": "https://example.com/return"}]


async def _wallet(skill: Agent, customer_id: str) -> dict[str, Any]:
    wallet = await skill.call("get_wallet", customer_id=customer_id)
    return {entry["id"]: entry["available"] for entry in wallet["accounts"]}
