"""Recording usage: priced, debited once, all or nothing, and readable at once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import IdReused, InvalidRequest, OutsideWindow, TooMany, UnknownReference
from credyt_mcp.use_cases.events import get_event, list_events, record_event, submit_events
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.vendors import create_vendor
from tests.conftest import NOW, Call
from tests.samples import (
    TIERED,
    a_product,
    a_wallet,
    balances,
    credits_asset,
    unit_price,
    volume_price,
)


async def test_an_event_is_debited_to_the_last_nano_dollar(call: Call) -> None:
    await a_product(call, volume_price("1.25", package_size=1_000_000))
    await a_wallet(call, "studio", credit="12345678.123456789")
    recorded = await call(
        record_event, customer_id="jane", id="c1", event_type="chat", data={"tokens": 1}
    )
    assert recorded.fees[0].amount == Decimal("0.00000125")
    assert recorded.balances == {"default:USD": Decimal("12345678.123455539")}
    assert await balances(call) == recorded.balances


async def test_the_same_id_is_billed_once_and_says_so(call: Call, clock: FrozenClock) -> None:
    await a_product(call, unit_price("0.5"))
    await a_wallet(call, "studio", credit=2)
    event = {"customer_id": "jane", "id": "img-1", "event_type": "image", "data": {"size": 1}}
    first = await call(record_event, **event)
    clock.advance(timedelta(days=400))  # no window: an id is billed once, ever
    again = await call(record_event, **event, occurred_at=NOW)
    assert (first.duplicate, again.duplicate) == (False, True)
    assert again.fees == first.fees
    assert await balances(call) == {"default:USD": Decimal("1.5")}


@pytest.mark.parametrize(
    "change", [{"event_type": "chat"}, {"data": {"size": 2}}, {"customer_id": "other"}]
)
async def test_the_same_id_with_other_contents_is_refused(
    call: Call, change: dict[str, Any]
) -> None:
    await a_product(call, unit_price("0.5"))
    await a_wallet(call, "studio", credit=2)
    await a_wallet(call, "studio", credit=2, who="other")
    event = {"customer_id": "jane", "id": "img-1", "event_type": "image", "data": {"size": 1}}
    await call(record_event, **event)
    with pytest.raises(IdReused, match="img-1"):
        await call(record_event, **{**event, **change})
    assert await balances(call) == {"default:USD": Decimal("1.5")}
    assert await balances(call, "other") == {"default:USD": Decimal(2)}


async def test_usage_is_billed_in_full_below_zero(call: Call) -> None:
    await a_product(call, unit_price(3))
    await a_wallet(call, "studio", credit=2)
    recorded = await call(record_event, customer_id="jane", id="1", event_type="image")
    assert recorded.balances == {"default:USD": Decimal(-1)}


async def test_a_request_goes_through_whole_or_not_at_all(call: Call) -> None:
    await a_product(call, unit_price("0.5"), volume_price(1), TIERED)
    await a_wallet(call, "studio", credit=2)
    good: list[dict[str, Any]] = [
        {"id": "1", "event_type": "image"},
        {"id": "2", "event_type": "call"},
    ]
    bad = {"id": "3", "event_type": "chat", "data": {"tokens": "many"}}
    with pytest.raises(InvalidRequest) as refused:
        await call(submit_events, customer_id="jane", events=[*good, bad])
    assert refused.value.errors == {"events[2].data.tokens": ["must be a number"]}
    assert await balances(call) == {"default:USD": Decimal(2)}
    assert (await call(list_events)).total_count == 0
    await call(submit_events, customer_id="jane", events=good)
    # Had the refused request left the tier's count behind, this would be in the next tier.
    recorded = await call(record_event, customer_id="jane", id="4", event_type="call")
    assert recorded.fees[0].amount == Decimal("0.01")


async def test_an_id_twice_in_one_request_is_billed_once(call: Call) -> None:
    await a_product(call, unit_price("0.5"))
    await a_wallet(call, "studio", credit=2)
    event = {"id": "1", "event_type": "image"}
    accepted = await call(submit_events, customer_id="jane", events=[event, event])
    assert [entry.duplicate for entry in accepted.events] == [False, True]
    assert accepted.balances == {"default:USD": Decimal("1.5")}


async def test_tiers_count_over_the_month_and_start_anew(call: Call, clock: FrozenClock) -> None:
    await a_product(call, TIERED)
    await a_wallet(call, "studio", credit=1)
    fees = []
    for number in range(4):
        recorded = await call(record_event, customer_id="jane", id=str(number), event_type="call")
        fees.append(recorded.fees[0].amount)
    clock.advance(timedelta(days=30))
    recorded = await call(record_event, customer_id="jane", id="next", event_type="call")
    assert [str(fee) for fee in [*fees, recorded.fees[0].amount]] == [
        "0.01",
        "0.01",
        "0.008",
        "0.008",
        "0.01",
    ]


async def test_the_first_listed_asset_that_covers_the_fee_pays(call: Call) -> None:
    await credits_asset(call)
    price = unit_price(10, asset="credits")
    price["pricing"].append({"asset": "USD", "values": [{"unit_price": "0.5"}]})
    await a_product(call, price)
    credit = [{"asset": "credits", "amount": 15}, {"asset": "USD", "amount": "0.6"}]
    await a_wallet(call, "studio", credit=credit)
    seen = []
    for number in range(3):
        await call(record_event, customer_id="jane", id=str(number), event_type="image")
        seen.append(await balances(call))
    assert seen == [
        {"default:credits": Decimal(5), "default:USD": Decimal("0.6")},
        {"default:credits": Decimal(5), "default:USD": Decimal("0.1")},
        {"default:credits": Decimal(-5), "default:USD": Decimal("0.1")},
    ]


async def test_what_an_event_owes_already_cannot_cover_its_next_fee(call: Call) -> None:
    await credits_asset(call)
    first, second = unit_price(6), unit_price(6)
    second["name"] = "Also per image"
    second["pricing"].append({"asset": "credits", "values": [{"unit_price": 100}]})
    await a_product(call, first, second)
    credit = [{"asset": "USD", "amount": 10}, {"asset": "credits", "amount": 500}]
    await a_wallet(call, "studio", credit=credit)
    await call(record_event, customer_id="jane", id="1", event_type="image")
    assert await balances(call) == {"default:USD": Decimal(4), "default:credits": Decimal(400)}


async def test_what_a_cheaper_tier_pays_back_goes_where_the_fees_came_from(call: Call) -> None:
    await credits_asset(call)
    price = unit_price(2)
    price |= {"pricing_model": "bulk", "tiering": {"period": "monthly"}}
    price["pricing"] = [
        {"asset": asset, "values": [{"up_to": 2, "unit_price": high}, {"unit_price": low}]}
        for asset, high, low in (("USD", 2, 1), ("credits", 40, 20))
    ]
    await a_product(call, price)
    await a_wallet(call, "studio")
    for number in range(3):
        await call(record_event, customer_id="jane", id=str(number), event_type="image")
    assert await balances(call) == {"default:USD": Decimal(-3), "default:credits": Decimal(0)}


@pytest.mark.parametrize("tokens", [-1, "many", True])
async def test_an_unusable_volume_of_a_counted_price_is_refused_by_name(
    call: Call, tokens: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await a_product(call, volume_price(1) | {"tiering": {"period": "monthly"}})
    await a_wallet(call, "studio", credit=2)
    event = {"id": "1", "event_type": "chat", "data": {"tokens": tokens}}
    with pytest.raises(InvalidRequest) as refused:
        await call(submit_events, customer_id="jane", events=[event])
    assert list(refused.value.errors) == ["events[0].data.tokens"]
    assert not caplog.records  # a refusal, not a failed batch


async def test_what_makes_no_fee_is_recorded_and_says_why(call: Call) -> None:
    await a_product(call, unit_price(1), volume_price(1))
    await a_wallet(call, "studio")
    unknown = await call(record_event, customer_id="jane", id="1", event_type="imagee")
    assert "'imagee'" in unknown.warnings[0] and "'image'" in unknown.warnings[0]
    missing = await call(record_event, customer_id="jane", id="2", event_type="chat")
    assert "'tokens'" in missing.warnings[0]
    assert unknown.fees == missing.fees == []
    listed = await call(list_events, has_fees=False)
    assert {item.id for item in listed.items} == {"1", "2"}


async def test_usage_before_the_subscription_makes_no_fee(call: Call) -> None:
    await a_product(call, unit_price(1))
    await a_wallet(call, "studio")
    early = await call(
        record_event,
        customer_id="jane",
        id="1",
        event_type="image",
        occurred_at=NOW - timedelta(seconds=1),
    )
    assert early.fees == []


@pytest.mark.parametrize("offset", [timedelta(days=-36), timedelta(minutes=6)])
async def test_events_outside_the_window_are_refused(call: Call, offset: timedelta) -> None:
    await a_wallet(call)
    with pytest.raises(OutsideWindow, match=r"events\[0\]\.occurred_at"):
        event = {"id": "1", "event_type": "image", "occurred_at": NOW + offset}
        await call(submit_events, customer_id="jane", events=[event])
    assert (await call(list_events)).total_count == 0


async def test_what_does_not_exist_is_named(call: Call) -> None:
    with pytest.raises(UnknownReference, match="customer_id"):
        await call(record_event, customer_id="nobody", id="1", event_type="image")
    await a_wallet(call)
    cost = {"id": "k1", "vendor_id": "vnd_none", "amount": 1}
    with pytest.raises(UnknownReference, match=r"costs\[0\]\.vendor_id"):
        await call(record_event, customer_id="jane", id="1", event_type="image", costs=[cost])
    many = [{"id": str(number), "event_type": "image"} for number in range(1001)]
    with pytest.raises(TooMany):
        await call(submit_events, customer_id="jane", events=many)


async def test_an_event_reads_back_with_fees_costs_and_profit(call: Call) -> None:
    vendor = await call(create_vendor, name="OpenAI", external_id="openai")
    await a_product(call, unit_price("0.5"))
    customer = await a_wallet(call, "studio")
    cost = {"id": "k1", "vendor_external_id": "openai", "amount": "0.16", "category": "inference"}
    await call(
        record_event,
        customer_id="jane",
        id="0b1f6c1e-3c1b-4c6e-9d5e-1f2a3b4c5d6e",
        event_type="image",
        subject="image_1",
        data={"width": 1024, "hd": True, "scale": "1.5"},
        costs=[cost, cost],
    )
    event = await call(get_event, event_id="0b1f6c1e-3c1b-4c6e-9d5e-1f2a3b4c5d6e")
    assert event.customer_id == customer.customer_id
    assert event.data == {"width": 1024, "hd": True, "scale": "1.5"}
    assert [(fee.product_code, fee.product_version, fee.amount) for fee in event.fees] == [
        ("studio", 1, Decimal("0.5"))
    ]
    assert [(entry.vendor_id, entry.amount) for entry in event.costs] == [
        (vendor.id, Decimal("0.16"))
    ]
    assert event.stats is not None
    assert (event.stats.total_costs, event.stats.net_revenue, event.stats.margin) == (
        Decimal("0.16"),
        Decimal("0.34"),
        Decimal(68),
    )


async def test_lists_filter_and_page_newest_first(call: Call, clock: FrozenClock) -> None:
    await a_product(call, unit_price(1))
    await a_wallet(call, "studio")
    await a_wallet(call, who="other")
    for number in range(3):
        await call(
            record_event, customer_id="jane", id=f"e{number}", event_type="image", subject="s"
        )
        clock.advance(timedelta(days=1))
    await call(record_event, customer_id="other", id="o1", event_type="chat")
    page = await call(list_events, limit=2)
    assert ([item.id for item in page.items], page.total_count) == (["o1", "e2"], 4)
    for wanted, expected in (
        ({"customer_external_id": "other"}, ["o1"]),
        ({"event_types": "chat,none"}, ["o1"]),
        ({"subject": "s", "period_to": "2026-03-11"}, ["e1", "e0"]),
        ({"period_from": "2026-03-12", "event_types": "image"}, ["e2"]),
        ({"event_id": "e1"}, ["e1"]),
        ({"has_fees": True, "limit": 1, "offset": 2}, ["e0"]),
    ):
        assert [item.id for item in (await call(list_events, **wanted)).items] == expected


async def test_many_callers_on_one_wallet_leave_exact_books(call: Call) -> None:
    await a_product(call, unit_price("0.000000001"))
    await a_wallet(call, "studio", credit=1)
    ids = [f"e{number - number % 10 if number % 10 == 1 else number}" for number in range(300)]
    answers = await asyncio.gather(
        *(call(record_event, customer_id="jane", id=name, event_type="image") for name in ids)
    )
    assert sum(not answer.duplicate for answer in answers) == len(set(ids)) == 270
    assert await balances(call) == {"default:USD": Decimal("0.99999973")}
    assert (await call(verify_ledger)).ok
