"""Worked fees: what an event costs under each pricing model, dimension, clamp and asset."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from credyt_mcp.clock import to_micros
from credyt_mcp.domain.compiled_prices import UsagePrice
from credyt_mcp.domain.money import from_units
from credyt_mcp.domain.pricing import (
    NO_COUNTS,
    CounterKey,
    FeeTerms,
    counter_key,
    describe,
    quote,
)
from credyt_mcp.errors import AmountOutOfRange
from tests.domain.price_samples import (
    ASSETS,
    MAY,
    MONTHLY,
    TIERS,
    VIDEO,
    compiled,
    counted,
    fee,
    usage_of,
)


def fees_of_a_run(price: UsagePrice, *volumes: Any) -> list[Decimal]:
    """The fee of each event in turn, the running count carried along."""
    before, fees = NO_COUNTS, []
    for volume in volumes:
        result = quote(price, usage_of(price, {"tokens": Decimal(volume)}), before)
        assert result.after is not None
        before = result.after
        fees.append(from_units(result.options[0].amount, ASSETS["USD"]))
    return fees


def numbers(*texts: str) -> list[Decimal]:
    return [Decimal(text) for text in texts]


@pytest.mark.parametrize(
    ("value", "usage_type", "volume", "expected"),
    [
        ({"unit_price": "0.05"}, "unit", 0, "0.05"),
        ({"unit_price": 0}, "unit", 0, "0"),
        ({"unit_price": 2, "package_size": 1000}, "unit", 0, "0.002"),
        ({"volume_rate": "1.25", "package_size": 1000000}, "volume", 1000000, "1.25"),
        ({"volume_rate": "1.25", "package_size": 1000000}, "volume", 1, "0.00000125"),
        ({"volume_rate": 10, "package_size": 1000000}, "volume", 12345, "0.12345"),
        ({"volume_rate": "0.02", "package_size": 1000000}, "volume", 1, "0.00000002"),
        ({"volume_rate": 1, "package_size": 3}, "volume", 1, "0.333333333"),
        ({"volume_rate": 1, "package_size": 3}, "volume", 2, "0.666666667"),
        ({"volume_rate": "0.029", "unit_price": "0.30"}, "unit_and_volume", 100, "3.2"),
        ({"volume_rate": "0.029", "unit_price": "0.30"}, "unit_and_volume", 0, "0.3"),
        ({"volume_rate": "0.00002", "unit_price": "0.01"}, "unit_and_volume", 500, "0.02"),
        (
            {"volume_rate": 3, "unit_price": "0.5", "package_size": 100},
            "unit_and_volume",
            50,
            "2",
        ),
        ({"volume_rate": 1}, "volume", Decimal("0.0000000005"), "0"),
        ({"volume_rate": 1}, "volume", Decimal("0.0000000015"), "0.000000002"),
        ({"volume_rate": 1}, "volume", 0.1, "0.1"),
    ],
)
def test_a_flat_fee_is_the_rate_times_the_usage(
    value: dict[str, Any], usage_type: str, volume: object, expected: str
) -> None:
    assert fee(compiled([value], usage_type), {"tokens": volume}) == Decimal(expected)


@pytest.mark.parametrize(
    ("volume", "tiered", "bulk"),
    [
        ("0", "0", "0"),
        ("1", "0.01", "0.01"),
        ("1000", "10", "10"),
        ("1000.5", "10.004", "8.004"),
        ("1001", "10.008", "8.008"),
        ("10000", "82", "80"),
        ("10001", "82.005", "50.005"),
        ("20000", "132", "100"),
    ],
)
def test_tiers_include_their_bound_and_either_add_up_or_apply_to_everything(
    volume: str, tiered: str, bulk: str
) -> None:
    data = {"tokens": Decimal(volume)}
    assert fee(compiled(TIERS, "volume", pricing_model="tiered"), data) == Decimal(tiered)
    assert fee(compiled(TIERS, "volume", pricing_model="bulk"), data) == Decimal(bulk)


def test_a_running_count_charges_each_event_by_where_it_falls() -> None:
    tiered = compiled(TIERS, "volume", pricing_model="tiered", **MONTHLY)
    assert fees_of_a_run(tiered, 999, 1, 1, 8999, 1) == numbers(
        "9.99", "0.01", "0.008", "71.992", "0.005"
    )


def test_crossing_into_a_cheaper_bulk_tier_gives_a_credit() -> None:
    bulk = compiled(TIERS, "volume", pricing_model="bulk", **MONTHLY)
    assert fees_of_a_run(bulk, 1000, 1, 8999, 1) == numbers("10", "-1.992", "71.992", "-29.995")


def test_events_are_counted_when_the_usage_type_is_unit() -> None:
    values = [{"up_to": 2, "unit_price": 5}, {"unit_price": 3}]
    price = compiled(values, pricing_model="tiered", **MONTHLY)
    assert [fee(price, {}, counted(n)) for n in range(4)] == numbers("5", "5", "3", "3")


@pytest.mark.parametrize(
    ("volume", "expected"), [("0", "0"), ("0.5", "2"), ("100", "2"), ("100.1", "4"), ("201", "6")]
)
def test_packages_are_charged_whole(volume: str, expected: str) -> None:
    price = compiled([{"package_size": 100, "volume_rate": 2}], "volume", pricing_model="package")
    assert fee(price, {"tokens": Decimal(volume)}) == Decimal(expected)


def test_a_package_bought_in_the_period_is_used_up_before_the_next_is_charged() -> None:
    price = compiled(
        [{"package_size": 100, "volume_rate": 2}], "volume", pricing_model="package", **MONTHLY
    )
    assert fees_of_a_run(price, 60, 40, 1, 250) == numbers("2", "0", "2", "4")


@pytest.mark.parametrize(
    ("model", "fees"), [("tiered", ["2", "2", "1", "0", "1"]), ("bulk", ["2", "2", "-1", "0", "1"])]
)
def test_tiers_can_count_whole_packages(model: str, fees: list[str]) -> None:
    values = [
        {"up_to": 2, "volume_rate": 2, "package_size": 10},
        {"volume_rate": 1, "package_size": 10},
    ]
    tiering = {"basis": "package", "period": "yearly"}
    price = compiled(values, "volume", pricing_model=model, tiering=tiering)
    assert fees_of_a_run(price, 5, 15, 1, 9, 1) == numbers(*fees)


@pytest.mark.parametrize(
    ("model", "fees"),
    [
        ("tiered", ["0", "5", "0", "101", "1"]),
        ("bulk", ["0", "5", "0", "98", "1"]),
    ],
)
def test_a_flat_fee_is_charged_once_per_tier(model: str, fees: list[str]) -> None:
    values = [
        {"up_to": 10, "flat_fee": 5},
        {"volume_rate": 1, "flat_fee": 100 if model == "tiered" else 92},
    ]
    price = compiled(values, "volume", pricing_model=model, **MONTHLY)
    assert fees_of_a_run(price, 0, 1, 9, 1, 1) == numbers(*fees)


@pytest.mark.parametrize(("basis", "fees"), [("volume", ["8", "7"]), ("unit", ["6", "5"])])
def test_the_rate_the_tiers_do_not_count_is_added_unchanged(basis: str, fees: list[str]) -> None:
    tiered, other = (
        ("volume_rate", "unit_price") if basis == "volume" else ("unit_price", "volume_rate")
    )
    values = [{"up_to": 1, tiered: 4, other: 1}, {tiered: 3, other: 1}]
    price = compiled(
        values,
        "unit_and_volume",
        pricing_model="tiered",
        tiering={"basis": basis, "period": "lifetime"},
    )
    assert fees_of_a_run(price, 2, 2) == numbers(*fees)


def test_the_package_size_belongs_to_the_volume_even_when_tiers_count_events() -> None:
    values = [
        {"up_to": 1, "unit_price": 4, "volume_rate": 6, "package_size": 1000},
        {"unit_price": 3, "volume_rate": 6, "package_size": 1000},
    ]
    price = compiled(
        values,
        "unit_and_volume",
        pricing_model="tiered",
        tiering={"basis": "unit", "period": "monthly"},
    )
    assert fees_of_a_run(price, 500, 500) == numbers("7", "6")


@pytest.mark.parametrize(
    ("volume", "expected"), [(0, "0.5"), (3, "0.5"), (5, "0.5"), (8, "0.8"), (11, "1"), (50, "5")]
)
def test_clamps_are_those_of_the_tier_reached_and_hold_without_any_usage(
    volume: int, expected: str
) -> None:
    values: list[dict[str, Any]] = [
        {"up_to": 20, "volume_rate": "0.1", "min_amount": "0.5", "max_amount": 1},
        {"volume_rate": "0.1"},
    ]
    price = compiled(values, "volume", pricing_model="tiered")
    assert fee(price, {"tokens": volume}) == Decimal(expected)


def test_a_minimum_holds_even_where_a_bulk_tier_would_give_a_credit() -> None:
    values = [{"up_to": 10, "unit_price": 2}, {"unit_price": 1, "min_amount": 0}]
    price = compiled(values, pricing_model="bulk", **MONTHLY)
    assert fee(price, {}, counted(10)) == 0
    assert fee(price, {}, counted(11)) == 1


def test_every_listed_asset_is_quoted_in_listed_order_at_its_own_scale() -> None:
    pricing = [
        {"asset": "CREDIT", "values": [{"volume_rate": 2, "package_size": 3}]},
        {"asset": "USD", "values": [{"volume_rate": 1, "package_size": 3}]},
    ]
    price = compiled([], "volume", pricing=pricing)
    options = quote(price, usage_of(price, {"tokens": 1})).options
    assert [(o.asset.code, o.amount) for o in options] == [("CREDIT", 666667), ("USD", 333333333)]


def test_an_asset_without_a_matching_entry_is_left_out_of_the_quote() -> None:
    entry = {"dimensions": {"speed": "fast"}, "values": [{"unit_price": 1}]}
    pricing = [
        {"asset": "CREDIT", "values": [entry]},
        {"asset": "USD", "values": [{"unit_price": 2}]},
    ]
    price = compiled([], dimensions=("speed",), pricing=pricing)
    options = quote(price, usage_of(price, {"speed": "slow"})).options
    assert [(o.asset.code, o.amount) for o in options] == [("USD", 2_000_000_000)]


def test_a_fee_that_does_not_fit_is_refused_but_a_large_running_total_is_not() -> None:
    with pytest.raises(AmountOutOfRange) as caught:
        fee(compiled([{"volume_rate": 1}], "volume"), {"tokens": 10**10})
    assert list(caught.value.errors) == ["data.tokens"]
    price = compiled([{"volume_rate": 1}], "volume", **MONTHLY)
    assert fee(price, {"tokens": 1}, counted(5, 10**11)) == 1


def test_a_count_runs_per_price_name_exact_dimensions_and_period() -> None:
    price = compiled(VIDEO, "volume", dimensions=("speed",), pricing_model="flat", **MONTHLY)

    def key(speed: str) -> CounterKey | None:
        return counter_key(price, usage_of(price, {"tokens": 1, "speed": speed}), to_micros(MAY))

    start = to_micros(datetime(2026, 5, 1, tzinfo=UTC))
    assert key("fast") == CounterKey("Calls", '{"speed":"fast"}', start)
    assert key("glacial") == key("other") == CounterKey("Calls", "", start)


def test_a_count_continues_in_a_version_that_lists_its_entries_otherwise() -> None:
    one = compiled(VIDEO, "volume", dimensions=("speed",), **MONTHLY)
    two = compiled(VIDEO[::-1], "volume", dimensions=("speed",), **MONTHLY)
    data = {"tokens": 1, "speed": "fast"}
    keys = [counter_key(price, usage_of(price, data), to_micros(MAY)) for price in (one, two)]
    assert keys[0] == keys[1]


def test_without_a_period_each_event_starts_from_nothing() -> None:
    price = compiled(TIERS, "volume", pricing_model="tiered")
    usage = usage_of(price, {"tokens": 1})
    assert counter_key(price, usage, to_micros(MAY)) is None
    result = quote(price, usage, counted(9, 99999))
    assert result.after is None
    assert result.options[0].amount == 10_000_000


def test_the_running_count_moves_on_by_the_events_usage() -> None:
    price = compiled(TIERS, "volume", pricing_model="tiered", **MONTHLY)
    result = quote(price, usage_of(price, {"tokens": Decimal("0.25")}), counted(3, "999.75"))
    assert result.after == counted(4, 1000)
    assert result.options[0].value == 0


def test_a_fee_can_be_explained_from_where_it_came_from() -> None:
    values: list[dict[str, Any]] = [
        {"up_to": 10, "volume_rate": 3, "package_size": 5},
        {"name": "Late", "volume_rate": 2, "package_size": 5},
    ]
    price = compiled(values, "volume", pricing_model="tiered")
    usage = usage_of(price, {"tokens": 11})
    (option,) = quote(price, usage).options
    assert usage.input_volume == 11
    assert describe(price, "USD", option.entry, option.value) == FeeTerms(
        None, None, Decimal(2), Decimal(5), "Late"
    )
    with pytest.raises(KeyError):
        describe(price, "EUR", 0, 0)
