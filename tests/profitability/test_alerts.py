"""Alerts: told once per crossing, again once the figure has been back or the window is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from credyt_mcp import exact_json
from credyt_mcp.app import System, running
from credyt_mcp.clock import FrozenClock
from credyt_mcp.settings import Settings
from credyt_mcp.use_cases.adjustments import create_charge
from credyt_mcp.use_cases.alerts import (
    check_alerts,
    create_alert,
    delete_alert,
    list_alerts,
    update_alert,
)
from credyt_mcp.use_cases.notices import list_notices
from credyt_mcp.use_cases.vendors import create_vendor
from tests.conftest import Call
from tests.profitability.test_profitability import cost, used
from tests.samples import a_product, a_wallet, unit_price


@pytest.fixture
async def wallets(call: Call) -> None:
    await call(create_vendor, name="OpenAI", external_id="openai")
    await a_product(call, unit_price(2), code="studio")
    for who in ("jane", "joe"):
        await a_wallet(call, "studio", who=who)


async def told(call: Call, system: System) -> list[dict[str, Any]]:
    """What alerts say now, oldest first, of all that was ever told."""
    await check_alerts(system.billing, None)
    page = await call(list_notices, limit=100)
    return [one.data for one in reversed(page.items) if one.kind == "alert.triggered"]


@pytest.mark.usefixtures("wallets")
async def test_a_figure_is_told_of_once_until_it_has_been_back(call: Call, system: System) -> None:
    rule = await call(create_alert, metric="margin", threshold=20, name="thin", window="month")
    assert await told(call, system) == []
    await used(call, "jane", "1", cost("1.6"))
    [first] = await told(call, system)
    assert (first["alert_id"], first["name"], first["value"]) == (rule.id, "thin", 20)
    assert "customer_id" not in first
    await used(call, "jane", "2", cost("1.7"))
    assert len(await told(call, system)) == 1
    charge = {"transaction_id": "c", "asset": "USD", "amount": 50}
    await call(create_charge, customer_id="jane", **charge)
    assert len(await told(call, system)) == 1
    assert (await call(list_alerts)).items[0].triggered == 0
    await used(call, "jane", "3", cost("60"))
    [_, second] = await told(call, system)
    assert second["value"] < 0
    assert (await call(list_alerts)).items[0].triggered == 1


@pytest.mark.usefixtures("wallets")
async def test_each_customer_for_themselves_and_again_the_next_day(
    call: Call, system: System, clock: FrozenClock
) -> None:
    await call(create_alert, metric="cost", scope="each_customer", threshold=1)
    await used(call, "jane", "1", cost("0.9"))
    await used(call, "joe", "2", cost("1"))
    [joe] = await told(call, system)
    assert (joe["value"], joe["metric"], joe["window"]) == (1, "cost", "day")
    await used(call, "jane", "3", cost("0.2"))
    [_, jane] = await told(call, system)
    assert jane["value"] == Decimal("1.1")
    assert jane["customer_id"] != joe["customer_id"]
    clock.advance(timedelta(days=1))
    assert len(await told(call, system)) == 2
    await used(call, "joe", "4", cost("5"))
    assert len(await told(call, system)) == 3


@pytest.mark.usefixtures("wallets")
async def test_an_hour_counts_what_came_since_it_began(
    call: Call, system: System, clock: FrozenClock
) -> None:
    await call(create_alert, metric="revenue", threshold=4, window="hour")
    assert await told(call, system) == []
    await used(call, "jane", "1")
    clock.advance(timedelta(hours=1))
    assert await told(call, system) == []
    await used(call, "jane", "2")
    assert await told(call, system) == []
    await used(call, "joe", "3")
    [one] = await told(call, system)
    assert (one["value"], one["threshold"]) == (4, 4)


SCOPES: dict[str, dict[str, Any]] = {
    "customer": {"customer_id": "jane"},
    "product": {"product_id": "studio"},
    "model": {"model": "unheard-of"},
}


@pytest.mark.usefixtures("wallets")
@pytest.mark.parametrize("scope", SCOPES)
async def test_one_customer_product_or_model(call: Call, system: System, scope: str) -> None:
    metric = "unpriced_calls" if scope == "model" else "revenue"
    await call(create_alert, metric=metric, scope=scope, threshold=1, **SCOPES[scope])
    await used(call, "joe", "1", event_type="unknown", costs=[cost("3")])
    assert await told(call, system) == []
    call_ = {"provider": "openai", "model": "unheard-of", "usage": {"prompt_tokens": 5}}
    await used(call, "jane", "2", llm_usage=call_)
    [one] = await told(call, system)
    assert one["scope"] == scope
    assert one.get("product") == ("studio" if scope == "product" else None)
    assert one.get("model") == ("unheard-of" if scope == "model" else None)
    assert ("customer_id" in one) == (scope == "customer")


@pytest.mark.usefixtures("wallets")
async def test_another_threshold_starts_anew_and_a_deleted_rule_is_silent(
    call: Call, system: System
) -> None:
    rule = await call(create_alert, metric="net", threshold=0)
    await used(call, "jane", "1", cost("3"))
    assert len(await told(call, system)) == 1
    await call(update_alert, alert_id=rule.id, threshold=-1)
    assert [one["threshold"] for one in await told(call, system)] == [0, -1]
    await call(delete_alert, alert_id=rule.id)
    await used(call, "jane", "2", cost("9"))
    assert len(await told(call, system)) == 2
    assert (await call(list_alerts)).items == []


@pytest.fixture
async def other(system: System, settings: Settings, clock: FrozenClock) -> AsyncIterator[System]:
    async with running(settings, clock=clock) as started:
        yield started


@pytest.mark.usefixtures("wallets")
async def test_of_several_processes_one_tells(call: Call, system: System, other: System) -> None:
    await call(create_alert, metric="cost", scope="each_customer", threshold=1)
    for who in ("jane", "joe"):
        await used(call, who, who, cost(f"1.{who}".replace("jane", "1").replace("joe", "2")))
    looks = [check_alerts(one.billing, None) for one in (system, other) * 4]
    await asyncio.gather(*looks)
    assert len(await told(call, system)) == 2


WRONG: dict[str, dict[str, Any]] = {
    "metric": {"metric": "weather", "threshold": 1},
    "threshold": {"metric": "cost"},
    "customer_id": {"metric": "cost", "threshold": 1, "scope": "customer", "customer_id": "none"},
    "product_id": {"metric": "cost", "threshold": 1, "scope": "product", "product_id": "none"},
    "currency": {"metric": "cost", "threshold": 1, "currency": "ZZZ"},
}


@pytest.mark.parametrize("field", WRONG)
async def test_what_cannot_be_watched_is_named(rest: httpx.AsyncClient, field: str) -> None:
    answer = await rest.post("/alerts", content=exact_json.dumps(WRONG[field]))
    assert answer.status_code == 422, answer.text
    assert field in answer.json()["errors"]
    assert (await rest.get("/alerts")).json()["total_count"] == 0


async def test_a_scope_without_its_target_is_refused(rest: httpx.AsyncClient) -> None:
    body = {"metric": "cost", "threshold": 1, "scope": "model"}
    answer = await rest.post("/alerts", json=body)
    assert answer.status_code == 422
    assert "model goes with scope 'model'" in answer.text
