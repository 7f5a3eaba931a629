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
    marked = exact_json.dumps(exact_json.loads_marked(f'{{"a":[{value:f}]}}'))
    assert exact_json.restore(json.loads(marked)) == {"a": [value]}


@given(decimals)
def test_a_number_survives_a_library_of_doubles_on_its_way_out(value: Decimal) -> None:
    marked = exact_json.loads_marked(exact_json.dumps({"a": [value]}))
    assert exact_json.loads(exact_json.unmark_text(json.dumps(marked))) == {"a": [value]}


def test_texts_that_look_like_numbers_stay_texts() -> None:
    texts = {"id": "12345678.123456789", "s": 'a " 1.2345678901234567890 b'}
    assert exact_json.restore(exact_json.loads_marked(json.dumps(texts))) == texts


def test_a_number_that_a_double_holds_is_not_marked() -> None:
    assert exact_json.loads_marked("[0.1, 998.5, 1e3, 7, 123456789012345678901]") == [
        0.1,
        998.5,
        1000.0,
        7,
        123456789012345678901,
    ]


@pytest.mark.parametrize("text", ["", "{", "[1,]", "nothing", '{"a":NaN}', '{"a":01}'])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        exact_json.loads(text)
