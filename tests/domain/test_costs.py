"""Margins and shares: exact, rounded once, and a loss never looks like nothing."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credyt_mcp.domain.costs import main_currency, margin
from credyt_mcp.domain.grants import Basis
from credyt_mcp.domain.margins import split


@pytest.mark.parametrize(
    ("revenue", "net", "wanted"),
    [
        (200, 184, "92"),
        (3, 1, "33.3333"),
        (3, -2, "-66.6667"),
        (2_000_000, 1, "0"),
        (8_000_000, 1_000_004, "12.5"),  # 12.50005 is half way: to the even digit
        (8_000_000, 1_000_012, "12.5002"),
        (0, 0, "0"),
        (0, -1, "-100"),
        (5, 5, "100"),
        (5, -45, "-900"),
        (-5, -5, "-100"),
        (-5, -15, "-300"),
    ],
)
def test_margin_is_a_percentage_of_revenue(revenue: int, net: int, wanted: str) -> None:
    assert str(margin(revenue, net)) == str(Decimal(wanted))


@pytest.mark.parametrize(
    ("codes", "wanted"),
    [([], "USD"), (["EUR"], "EUR"), (["EUR", "USD"], "USD"), (["EUR", "GBP"], "USD")],
)
def test_figures_are_in_usd_unless_all_is_in_one_other_currency(
    codes: list[str], wanted: str
) -> None:
    assert main_currency(codes) == wanted


@given(
    st.integers(-(10**19), 10**19),
    st.lists(st.integers(0, 10**18), min_size=1, max_size=9).filter(any),
)
def test_shares_add_up_and_are_within_a_unit_of_the_proportion(
    total: int, amounts: list[int]
) -> None:
    parts = split(total, amounts)
    assert sum(parts) == total
    for amount, part in zip(amounts, parts, strict=True):
        assert abs(part - Fraction(total * amount, sum(amounts))) <= 1
        assert amount or not part


def test_fees_that_cancel_out_earn_nothing() -> None:
    assert split(0, [5, -5]) == [0, 0]


@given(st.fractions(), st.sampled_from(["USD", "EUR", "JPY"]))
def test_a_basis_is_read_as_it_was_written(worth: Fraction, currency: str) -> None:
    assert Basis.parse(str(Basis(currency, worth))) == Basis(currency, worth)
