"""What an event reports to a price: the entry its dimensions choose, and a usable volume."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations

import pytest

from credyt_mcp.domain.money import from_units
from credyt_mcp.domain.pricing import Unpriced, describe, measure, quote
from credyt_mcp.errors import InvalidRequest
from tests.domain.price_samples import VIDEO, compiled, fee, usage_of


@pytest.mark.parametrize(
    ("data", "expected", "name"),
    [
        ({"speed": "fast"}, "10", "Fast"),
        ({"speed": "regular"}, "4", "Regular"),
        ({"speed": "glacial"}, "3", "Other"),
        ({"speed": "*"}, "3", "Other"),
        ({"speed": None}, "3", "Other"),
        ({}, "3", "Other"),
    ],
)
def test_an_exact_dimension_wins_over_the_wildcard(
    data: dict[str, object], expected: str, name: str
) -> None:
    price = compiled(VIDEO, "unit_and_volume", field="minutes", dimensions=("speed",))
    (option,) = quote(price, usage_of(price, data | {"minutes": 10})).options
    assert from_units(option.amount, option.asset) == Decimal(expected)
    terms = describe(price, "USD", option.entry, option.value)
    assert terms.description == name
    assert terms.dimensions == VIDEO[option.entry]["dimensions"]


GRID: list[tuple[dict[str, str], int]] = [
    ({"model": "big", "region": "eu"}, 1),
    ({"model": "big", "region": "*"}, 2),
    ({"region": "us"}, 3),
    ({"model": "*", "region": "*"}, 4),
]


def test_most_exact_matches_win_in_whatever_order_the_entries_stand() -> None:
    for entries in permutations(GRID):
        values = [{"dimensions": d, "values": [{"unit_price": rate}]} for d, rate in entries]
        price = compiled(values, dimensions=("model", "region"))
        assert fee(price, {"model": "big", "region": "eu"}) == 1
        assert fee(price, {"model": "big", "region": "asia"}) == 2
        assert fee(price, {"model": "small", "region": "us"}) == 3
        assert fee(price, {"model": "small"}) == 4
        big_us_first = next(rate for _, rate in entries if rate in (2, 3))
        assert fee(price, {"model": "big", "region": "us"}) == big_us_first


@pytest.mark.parametrize(
    ("listed", "sent"),
    [("true", True), ("512", 512), ("0.5", Decimal("0.50")), ("1000", Decimal("1E3")), ("2", 2.0)],
)
def test_dimension_values_match_as_text(listed: str, sent: object) -> None:
    values = [{"dimensions": {"hd": listed}, "values": [{"unit_price": 3}]}]
    assert fee(compiled(values, dimensions=("hd",)), {"hd": sent}) == 3


def test_usage_without_an_entry_makes_no_fee_and_says_so() -> None:
    values = [{"dimensions": {"speed": "fast"}, "values": [{"unit_price": 1}]}]
    price = compiled(values, dimensions=("speed",))
    unpriced = measure(price, {"speed": "slow"})
    assert isinstance(unpriced, Unpriced)
    assert "'Calls'" in unpriced.warning
    assert "speed='slow'" in unpriced.warning
    missing = measure(price, {})
    assert isinstance(missing, Unpriced)
    assert "no speed" in missing.warning


def test_a_missing_volume_field_makes_no_fee_and_says_which() -> None:
    unpriced = measure(compiled([{"volume_rate": 1}], "volume"), {"token": 5})
    assert isinstance(unpriced, Unpriced)
    assert "'Calls'" in unpriced.warning
    assert "'tokens'" in unpriced.warning


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        (None, "must be a number"),
        (True, "must be a number"),
        ("12", "must be a number"),
        ([1], "must be a number"),
        (Decimal("NaN"), "must be a finite number"),
        (float("inf"), "must be a finite number"),
        (-1, "must not be negative"),
        (Decimal("1e15"), "must be less than 1000000000000000"),
        (Decimal("0.0000000000001"), "must have at most 12 decimals"),
    ],
)
def test_an_unusable_volume_is_refused_by_the_fields_name(volume: object, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        measure(compiled([{"volume_rate": 1}], "volume"), {"tokens": volume})
    assert caught.value.errors == {"data.tokens": [message]}


def test_a_negative_zero_counts_as_zero() -> None:
    usage = usage_of(compiled([{"volume_rate": 1}], "volume"), {"tokens": Decimal("-0.0")})
    assert str(usage.input_volume) == "0.0"
