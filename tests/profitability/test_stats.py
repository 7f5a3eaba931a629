"""Stats of customers and vendors, over REST."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from credyt_mcp import exact_json
from credyt_mcp.clock import FrozenClock
from credyt_mcp.use_cases.events import get_event, record_event
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.vendors import create_vendor
from tests.conftest import NOW, Call
from tests.samples import a_product, a_wallet, unit_price

NOTHING = {
    "gross_revenue": 0,
    "total_costs": 0,
    "net_revenue": 0,
    "margin": 0,
    "currency": "USD",
}


@pytest.fixture
async def business(call: Call, clock: FrozenClock) -> None:
    """Jane in March and April, Joe in April, Eve never; images earn 2 USD."""
    await call(create_vendor, name="OpenAI", external_id="openai")
    await call(create_vendor, name="Other", external_id="other")
    await a_product(call, unit_price(2), unit_price(3, "EUR", "page"))
    for who in ("jane", "joe", "eve"):
        await a_wallet(call, "studio", who=who)
    clock.advance(timedelta(days=31))
    march = (NOW + timedelta(days=5)).isoformat()
    await used(call, "jane", "1", cost("0.5", category="inference"), occurred_at=march)
    await used(call, "jane", "2", cost("0.16", category="inference"), cost("1", category="storage"))
    await used(call, "joe", "3", cost("2.5", vendor="other"), cost("0.000000001"))
    await used(call, "joe", "4", event_type="page")
    await used(call, "joe", "5", cost("7", currency="GBP"), event_type="unknown")


def cost(amount: str, vendor: str = "openai", **more: Any) -> dict[str, Any]:
    return {"id": f"{amount} {vendor}", "vendor_external_id": vendor, "amount": amount, **more}


async def used(call: Call, who: str, event_id: str, *costs: dict[str, Any], **more: Any) -> None:
    event = {"id": event_id, "event_type": "image", "costs": list(costs), **more}
    await call(record_event, customer_id=who, **event)


async def read(rest: httpx.AsyncClient, path: str, **params: Any) -> Any:
    answer = await rest.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return exact_json.loads(answer.content)


@pytest.mark.usefixtures("business")
async def test_a_customer_over_a_period_and_ever(rest: httpx.AsyncClient) -> None:
    ever = await read(rest, "/customers/jane/stats")
    assert ever == {
        "gross_revenue": 4,
        "total_costs": Decimal("1.66"),
        "net_revenue": Decimal("2.34"),
        "margin": Decimal("58.5"),
        "currency": "USD",
    }
    march = await read(rest, "/customers/jane/stats", period_to="2026-03-15")
    assert (march["gross_revenue"], march["margin"]) == (2, 75)
    assert await read(rest, "/customers/jane/stats", period_from="2026-03-15") == ever
    day = {"period_from": "2026-03-15", "period_to": "2026-03-15"}
    assert await read(rest, "/customers/jane/stats", **day) == march
    assert await read(rest, "/customers/eve/stats") == NOTHING


@pytest.mark.usefixtures("business")
async def test_currencies_stand_beside_each_other(rest: httpx.AsyncClient) -> None:
    stats = await read(rest, "/customers/joe/stats")
    assert (stats["gross_revenue"], stats["total_costs"]) == (2, Decimal("2.500000001"))
    assert (stats["margin"], stats["currency"]) == (-25, "USD")  # rounded to four decimals
    euro, pound = stats["other_currencies"]
    assert euro == {
        "gross_revenue": 3,
        "total_costs": 0,
        "net_revenue": 3,
        "margin": 100,
        "currency": "EUR",
    }
    assert (pound["net_revenue"], pound["margin"], pound["currency"]) == (-7, -100, "GBP")


@pytest.mark.usefixtures("business")
async def test_all_customers_this_month_with_those_that_did_nothing(
    rest: httpx.AsyncClient,
) -> None:
    page = await read(rest, "/customers/stats")
    assert (page["period_from"], page["period_to"]) == ("2026-04-01", "2026-04-10")
    assert (page["total_count"], page["limit"], page["offset"]) == (3, 20, 0)
    assert [item["external_id"] for item in page["items"]] == ["eve", "joe", "jane"]
    assert [item["name"] for item in page["items"]] == ["eve", "joe", "jane"]
    eve, joe, jane = (item["stats"] for item in page["items"])
    assert eve == NOTHING
    assert jane["gross_revenue"] == 2
    assert page["summary"]["gross_revenue"] == 4
    assert page["summary"]["total_costs"] == jane["total_costs"] + joe["total_costs"]
    assert page["summary"]["other_currencies"] == joe["other_currencies"]
    second = await read(rest, "/customers/stats", limit=1, offset=1, period_from="2026-03-01")
    assert [item["external_id"] for item in second["items"]] == ["joe"]
    assert second["summary"]["gross_revenue"] == 6
    assert (second["period_from"], second["period_to"]) == ("2026-03-01", "2026-04-10")
    march = await read(rest, "/customers/stats", period_to="2026-03-15")
    assert (march["period_from"], march["summary"]["gross_revenue"]) == ("2026-03-01", 2)


@pytest.mark.usefixtures("business")
async def test_a_vendor_by_category(rest: httpx.AsyncClient) -> None:
    stats = await read(rest, "/vendors/openai/stats")
    assert stats["total_costs"] == Decimal("1.660000001")
    assert stats["categories"] == [
        {"category": "inference", "cost": Decimal("0.66")},
        {"category": "storage", "cost": 1},
        {"category": "uncategorized", "cost": Decimal("0.000000001")},
    ]
    [pounds] = stats["other_currencies"]
    assert (pounds["currency"], pounds["total_costs"]) == ("GBP", 7)
    april = {"period_from": "2026-04-01", "category": "inference"}
    assert await read(rest, "/vendors/openai/stats", **april) == {
        "currency": "USD",
        "total_costs": Decimal("0.16"),
        "categories": [{"category": "inference", "cost": Decimal("0.16")}],
    }
    unused = await read(rest, "/vendors/openai/stats", category="nothing")
    assert (unused["total_costs"], unused["categories"]) == (0, [])


async def test_a_cost_counts_once_whichever_event_brings_it(
    call: Call, rest: httpx.AsyncClient
) -> None:
    await call(create_vendor, name="OpenAI", external_id="openai")
    await a_product(call, unit_price(2))
    for who in ("jane", "joe"):
        await a_wallet(call, "studio", who=who)
    same = cost("0.5")
    fields = {"event_type": "image", "costs": [same]}
    first = await call(record_event, customer_id="jane", id="1", **fields)
    assert first.warnings == []
    again = await call(record_event, customer_id="joe", id="2", **fields)
    assert len(again.warnings) == 1
    assert "is counted there alone" in again.warnings[0]
    batch = [{"id": name, **fields} for name in "34"]
    body = {"customer_external_id": "joe", "events": batch}
    assert (await rest.post("/events", json=body)).status_code == 204
    retried = await call(record_event, customer_id="joe", id="2", **fields)
    assert (retried.duplicate, retried.warnings) == (True, [])
    assert (await read(rest, "/customers/jane/stats"))["total_costs"] == Decimal("0.5")
    assert (await read(rest, "/customers/joe/stats"))["total_costs"] == 0
    event = await call(get_event, event_id="2")
    assert (event.stats.total_costs, event.costs[0].counted) == (0, False)
    assert (await call(get_event, event_id="1")).costs[0].counted is None
    vendor = await read(rest, "/vendors/openai/stats")
    assert (vendor["total_costs"], vendor["repeated_costs"]) == (Decimal("0.5"), Decimal("1.5"))
    assert (await call(verify_ledger)).ok


@pytest.mark.usefixtures("business")
async def test_what_cannot_be_answered_says_why(rest: httpx.AsyncClient) -> None:
    backwards = {"period_from": "2026-03-02", "period_to": "2026-03-01"}
    for path in ("/customers/stats", "/customers/jane/stats", "/vendors/openai/stats"):
        answer = await rest.get(path, params=backwards)
        assert (answer.status_code, answer.json()["errors"].keys()) == (422, {"period_to"})
        answer = await rest.get(path, params={"period_from": "yesterday"})
        assert (answer.status_code, answer.json()["errors"].keys()) == (422, {"period_from"})
    for path in ("/customers/nobody/stats", "/vendors/nobody/stats"):
        assert (await rest.get(path)).status_code == 404
    assert (await rest.get("/customers/stats", params={"limit": 0})).status_code == 422


async def test_sums_may_be_larger_than_any_amount(call: Call, rest: httpx.AsyncClient) -> None:
    """64 bits hold 9.2 billion of a currency; a day, a month or a tenant may have more."""
    largest = Decimal("9223372036.854775807")
    for who in ("jane", "joe", "eve"):
        await a_wallet(call, who=who)
        charge = {"asset": "VND", "amount": str(largest), "transaction_id": who}
        path = f"/customers/{who}/wallet/charges"
        assert (await rest.post(path, json=charge)).status_code == 201
    page = await read(rest, "/customers/stats")
    assert (page["summary"]["gross_revenue"], page["summary"]["currency"]) == (largest * 3, "VND")
    assert (await call(verify_ledger)).problems == []
