"""Vendors: made once per external id, found by either id."""

from __future__ import annotations

import pytest

from credyt_mcp.errors import Conflict, InvalidRequest, NotFound
from credyt_mcp.use_cases.vendors import create_vendor, get_vendor, list_vendors
from tests.conftest import NOW, Call


async def test_a_vendor_is_found_by_id_and_by_external_id(call: Call) -> None:
    made = await call(create_vendor, name="OpenAI", external_id="openai")
    assert made.id.startswith("vnd_")
    assert made.created_at == NOW
    for name in (made.id, "openai"):
        assert (await call(get_vendor, vendor_id=name)).name == "OpenAI"
    with pytest.raises(NotFound, match="nobody"):
        await call(get_vendor, vendor_id="nobody")


async def test_an_external_id_is_taken_once_and_none_any_number_of_times(call: Call) -> None:
    await call(create_vendor, name="OpenAI", external_id="openai")
    with pytest.raises(Conflict, match="openai"):
        await call(create_vendor, name="Another", external_id="openai")
    for name in ("A", "B"):
        await call(create_vendor, name=name)
    assert (await call(list_vendors)).total_count == 3


async def test_an_external_id_may_not_look_like_one_of_ours(call: Call) -> None:
    with pytest.raises(InvalidRequest, match="vnd_"):
        await call(create_vendor, name="A", external_id="vnd_1")


async def test_vendors_are_listed_newest_first_in_pages(call: Call) -> None:
    for name in ("A", "B", "C"):
        await call(create_vendor, name=name, external_id=name.lower())
    page = await call(list_vendors, offset=1, limit=1)
    assert [item.name for item in page.items] == ["B"]
    assert (page.total_count, page.limit, page.offset) == (3, 1, 1)
    found = await call(list_vendors, external_id="a")
    assert [item.name for item in found.items] == ["A"]
    assert (await call(list_vendors, external_id="z")).items == []
