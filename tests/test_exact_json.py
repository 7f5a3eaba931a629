"""Exact JSON: a decimal number keeps all its digits, also through a library of doubles."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credyt_mcp import exact_json

decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15)


@given(decimals)
def test_a_number_survives_being_written_and_read(value: Decimal) -> None:
    assert exact_json.loads(exact_json.dumps([value])) == [value]


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12, max_value=10**15))
def test_a_number_survives_a_library_of_doubles_on_its_way_in(value: Decimal) -> None:
    through = json.loads(exact_json.mark_text(f'{{"a":{value:f}}}'))
    assert exact_json.restore(through) == {"a": value}


@given(decimals)
def test_a_number_survives_a_library_of_doubles_on_its_way_out(value: Decimal) -> None:
    through = exact_json.unmark_text(json.dumps(exact_json.mark({"a": [value]})))
    assert exact_json.loads(through) == {"a": [value]}


def test_texts_that_look_like_numbers_stay_texts() -> None:
    text = '{"id":"12345678.123456789","s":"a \\" 1.2345678901234567890 b"}'
    assert exact_json.mark_text(text) == text


@pytest.mark.parametrize("text", ["", "{", "[1,]", "nothing", '{"a":NaN}', '{"a":01}'])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        exact_json.loads(text)
