"""Margins by customer, end user, task, product, price, event type, vendor, model and day."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from credyt_mcp import exact_json
from credyt_mcp.clock import FrozenClock
from credyt_mcp.use_cases.adjustments import create_charge
from credyt_mcp.use_cases.events import record_event
from credyt_mcp.use_cases.vendors import create_vendor
from tests.conftest import Call
from tests.samples import a_product, a_wallet, unit_price


@pytest.fixture
async def business(call: Call, clock: FrozenClock) -> None:
    """In March Jane earns 2 USD; in April Jane, Joe and Eve do business, and Amy only costs."""
    await call(create_vendor, name="OpenAI", external_id="openai")
    await call(create_vendor, name="Other", external_id="other")
    await a_product(call, unit_price(2), unit_price(3, "USD", "page"), code="studio")
    for who in ("jane", "joe", "eve", "amy"):
        await a_wallet(call, "studio", who=who)
    await used(call, "jane", "0", cost("0.25"))
    clock.advance(timedelta(days=31))
    await used(call, "jane", "1", cost("0.5"), user_id="ann", subject="t1")
    await used(call, "jane", "2", cost("0.7", "other"), user_id="bob", subject="t1")
    await used(call, "joe", "3", cost("2.5", "other"), cost("0.50"), user_id="ann")
    await used(call, "eve", "4", event_type="page", subject="t2")
    await used(call, "amy", "5", cost("7"), event_type="unknown")
    charge = {"transaction_id": "c", "asset": "USD", "amount": 1}
    await call(create_charge, customer_id="eve", **charge)


def cost(amount: str, vendor: str = "openai") -> dict[str, Any]:
    return {"id": f"{amount} {vendor}", "vendor_external_id": vendor, "amount": amount}


async def used(call: Call, who: str, event_id: str, *costs: dict[str, Any], **more: Any) -> None:
    event = {"id": event_id, "event_type": "image", "costs": list(costs), **more}
    await call(record_event, customer_id=who, **event)


async def read(rest: httpx.AsyncClient, **params: Any) -> Any:
    answer = await rest.get("/analytics/profitability", params=params)
    assert answer.status_code == 200, answer.text
    return exact_json.loads(answer.content)


def figures(page: Any, *keys: str) -> list[tuple[Any, ...]]:
    """Of each group: what it is called, revenue, cost."""
    return [
        (*(item.get(key) for key in keys), item["gross_revenue"], item["total_costs"])
        for item in page["items"]
    ]


@pytest.mark.usefixtures("business")
async def test_customers_by_cost_with_those_who_only_cost(rest: httpx.AsyncClient) -> None:
    page = await read(rest)
    assert figures(page, "external_id") == [
        ("amy", 0, 7),
        ("joe", 2, 3),
        ("jane", 4, Decimal("1.2")),
        ("eve", 4, 0),
    ]
    assert [item["margin"] for item in page["items"]] == [-100, -50, 70, 100]
    assert page["without_revenue"] == {"count": 1, "total_costs": 7}
    totals = page["totals"]
    assert (totals["gross_revenue"], totals["total_costs"]) == (10, Decimal("11.2"))
    assert (page["period_from"], page["period_to"]) == ("2026-04-01", "2026-04-10")
    assert page["total_count"] == 4
    assert "next_cursor" not in page


GROUPS: dict[str, tuple[tuple[str, ...], list[tuple[Any, ...]]]] = {
    "user_id": (
        ("key", "external_id"),
        [
            ("ann", "joe", 2, 3),
            ("bob", "jane", 2, Decimal("0.7")),
            ("ann", "jane", 2, Decimal("0.5")),
        ],
    ),
    "subject": (("key", "external_id"), [("t1", "jane", 4, Decimal("1.2")), ("t2", "eve", 3, 0)]),
    "product": (("product",), [(None, 1, 7), ("studio", 9, Decimal("4.2"))]),
    "price": (("name",), [(None, 1, 7), ("Per image", 6, Decimal("4.2")), ("Per page", 3, 0)]),
    "event_type": (
        ("key",),
        [("unknown", 0, 7), ("image", 6, Decimal("4.2")), (None, 1, 0), ("page", 3, 0)],
    ),
    "vendor": (
        ("external_id",),
        [
            ("openai", Decimal("2.333333333"), 8),
            ("other", Decimal("3.666666667"), Decimal("3.2")),
            (None, 4, 0),
        ],
    ),
    "model": (("key",), [(None, 10, Decimal("11.2"))]),
    "day": (("key",), [("2026-04-10", 10, Decimal("11.2"))]),
}


@pytest.mark.usefixtures("business")
async def test_a_month_a_stretch_of_days_and_another_order(rest: httpx.AsyncClient) -> None:
    both = await read(rest, **{"from": "2026-03-01", "to": "2026-04-30", "sort": "margin"})
    assert figures(both, "external_id") == [
        ("amy", 0, 7),
        ("joe", 2, 3),
        ("jane", 6, Decimal("1.45")),
        ("eve", 4, 0),
    ]
    march = await read(rest, **{"from": "2026-03-10", "to": "2026-04-09"})
    assert figures(march, "external_id") == [("jane", 2, Decimal("0.25"))]
    first = await read(rest, sort="net", limit=3)
    assert [item["external_id"] for item in first["items"]] == ["amy", "joe", "jane"]
    rest_of = await read(rest, sort="net", limit=3, cursor=first["next_cursor"])
    assert figures(rest_of, "external_id") == [("eve", 4, 0)]
    own = await read(rest, group_by="day", customer_id="jane", **{"from": "2026-03-01"})
    assert figures(own, "key") == [
        ("2026-03-10", 2, Decimal("0.25")),
        ("2026-04-10", 4, Decimal("1.2")),
    ]
    assert own["totals"]["gross_revenue"] == 6


@pytest.mark.usefixtures("business")
async def test_what_to_decide_about(rest: httpx.AsyncClient) -> None:
    answer = await rest.get("/analytics/decisions", params={"top_percent": 30})
    found = exact_json.loads(answer.content)
    assert found["customers"] == 4
    dearest, at_risk = found["dearest"], found["at_risk"]
    assert figures(dearest, "external_id") == [("amy", 0, 7), ("joe", 2, 3)]
    assert (dearest["count"], dearest["share"]) == (2, Decimal("89.2857"))
    assert [item["external_id"] for item in at_risk["items"]] == ["amy", "joe"]
    assert (at_risk["count"], at_risk["net_revenue"]) == (2, -8)
    assert found["without_revenue"] == {"count": 1, "total_costs": 7}
    assert [(one["percent"], one["cost"], one["margin"]) for one in found["percentiles"]] == [
        (50, Decimal("1.2"), 70),
        (75, 3, -50),
        *((percent, 7, -100) for percent in (90, 95, 99)),
    ]


async def test_nothing_happened_yet(rest: httpx.AsyncClient) -> None:
    page = await read(rest)
    assert (page["items"], page["total_count"], page["currency"]) == ([], 0, "USD")
    empty = exact_json.loads((await rest.get("/analytics/decisions")).content)
    assert (empty["customers"], empty["percentiles"]) == (0, [])
    assert (empty["dearest"]["share"], empty["at_risk"]["items"]) == (0, [])


async def test_csv_that_no_spreadsheet_runs(rest: httpx.AsyncClient, call: Call) -> None:
    await call(create_vendor, name="OpenAI", external_id="openai")
    await a_wallet(call)
    names = ["=1+1", "+1", "-1", "@a", "plain", 'with "quotes", and commas']
    for number, name in enumerate(names):
        await used(call, "jane", str(number), cost(f"0.{number + 1}"), user_id=name)
    for given in ({"params": {"format": "csv"}}, {"headers": {"Accept": "text/csv"}}):
        fields: dict[str, Any] = {"params": {}, **given}
        fields["params"] = {**fields["params"], "group_by": "user_id", "limit": 2}
        answer = await rest.get("/analytics/profitability", **fields)
        assert answer.headers["content-type"].startswith("text/csv")
        assert (
            "profitability-by-user_id-2026-03-01-2026-03-10.csv"
            in answer.headers["content-disposition"]
        )
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert sorted(row["key"] for row in rows) == sorted(
            [*(f"'{name}" for name in names[:4]), *names[4:]]
        )
        assert sum(Decimal(row["net_revenue"]) for row in rows) == Decimal("-2.1")
        assert {row["currency"] for row in rows} == {"USD"}


BAD = {
    "period_to": {"from": "2026-04-02", "to": "2026-04-01"},
    "period_from": {"from": "1990-01-01"},
    "currency": {"currency": "nothing"},
    "cursor": {"cursor": "x"},
    "customer_id": {"customer_id": "jane", "group_by": "vendor"},
    "group_by": {"group_by": "weekday"},
}


@pytest.mark.parametrize("field", BAD)
async def test_what_cannot_be_asked_is_named(rest: httpx.AsyncClient, field: str) -> None:
    answer = await rest.get("/analytics/profitability", params=BAD[field])
    assert answer.status_code == 422, answer.text
    assert field in answer.json()["errors"]


@pytest.mark.usefixtures("business")
@pytest.mark.parametrize("by", GROUPS)
async def test_groups_add_up_to_the_totals(rest: httpx.AsyncClient, by: str) -> None:
    page = await read(rest, group_by=by)
    keys, wanted = GROUPS[by]
    assert figures(page, *keys) == wanted


async def test_who_cost_only_before_the_period_is_none_of_its_customers(
    call: Call, rest: httpx.AsyncClient
) -> None:
    """Of a month, the days before are taken off: here what is left is a billion less a billion."""
    await call(create_vendor, name="OpenAI", external_id="openai")
    await a_wallet(call)
    before = [
        {"id": day, "event_type": "x", "occurred_at": f"2026-03-0{day}T12:00:00Z", "costs": [one]}
        for day, one in (("2", cost("0.6")), ("3", {**cost("0.60"), "id": "other"}))
    ]
    body = {"customer_external_id": "jane", "events": before}
    assert (await rest.post("/events", json=body)).status_code == 204
    await used(call, "jane", "now", cost("0"), event_type="x")
    asked = {"from": "2026-03-04", "to": "2026-03-10"}
    answer = await rest.get("/analytics/decisions", params=asked)
    found = exact_json.loads(answer.content)
    assert (found["customers"], found["dearest"]["items"]) == (0, [])
    page = await rest.get("/analytics/profitability", params=asked)
    [jane] = exact_json.loads(page.content)["items"]
    assert (jane["total_costs"], jane["events"]) == (0, 1)
