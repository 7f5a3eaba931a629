"""Identifiers: their shape and order, and the keys that stand for callers' own ids."""

from __future__ import annotations

import re
import uuid

from hypothesis import given
from hypothesis import strategies as st

from credyt_mcp import ids


def test_public_ids_have_the_hosted_services_shape_and_are_all_different() -> None:
    made = [ids.new_id("cust") for _ in range(1000)]
    assert len(set(made)) == 1000
    assert all(re.fullmatch(r"cust_[0-9a-hjkmnp-tv-z]{26}", one) for one in made)


@given(st.text(min_size=1) | st.uuids().map(str))
def test_a_callers_id_can_be_told_from_its_key(name: str) -> None:
    key = ids.client_key(name)
    assert len(key) == 16
    assert ids.client_id_of(key, None if ids.is_uuid_key(name) else name) == name


def test_a_uuid_spelt_otherwise_is_another_id() -> None:
    name = str(uuid.UUID(int=0xABCDEF))
    spellings = {name, name.upper(), name.replace("-", ""), f"{{{name}}}"}
    assert len({ids.client_key(one) for one in spellings}) == 4


def test_parts_of_a_key_cannot_run_into_each_other() -> None:
    assert ids.text_key("ab", "c") != ids.text_key("a", "bc")
