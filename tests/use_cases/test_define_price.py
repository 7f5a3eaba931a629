"""define_price: plain arguments become a price in the right version, with a worked example."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import anyio
import pytest

from credyt_mcp.errors import InvalidRequest, NotFound, UnknownReference, WrongState
from credyt_mcp.use_cases.assets import create_asset
from credyt_mcp.use_cases.customers import create_customer
from credyt_mcp.use_cases.price_definitions import define_price
from credyt_mcp.use_cases.product_versions import (
    archive_version,
    delete_product,
    get_version,
    update_version,
)
from credyt_mcp.use_cases.products import create_product, create_product_version, get_product
from credyt_mcp.use_cases.simulations import simulate_usage
from tests.conftest import Call

IMAGE: dict[str, Any] = {
    "product_id": "app",
    "event_type": "image_generated",
    "asset": "credits",
    "unit_price": 10,
}
INPUT: dict[str, Any] = {
    "product_id": "app",
    "event_type": "response_completed",
    "volume_field": "input_tokens",
    "volume_rate": Decimal("1.25"),
    "package_size": 1000000,
}


@pytest.fixture
async def app(call: Call) -> None:
    """A draft product, and an asset."""
    await call(create_asset, code="credits", name="Credits")
    await call(create_product, name="App", code="app")


async def fees(call: Call, event_type: str, version: Any = "default", **data: Any) -> list[Any]:
    events = [{"id": "1", "event_type": event_type, "data": data}]
    result = await call(simulate_usage, product_id="app", version=version, events=events)
    return [fee.amount for fee in result.fees]


async def names(call: Call, version: Any = "default") -> list[str]:
    details = await call(get_version, product_id="app", version=version)
    return [price.name for price in details.prices]


@pytest.mark.usefixtures("app")
async def test_the_first_price_completes_the_draft_and_publishes_it(call: Call) -> None:
    defined = await call(define_price, **IMAGE)
    assert (defined.version, defined.status, defined.is_default) == (1, "published", True)
    assert (defined.code, defined.replaced, defined.note) == ("app", False, None)
    assert defined.example == "1 image_generated event costs 10 credits"
    price = defined.model_dump()["price"]
    assert price["id"].startswith("prc_")
    assert price["name"] == "image_generated"
    assert price["usage_calculation"] == {"event_type": "image_generated", "usage_type": "unit"}
    assert await fees(call, "image_generated") == [10]


@pytest.mark.usefixtures("app")
async def test_input_and_output_tokens_are_two_prices_of_one_event(call: Call) -> None:
    first = await call(define_price, **INPUT, publish=False)
    assert (first.status, first.is_default) == ("draft", False)
    assert first.example == "1,000 input_tokens cost 0.00125 USD"
    second = await call(
        define_price, **{**INPUT, "volume_field": "output_tokens", "volume_rate": 10}
    )
    assert (second.version, second.status, second.note) == (1, "published", None)
    assert second.example == "1,000 output_tokens cost 0.01 USD"
    charged = await fees(call, "response_completed", input_tokens=1, output_tokens=1)
    assert charged == [Decimal("0.00000125"), Decimal("0.00001")]


@pytest.mark.usefixtures("app")
async def test_a_price_can_differ_by_model(call: Call) -> None:
    twice = [{"dimensions": {"model": "x"}, "volume_rate": Decimal("2.5")}]
    defined = await call(define_price, **INPUT, rates=twice)
    assert defined.example == (
        "model=x: 1,000 input_tokens cost 0.0025 USD; "
        "otherwise: 1,000 input_tokens cost 0.00125 USD"
    )
    for model, fee in (({"model": "x"}, "0.0025"), ({"model": "y"}, "0.00125"), ({}, "0.00125")):
        charged = await fees(call, "response_completed", input_tokens=1000, **model)
        assert charged == [Decimal(fee)]
    await call(
        define_price,
        product_id="app",
        event_type="image_generated",
        rates=[{"dimensions": {"size": "xl", "hd": True}, "unit_price": 3}],
    )
    assert await fees(call, "image_generated", size="xl", hd=True) == [3]
    assert await fees(call, "image_generated", size="xl") == []


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(
    ("model", "example", "fee"),
    [
        (
            "tiered",
            "1,000 api_call events in a month cost 10 USD, 10,001 cost 82.005 USD",
            "0.01",
        ),
        ("bulk", "1,000 api_call events in a month cost 10 USD, 10,001 cost 50.005 USD", "0.01"),
    ],
)
async def test_tiers_count_over_a_period(call: Call, model: str, example: str, fee: str) -> None:
    defined = await call(
        define_price,
        product_id="app",
        event_type="api_call",
        pricing_model=model,
        period="monthly",
        tiers=[
            {"up_to": 1000, "unit_price": Decimal("0.01")},
            {"up_to": 10000, "unit_price": Decimal("0.008")},
            {"unit_price": Decimal("0.005")},
        ],
    )
    assert defined.example == example
    assert await fees(call, "api_call") == [Decimal(fee)]


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(
    ("price", "example"),
    [
        (
            {"unit_price": "0.30", "volume_rate": "0.029", "volume_field": "amount"},
            "1 sale event with 10 amount costs 0.59 USD",
        ),
        ({"unit_price": 2, "package_size": 1000}, "1 sale event costs 0.002 USD"),
        (
            {
                "volume_rate": 2,
                "volume_field": "calls",
                "package_size": 100,
                "pricing_model": "package",
            },
            "100 calls cost 2 USD, 101 cost 4 USD",
        ),
        (
            {"volume_rate": "0.00002", "volume_field": "tokens", "min_amount": "0.5"},
            "1,000 tokens cost 0.5 USD",
        ),
        (
            {
                "volume_field": "gb",
                "tiers": [{"up_to": 5, "flat_fee": 1}, {"volume_rate": 3}],
            },
            "5 gb cost 1 USD, 6 cost 4 USD",
        ),
        ({"unit_price": 0}, "1 sale event costs 0 USD"),
    ],
)
async def test_the_example_is_what_would_be_charged(
    call: Call, price: dict[str, Any], example: str
) -> None:
    defined = await call(define_price, product_id="app", event_type="sale", **price)
    assert defined.example == example


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(
    ("interval", "name", "example"),
    [("month", "Monthly fee", "20.5 USD every month"), (None, "One-time fee", "20.5 USD once")],
)
async def test_a_fixed_fee_recurs_or_is_paid_once(
    call: Call, interval: str | None, name: str, example: str
) -> None:
    defined = await call(
        define_price, product_id="app", fixed_price=Decimal("20.50"), interval=interval
    )
    assert (defined.price.name, defined.example) == (name, example)
    kind = defined.model_dump()["price"]["billing_model"]["type"]
    assert kind == ("recurring" if interval else "one_time")


@pytest.mark.usefixtures("app")
async def test_a_published_product_gets_a_next_version_with_the_rest_carried_over(
    call: Call,
) -> None:
    await call(create_asset, code="gems", name="Gems")
    gems = {
        "name": "Welcome",
        "asset": "gems",
        "amount": 5,
        "purpose": "promotion",
        "lifecycle": {"duration": "month"},
    }
    await call(create_product_version, product_id="app", prices=[], entitlements=[gems])
    await call(define_price, **INPUT)
    before = await call(get_version, product_id="app", version=2)
    added = await call(define_price, **IMAGE)
    assert (added.version, added.status, added.is_default) == (3, "published", True)
    assert await names(call) == ["response_completed input_tokens", "image_generated"]
    after = await call(get_version, product_id="app", version=3)
    assert after.entitlements == before.entitlements
    assert {price.id for price in after.prices}.isdisjoint(price.id for price in before.prices)
    unchanged = await call(get_version, product_id="app", version=2)
    assert unchanged.prices == before.prices


@pytest.mark.usefixtures("app")
async def test_a_price_of_the_same_name_is_replaced(call: Call) -> None:
    await call(define_price, **IMAGE, name="Image")
    await call(define_price, **INPUT)
    dearer = await call(define_price, **{**IMAGE, "unit_price": 20}, name="Image")
    assert (dearer.version, dearer.replaced) == (3, True)
    assert await names(call) == ["Image", "response_completed input_tokens"]
    assert await fees(call, "image_generated") == [20]
    assert await fees(call, "image_generated", version=1) == [10]


@pytest.mark.usefixtures("app")
async def test_without_a_name_the_price_of_the_same_usage_is_meant(call: Call) -> None:
    await call(define_price, **IMAGE, name="Image")
    dearer = await call(define_price, **{**IMAGE, "unit_price": 20})
    assert (dearer.price.name, dearer.replaced, dearer.note) == ("Image", True, None)
    assert await fees(call, "image_generated") == [20]


@pytest.mark.usefixtures("app")
async def test_two_prices_of_the_same_usage_are_pointed_out(call: Call) -> None:
    await call(define_price, **IMAGE, name="Image")
    second = await call(define_price, **IMAGE, name="Surcharge")
    assert "'Image' charges the same usage" in second.note
    assert await fees(call, "image_generated") == [10, 10]


@pytest.mark.usefixtures("app")
async def test_repeating_a_definition_makes_no_further_version(call: Call) -> None:
    first = await call(define_price, **IMAGE)
    assert (await call(define_price, **IMAGE)).model_dump() == {
        **first.model_dump(),
        "replaced": True,
    }
    assert len((await call(get_product, product_id="app")).versions) == 1


@pytest.mark.usefixtures("app")
async def test_an_unpublished_change_stays_a_draft_that_the_next_one_completes(call: Call) -> None:
    await call(define_price, **IMAGE)
    draft = await call(define_price, **INPUT, publish=False)
    assert (draft.version, draft.status, draft.is_default) == (2, "draft", False)
    assert await names(call) == ["image_generated"]
    replaced = await call(define_price, **{**INPUT, "volume_rate": 3}, publish=False)
    assert (replaced.version, replaced.replaced) == (2, True)
    done = await call(define_price, **{**IMAGE, "unit_price": 11})
    assert (done.version, done.status, done.is_default) == (2, "published", True)
    assert await fees(call, "response_completed", input_tokens=1000000) == [3]
    assert await fees(call, "image_generated", version=1) == [10]


@pytest.mark.usefixtures("app")
async def test_archived_versions_are_passed_over(call: Call) -> None:
    await call(define_price, **IMAGE)
    await call(define_price, **INPUT)
    await call(update_version, product_id="app", version=1, make_default=True)
    await call(archive_version, product_id="app", version=2)
    fee = await call(define_price, product_id="app", fixed_price=1)
    assert fee.version == 3
    assert await names(call) == ["image_generated", "One-time fee"]


@pytest.mark.usefixtures("app")
async def test_subscribers_stay_where_they_are_and_that_is_said(call: Call) -> None:
    await call(define_price, **IMAGE)
    await call(create_customer, name="Jane", subscriptions=[{"products": [{"code": "app"}]}])
    changed = await call(define_price, **{**IMAGE, "unit_price": 20})
    assert "stay on the version" in changed.note


@pytest.mark.usefixtures("app")
async def test_concurrent_definitions_all_survive(call: Call) -> None:
    await call(define_price, **IMAGE)

    async def define(number: int) -> None:
        await call(define_price, product_id="app", event_type=f"event{number}", unit_price=1)

    async with anyio.create_task_group() as group:
        for number in range(4):
            group.start_soon(define, number)
    assert sorted(await names(call)) == ["event0", "event1", "event2", "event3", "image_generated"]
    assert len((await call(get_product, product_id="app")).versions) == 5


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("event_type", {"unit_price": 1}),
        ("unit_price", {"event_type": "e"}),
        ("volume_field", {"event_type": "e", "volume_rate": 1}),
        ("volume_field", {"event_type": "e", "unit_price": 1, "volume_field": "tokens"}),
        ("interval", {"event_type": "e", "unit_price": 1, "interval": "month"}),
        ("event_type", {"event_type": "e", "fixed_price": 1}),
        ("rates[0]", {"event_type": "e", "rates": [{"dimensions": {"a": "b"}}]}),
        (
            "rates",
            {
                "event_type": "e",
                "unit_price": 1,
                "rates": [{"dimensions": {"a": "*"}, "unit_price": 1}],
            },
        ),
        ("tiers", {"event_type": "e", "unit_price": 1, "pricing_model": "bulk"}),
        ("period", {"event_type": "e", "unit_price": 1, "period": "monthly"}),
        (
            "period",
            {"event_type": "e", "tiers": [{"up_to": 1, "unit_price": 1}, {"unit_price": 2}]},
        ),
        (
            "tiers",
            {
                "event_type": "e",
                "period": "monthly",
                "tiers": [
                    {"up_to": 10, "unit_price": 3},
                    {"up_to": 10, "unit_price": 2},
                    {"unit_price": 1},
                ],
            },
        ),
        (
            "unit_price",
            {"event_type": "e", "period": "monthly", "unit_price": 1, "tiers": [{"unit_price": 1}]},
        ),
        (
            "package_size",
            {"event_type": "e", "unit_price": 1, "pricing_model": "package", "period": "monthly"},
        ),
        ("min_amount", {"event_type": "e", "unit_price": 1, "min_amount": 2, "max_amount": 1}),
        ("unit_price", {"event_type": "e", "unit_price": 99999999999}),
        ("fixed_price", {"fixed_price": Decimal("0.0000000001")}),
    ],
)
async def test_a_refusal_names_the_argument_and_changes_nothing(
    call: Call, argument: str, given: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await call(define_price, product_id="app", **given)
    assert list(refused.value.errors) == [argument]
    assert (await call(get_version, product_id="app", version=1)).prices == []


@pytest.mark.usefixtures("app")
async def test_what_is_not_there_or_gone_is_said(call: Call) -> None:
    with pytest.raises(UnknownReference) as refused:
        await call(define_price, **{**IMAGE, "asset": "gold"})
    assert list(refused.value.errors) == ["asset"]
    with pytest.raises(NotFound):
        await call(define_price, **{**IMAGE, "product_id": "nothing"})
    await call(define_price, **IMAGE)
    await call(create_customer, name="Jane", subscriptions=[{"products": [{"code": "app"}]}])
    await call(delete_product, product_id="app")
    with pytest.raises(WrongState):
        await call(define_price, **INPUT)
