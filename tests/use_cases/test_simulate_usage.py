"""Simulation: the fees real usage would make, nothing kept, and a warning for what makes none."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from credyt_mcp.errors import InvalidRequest, NotFound, TooMany
from credyt_mcp.use_cases.assets import create_asset
from credyt_mcp.use_cases.products import create_product, create_product_version
from credyt_mcp.use_cases.simulations import simulate_usage
from credyt_mcp.use_cases.vendors import list_vendors
from tests.conftest import Call
from tests.samples import a_product, unit_price

VIDEO: dict[str, Any] = {
    "name": "Compute",
    "type": "usage_based",
    "usage_calculation": {
        "event_type": "video_generated",
        "usage_type": "unit_and_volume",
        "volume_field": "minutes",
        "billable_dimensions": ["speed"],
    },
    "pricing": [
        {
            "asset": "USD",
            "values": [
                {"name": "Fast", "dimensions": {"speed": "fast"}, "values": [{"volume_rate": 1}]},
                {
                    "dimensions": {"speed": "*"},
                    "values": [{"volume_rate": Decimal("0.4"), "unit_price": Decimal("0.05")}],
                },
            ],
        }
    ],
}


def tokens(name: str, field: str, rate: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": "usage_based",
        "usage_calculation": {
            "event_type": "response_completed",
            "usage_type": "volume",
            "volume_field": field,
        },
        "pricing": [{"asset": "USD", "values": [{"volume_rate": rate, "package_size": 1000000}]}],
    }


def event(event_type: str, event_id: str = "e1", **data: Any) -> dict[str, Any]:
    return {"id": event_id, "event_type": event_type, "data": data}


async def simulate(call: Call, *events: dict[str, Any], **fields: Any) -> Any:
    return await call(simulate_usage, product_id="demo", events=list(events), **fields)


async def demo(call: Call, *prices: dict[str, Any], **fields: Any) -> None:
    await call(create_product, name="Demo", code="demo", prices=list(prices), **fields)


async def test_a_fee_tells_the_terms_it_was_computed_on(call: Call) -> None:
    await demo(call, VIDEO)
    result = await simulate(call, event("video_generated", minutes=10, speed="fast"), version=1)
    fee = result.model_dump()["fees"][0]
    assert fee.pop("price_id").startswith("prc_")
    assert fee == {
        "price_name": "Compute",
        "currency": "USD",
        "usage_id": "e1",
        "event_type": "video_generated",
        "dimensions": {"speed": "fast"},
        "usage_type": "unit_and_volume",
        "volume_field": "minutes",
        "input_volume": 10,
        "volume_rate": 1,
        "description": "Fast",
        "amount": 10,
    }
    assert result.warnings == []
    other = await simulate(call, event("video_generated", minutes=Decimal("2.5"), speed="slow"))
    assert other.fees[0].dimensions == {"speed": "*"}
    assert other.fees[0].amount == Decimal("1.05")


async def test_one_event_can_make_several_fees_exact_to_the_nano(call: Call) -> None:
    await demo(
        call,
        tokens("Input", "input_tokens", Decimal("1.25")),
        tokens("Output", "output_tokens", 10),
    )
    result = await simulate(call, event("response_completed", input_tokens=1, output_tokens=12345))
    assert [fee.amount for fee in result.fees] == [Decimal("0.00000125"), Decimal("0.12345")]
    assert result.fees[1].package_size == 1000000


async def test_a_price_of_zero_is_a_fee_of_zero(call: Call) -> None:
    await call(create_asset, code="credits", name="Credits")
    free = {
        "name": "Tracking",
        "type": "usage_based",
        "usage_calculation": {"event_type": "seen", "usage_type": "unit"},
        "pricing": [
            {"asset": "credits", "values": [{"unit_price": 0}]},
            {"asset": "USD", "values": [{"unit_price": 1}]},
        ],
    }
    await demo(call, free)
    result = await simulate(call, event("seen"))
    assert [(fee.amount, fee.currency) for fee in result.fees] == [(0, "credits")]
    assert result.warnings == []


async def test_usage_without_a_fee_is_never_silent(call: Call) -> None:
    await demo(call, VIDEO)
    result = await simulate(
        call,
        event("vidoe_generated", "e1"),
        event("vidoe_generated", "e2"),
        event("video_generated", "e3", speed="fast"),
    )
    assert result.fees == []
    unknown, missing = result.warnings
    assert "'vidoe_generated'" in unknown and "'video_generated'" in unknown
    assert "e1, e2" in unknown
    assert "'video_generated'" in missing and "'minutes'" in missing and "e3" in missing


async def test_counts_start_at_0_and_run_over_the_events_of_a_request(call: Call) -> None:
    calls = {
        "name": "Calls",
        "type": "usage_based",
        "pricing_model": "tiered",
        "tiering": {"period": "monthly"},
        "usage_calculation": {"event_type": "api_call", "usage_type": "unit"},
        "pricing": [{"asset": "USD", "values": [{"up_to": 2, "unit_price": 5}, {"unit_price": 3}]}],
    }
    await demo(call, calls)
    events = [event("api_call", str(number)) for number in range(4)]
    for _ in range(2):
        assert [fee.amount for fee in (await simulate(call, *events)).fees] == [5, 5, 3, 3]
    events[2]["occurred_at"] = "2026-04-01T00:00:00Z"
    assert [fee.amount for fee in (await simulate(call, *events)).fees] == [5, 5, 5, 3]


async def test_each_version_keeps_its_own_price_and_drafts_can_be_tried(call: Call) -> None:
    await demo(call, VIDEO)
    dearer = {**VIDEO, "pricing": [{"asset": "EUR", "values": VIDEO["pricing"][0]["values"]}]}
    await call(create_product_version, product_id="demo", prices=[dearer])
    used = event("video_generated", minutes=1, speed="fast")
    assert (await simulate(call, used)).fees[0].currency == "USD"
    assert (await simulate(call, used, version=1)).fees[0].currency == "USD"
    assert (await simulate(call, used, version=2)).fees[0].currency == "EUR"
    with pytest.raises(NotFound):
        await simulate(call, used, version=3)


@pytest.mark.parametrize("volume", ["12", -1, True, None, [1]])
async def test_a_volume_must_be_a_number_from_0(call: Call, volume: Any) -> None:
    await demo(call, VIDEO)
    good = event("video_generated", minutes=0)
    with pytest.raises(InvalidRequest) as refused:
        await simulate(call, good, event("video_generated", minutes=volume))
    assert list(refused.value.errors) == ["events[1].data.minutes"]


async def test_a_request_holds_at_most_1000_events(call: Call) -> None:
    await demo(call, VIDEO)
    events = [event("video_generated", str(number), minutes=1) for number in range(1001)]
    assert len((await simulate(call, *events[:1000])).fees) == 1000
    with pytest.raises(TooMany):
        await simulate(call, *events)


async def test_model_calls_show_what_they_would_cost(call: Call) -> None:
    await a_product(call, unit_price(1))
    asked = {"provider": "openai", "model": "gpt-4o", "usage": {"prompt_tokens": 1000}}
    asked["usage"] |= {"completion_tokens": 100, "total_tokens": 1100}
    unknown = {**asked, "model": "house-model-1"}
    events = [{"id": "1", "event_type": "image", "llm_usage": [asked, unknown]}]
    answer = await call(simulate_usage, product_id="studio", events=events)
    known, other = answer.costs
    assert (known.usage_id, known.amount, known.currency) == ("1", Decimal("0.0035"), "USD")
    assert (other.amount, "house-model-1" in other.reason) == (None, True)
    assert (await call(list_vendors)).total_count == 0
    plain = await call(simulate_usage, product_id="studio", events=[{"id": "1", "event_type": "x"}])
    assert plain.costs is None
