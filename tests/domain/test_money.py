"""Amounts survive the way into ledger units and back; what cannot be kept exactly is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credyt_mcp.domain.money import (
    UNITS_MAX,
    Asset,
    from_units,
    round_units,
    scale_for,
    to_units,
    within_range,
)
from credyt_mcp.errors import AmountOutOfRange

USD = Asset("USD", 9, 2)
CREDIT = Asset("CREDIT", 6, 0)

scales = st.integers(0, 12)
all_units = st.integers(-UNITS_MAX, UNITS_MAX)


@given(all_units, scales)
def test_units_survive_the_round_trip_through_decimals(units: int, scale: int) -> None:
    asset = Asset("X", scale, 0)
    assert to_units(from_units(units, asset), asset) == units


@given(all_units, scales)
def test_a_read_amount_equals_units_over_scale_and_has_no_trailing_zeros(
    units: int, scale: int
) -> None:
    amount = from_units(units, Asset("X", scale, 0))
    text = f"{amount:f}"
    assert amount == Decimal(f"{units}E-{scale}")
    assert "E" not in str(amount) or abs(amount) < Decimal("0.00001")
    assert "." not in text or not text.endswith("0")


@pytest.mark.parametrize(
    ("amount", "units"),
    [
        ("12345678.123456789", 12345678123456789),
        ("998.5", 998500000000),
        ("-0.000000001", -1),
        ("1E+3", 1000000000000),
        ("1.0000000000000000", 1000000000),
        ("0", 0),
        ("9223372036.854775807", UNITS_MAX),
    ],
)
def test_amounts_become_exact_units(amount: str, units: int) -> None:
    assert to_units(Decimal(amount), USD) == units


@pytest.mark.parametrize(
    ("amount", "message"),
    [
        ("0.0000000001", "at most 9 decimals"),
        ("9223372036.854775808", "must be at most 9223372036.854775807 USD"),
        ("-9223372036.854775808", "must be at most"),
        ("1E+900000", "must be at most"),
        ("NaN", "finite"),
        ("-Infinity", "finite"),
    ],
)
def test_amounts_that_cannot_be_kept_are_refused_by_name(amount: str, message: str) -> None:
    with pytest.raises(AmountOutOfRange) as caught:
        to_units(Decimal(amount), USD, "starting_credit.amount")
    assert message in caught.value.errors["starting_credit.amount"][0]


@pytest.mark.parametrize(
    ("amount", "units"),
    [
        ("0.0000005", 0),
        ("0.0000015", 2),
        ("0.0000025", 2),
        ("0.00000250000000000000000001", 3),
        ("-0.0000005", 0),
        ("-0.0000015", -2),
        ("7", 7000000),
    ],
)
def test_rounding_is_half_even_at_the_ledger_scale(amount: str, units: int) -> None:
    assert round_units(Decimal(amount), CREDIT) == units


def test_a_result_that_does_not_fit_64_bits_is_refused() -> None:
    assert within_range(-UNITS_MAX, USD) == -UNITS_MAX
    with pytest.raises(AmountOutOfRange):
        within_range(UNITS_MAX + 1, USD)
    with pytest.raises(AmountOutOfRange):
        round_units(Decimal("9223372037"), USD)


@pytest.mark.parametrize(("precision", "scale"), [(0, 6), (2, 8), (6, 12), (9, 12)])
def test_a_custom_asset_keeps_six_decimals_more_than_it_shows_up_to_twelve(
    precision: int, scale: int
) -> None:
    assert scale_for(precision) == scale
