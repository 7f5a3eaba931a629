"""What a replay finds, over REST: figures, bills, who runs dry, what is kept and compared."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from credyt_mcp import exact_json
from credyt_mcp.clock import FrozenClock
from credyt_mcp.use_cases.adjustments import create_adjustment, create_charge
from credyt_mcp.use_cases.events import record_event
from credyt_mcp.use_cases.products import create_product, create_product_version
from credyt_mcp.use_cases.provisioning import create_wallet
from credyt_mcp.use_cases.stats import list_customer_stats
from credyt_mcp.use_cases.vendors import create_vendor
from credyt_mcp.use_cases.wallets import get_wallet
from tests.conftest import NOW, Call
from tests.samples import TIERED, a_product, a_wallet, credits_asset, unit_price, volume_price


async def asked(rest: httpx.AsyncClient, path: str = "/replays", **body: Any) -> Any:
    answer = await rest.post(path, content=exact_json.dumps(body))
    assert answer.status_code == 201, answer.text
    return exact_json.loads(answer.content)


async def read(rest: httpx.AsyncClient, path: str) -> Any:
    answer = await rest.get(path)
    assert answer.status_code == 200, answer.text
    return exact_json.loads(answer.content)


async def used(call: Call, who: str, count: int, event_type: str = "image", **more: Any) -> None:
    for number in range(count):
        fields = {"id": f"{who}:{event_type}:{number}:{more.get('mark')}", "event_type": event_type}
        cost = {"id": fields["id"], "vendor_external_id": "openai", "amount": "0.4"}
        await call(record_event, customer_id=who, costs=[cost], **fields, **more.get("given", {}))


@pytest.fixture
async def business(call: Call) -> None:
    """Images are billed at 1 USD: two to Jane, who has 10, and five to Joe, who has 5."""
    await call(create_vendor, name="OpenAI", external_id="openai")
    await a_product(call, unit_price(1))
    await a_wallet(call, "studio", credit=10)
    await a_wallet(call, "studio", credit=5, who="joe")
    await a_wallet(call, who="eve")
    await used(call, "jane", 2)
    await used(call, "joe", 5)


@pytest.mark.usefixtures("business")
async def test_a_dearer_draft(call: Call, rest: httpx.AsyncClient) -> None:
    await call(create_product_version, product_id="studio", prices=[unit_price("1.5")])
    found = await asked(rest, product_id="studio", name="dearer")
    assert (found["product"], found["version"], found["everyone"]) == ("studio", 2, False)
    assert (found["customers"], found["events"]) == (2, 7)
    assert found["fees"] == [
        {
            "asset": "USD",
            "billed": 7,
            "replayed": Decimal("10.5"),
            "change": Decimal("3.5"),
            "percent": 50,
        }
    ]
    assert found["billed"]["gross_revenue"] == 7
    assert found["billed"]["margin"] == 60
    assert found["replayed"]["net_revenue"] == Decimal("7.7")
    shock = found["bill_shock"]
    assert (shock["customers_over"], shock["share_over"], shock["max_rise"]) == (2, 100, 20)
    assert {one["external_id"] for one in shock["largest"]} == {"jane", "joe"}
    assert [one["customers"] for one in shock["rises"]] == [2, 2, 2, 0, 0]
    [joe] = found["ran_dry"]["lowest"]
    assert joe["external_id"] == "joe"
    assert joe["ran_dry"][0] == {
        "account": "default:USD",
        "at": NOW.isoformat().replace("+00:00", "Z"),
        "event_id": "joe:image:3:None",
        "lowest_balance": Decimal("-2.5"),
        "lowest_balance_billed": 0,
    }
    assert (found["ran_dry"]["customers"], found["ran_dry"]["newly"]) == (1, 1)
    # Nothing was billed.
    wallet = await call(get_wallet, customer_id="joe")
    assert wallet.accounts[0].available == 0


@pytest.mark.usefixtures("business")
async def test_what_is_in_force_changes_nothing(rest: httpx.AsyncClient) -> None:
    found = await asked(rest, product_id="studio", version=1)
    assert found["billed"] == found["replayed"]
    assert found["bill_shock"]["customers_over"] == found["ran_dry"]["customers"] == 0


@pytest.mark.usefixtures("business")
async def test_what_if_prices_and_a_price_that_is_defined(rest: httpx.AsyncClient) -> None:
    one = await asked(rest, product_id="studio", prices=[unit_price(2)])
    other = await asked(
        rest, product_id="studio", define=[{"event_type": "image", "unit_price": 2}]
    )
    assert one["replayed"] == other["replayed"]
    assert one["prices"] == other["prices"]
    assert "version" not in one
    # Beside the price there is, if it charges something else.
    both = await asked(rest, product_id="studio", define=[{"event_type": "page", "unit_price": 2}])
    assert both["replayed"]["gross_revenue"] == 7
    assert len(both["prices"]) == 2


async def test_track_first_price_later(call: Call, rest: httpx.AsyncClient) -> None:
    await a_wallet(call, who="jane", credit=1)
    for number, tokens in enumerate((100, 250, "many", 400)):
        await call(
            record_event,
            customer_id="jane",
            id=str(number),
            event_type="chat",
            data={"tokens": tokens},
        )
    found = await asked(rest, prices=[volume_price("0.01")])
    assert found["everyone"] is True
    assert found["fees"][0]["replayed"] == Decimal("7.5")
    assert found["refused"] == [{"event_type": "chat", "events": 1}]
    assert found["bill_shock"]["first_bills"] == found["bill_shock"]["customers_over"] == 1
    assert found["ran_dry"]["lowest"][0]["ran_dry"][0]["lowest_balance"] == Decimal("-6.5")
    # The same as a product that nobody has yet.
    await call(create_product, name="Chat", code="chat", prices=[volume_price("0.01")])
    of_product = await asked(rest, product_id="chat", version=1)
    assert of_product["fees"] == found["fees"]
    nothing = await asked(rest, product_id="chat", version=1, everyone=False)
    assert nothing["events"] == 0
    assert "no usage" in nothing["warnings"][0]


async def test_counts_go_on_from_before_the_stretch(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock
) -> None:
    """Three calls before, two after: those after are in the cheaper tier, with other tiers too."""
    await a_product(call, TIERED)
    await a_wallet(call, "studio", credit=10)
    await used_calls(call, 3, "before")
    clock.advance(timedelta(days=1))
    await used_calls(call, 2, "after")
    start = (NOW + timedelta(hours=1)).isoformat()
    same = await asked(rest, product_id="studio", version=1, occurred_from=start)
    assert same["fees"][0]["replayed"] == same["fees"][0]["billed"] == Decimal("0.016")
    tiers = [{"up_to": 4, "unit_price": 1}, {"unit_price": "0.5"}]
    other = {**TIERED, "pricing": [{"asset": "USD", "values": tiers}]}
    found = await asked(rest, product_id="studio", prices=[other], occurred_from=start)
    assert found["fees"][0]["replayed"] == Decimal("1.5")
    assert found["events"] == 2


async def used_calls(call: Call, count: int, mark: str) -> None:
    for number in range(count):
        fields = {"id": f"{mark}{number}", "event_type": "call"}
        await call(record_event, customer_id="jane", **fields)


async def test_the_credit_at_hand_chooses_the_asset_and_what_it_earns(
    call: Call, rest: httpx.AsyncClient
) -> None:
    """40 credits at hand pay two images at 20; the third is paid in dollars."""
    await credits_asset(call)
    await a_product(call, unit_price(10, "credits"))
    credit = [{"asset": "credits", "amount": 40}, {"asset": "USD", "amount": 5}]
    await a_wallet(call, "studio", credit=credit)
    for number in range(3):
        await call(record_event, customer_id="jane", id=str(number), event_type="image")
    price = unit_price(20, "credits")
    price["pricing"].append({"asset": "USD", "values": [{"unit_price": "1.1"}]})
    found = await asked(rest, product_id="studio", prices=[price])
    fees = {one["asset"]: one["replayed"] for one in found["fees"]}
    assert fees == {"credits": 40, "USD": Decimal("1.1")}
    # Bills compare in money at one rate: 30 credits are 1.5 USD, 40 and 1.1 USD are 3.1.
    assert found["bill_shock"]["largest"][0]["rise"] == Decimal("106.6667")


@pytest.mark.usefixtures("business")
async def test_replays_are_kept_listed_compared_and_deleted(rest: httpx.AsyncClient) -> None:
    first = await asked(rest, product_id="studio", version=1, name="as it is")
    second = await asked(rest, product_id="studio", prices=[unit_price(2)], name="double")
    page = await read(rest, "/replays")
    assert [one["name"] for one in page["items"]] == ["double", "as it is"]
    assert page["total_count"] == 2
    assert await read(rest, f"/replays/{first['id']}") == first
    customers = await read(rest, f"/replays/{second['id']}/customers?limit=1")
    assert customers["total_count"] == 2
    assert customers["items"][0]["rise"] == 100
    compared = await read(rest, f"/replays/{first['id']}/comparison?other_id={second['id']}")
    assert compared["same_usage"] is True
    assert compared["revenue_difference"] == 7
    assert compared["margin_difference"] == 20
    assert compared["customers_over"] == [0, 2]
    assert (await rest.delete(f"/replays/{first['id']}")).status_code == 204
    assert (await rest.get(f"/replays/{first['id']}")).status_code == 404
    assert (await read(rest, "/replays"))["total_count"] == 1


@pytest.mark.usefixtures("business")
async def test_only_some_customers(rest: httpx.AsyncClient) -> None:
    found = await asked(rest, product_id="studio", prices=[unit_price(2)], customers=["jane"])
    assert (found["customers"], found["replayed"]["gross_revenue"]) == (1, 4)


@pytest.mark.usefixtures("business")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "product_id"),
        ({"product_id": "studio", "prices": [unit_price(1)], "version": 1}, "version"),
        ({"product_id": "studio", "customers": ["nobody"]}, "customers"),
        ({"product_id": "studio", "define": [{"event_type": "x"}]}, "define[0].unit_price"),
        ({"product_id": "studio", "define": [{"unit_price": "much"}]}, "define[0].unit_price"),
        ({"prices": [unit_price(1, "gold")]}, "prices[0].pricing[0].asset"),
        ({"prices": [unit_price(1)], "everyone": False}, "everyone"),
        ({"product_id": "studio", "target_margin": 100}, "target_margin"),
        ({"product_id": "studio", "max_rise": -1}, "max_rise"),
        (
            {
                "product_id": "studio",
                "occurred_from": "2026-03-02T00:00:00Z",
                "occurred_to": "2026-03-01T00:00:00Z",
            },
            "occurred_to",
        ),
    ],
)
async def test_what_makes_no_sense_is_refused_by_name(
    rest: httpx.AsyncClient, body: Any, field: str
) -> None:
    answer = await rest.post("/replays", content=exact_json.dumps(body))
    assert answer.status_code == 422, answer.text
    assert field in exact_json.loads(answer.content)["errors"]
    assert (await read(rest, "/replays"))["total_count"] == 0


async def test_what_is_not_there(rest: httpx.AsyncClient) -> None:
    answer = await rest.post("/replays", content=exact_json.dumps({"product_id": "none"}))
    assert answer.status_code == 404


@pytest.mark.usefixtures("business")
async def test_a_large_history_is_for_the_command_line(
    rest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("credyt_mcp.use_cases.replays.EVENTS_MAX", 6)
    answer = await rest.post("/replays", content=exact_json.dumps({"product_id": "studio"}))
    assert exact_json.loads(answer.content)["code"] == "too_many"
    assert "credyt-mcp replay" in exact_json.loads(answer.content)["hint"]
    assert (await read(rest, "/replays"))["total_count"] == 0
    await asked(rest, product_id="studio", customers=["jane"])


@pytest.mark.usefixtures("business")
async def test_charges_and_paid_fees_stand_in_both_figures(
    call: Call, rest: httpx.AsyncClient
) -> None:
    await call(create_charge, customer_id="jane", transaction_id="c1", asset="USD", amount="3.25")
    found = await asked(rest, product_id="studio", prices=[unit_price(2)])
    summary = (await call(list_customer_stats)).summary
    assert found["billed"]["gross_revenue"] == summary.gross_revenue == Decimal("10.25")
    assert found["billed"]["total_costs"] == summary.total_costs
    assert found["replayed"]["gross_revenue"] == Decimal("17.25")


async def test_a_grant_that_expires_before_dearer_usage_comes_does_not_pay_for_it(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock
) -> None:
    await a_product(call, unit_price(1))
    await call(create_wallet, external_id="jane", products=["studio"])
    await call(
        create_adjustment,
        customer_id="jane",
        transaction_id="t1",
        asset="USD",
        amount=10,
        reason="gift",
        expires_at=(NOW + timedelta(days=2)).isoformat(),
    )
    await call(record_event, customer_id="jane", id="1", event_type="image")
    clock.advance(timedelta(days=3))
    await call(record_event, customer_id="jane", id="2", event_type="image")
    found = await asked(rest, product_id="studio", prices=[unit_price(4)])
    [dry] = found["ran_dry"]["lowest"][0]["ran_dry"]
    assert (dry["event_id"], dry["lowest_balance"], dry["lowest_balance_billed"]) == ("2", -4, -1)
    assert found["ran_dry"]["newly"] == 0
