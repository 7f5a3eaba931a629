"""The table of model calls: each costs, to the billionth of a dollar, what it costs by hand."""

from __future__ import annotations

import random
import warnings
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from genai_prices import Usage
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from credyt_mcp.domain.llm_pricing import Rates, Unpriced, lines
from credyt_mcp.domain.llm_shapes import read_usage
from credyt_mcp.domain.llm_usage import Reading
from credyt_mcp.use_cases import price_table
from credyt_mcp.use_cases.events import get_event, submit_events
from tests.conftest import Call
from tests.llm.calls import CALLS
from tests.llm.conftest import TODAY
from tests.llm.shapes import Called, chat, claude
from tests.samples import a_wallet


def test_the_table_is_long_and_says_nothing_twice() -> None:
    assert len(CALLS) >= 60
    assert len({(call.provider, call.name) for call in CALLS}) == len(CALLS)


async def test_each_call_costs_what_it_costs_by_hand(call: Call) -> None:
    await a_wallet(call)
    events = [
        {
            "id": str(index),
            "event_type": "call",
            "llm_usage": {
                "provider": one.provider,
                "model": one.model,
                "usage": one.usage,
                **one.how,
            },
        }
        for index, one in enumerate(CALLS)
    ]
    await call(submit_events, customer_id="jane", events=events)
    wrong = {}
    for index, one in enumerate(CALLS):
        [cost] = (await call(get_event, event_id=str(index))).costs
        if cost.amount != one.cost:
            wrong[f"{one.provider}: {one.name}"] = (cost.amount, one.cost, cost.llm)
    assert wrong == {}


@pytest.mark.parametrize("one", CALLS, ids=lambda one: f"{one.provider}: {one.name}")
def test_the_classes_add_up_to_the_providers_totals(one: Called) -> None:
    reading = read_usage(one.usage, one.provider, one.model)
    assert (reading.total("input"), reading.total("output")) == one.totals
    assert all(count > 0 for count in reading.classes.values())


COUNTS = st.integers(min_value=0, max_value=10**7)


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
def test_what_is_beside_and_what_is_inside_is_the_same_call(
    fresh: int, out: int, read: int, m5: int, h1: int
) -> None:
    beside = read_usage(claude(fresh, out, read, m5, h1), "anthropic")
    ttl = {"ephemeral_5m_input_tokens": m5, "ephemeral_1h_input_tokens": h1}
    details = {"cached_tokens": read, "cache_creation_token_details": ttl}
    inside = read_usage(
        chat(
            fresh + read + m5 + h1,
            out,
            cache_creation_input_tokens=m5 + h1,
            prompt_tokens_details=details,
        ),
        "litellm",
    )
    assert inside.classes == beside.classes
    assert beside.total("input") == fresh + read + m5 + h1


def test_the_sums_are_those_of_the_tables_own_arithmetic() -> None:
    """For every model of the table; where the kinds of what was cached must be told, it refuses as
    we do."""
    seeded, agreed = random.Random(7), 0
    for provider in get_snapshot().providers:
        for model in provider.models:
            for _ in range(2):
                agreed += _agree(provider, model, _some(seeded), TODAY)
    assert agreed > 2000


def _some(seeded: random.Random) -> dict[str, int]:
    most = {
        "input_uncached": 300_000,
        "input_cached_read": 9000,
        "cache_write_5m": 900,
        "cache_write_1h": 900,
        "input_audio": 900,
        "input_image": 900,
        "cached_audio": 300,
        "output_text": 9000,
        "output_reasoning": 900,
        "output_audio": 900,
        "web_searches": 4,
    }
    return {name: seeded.choice([0, seeded.randrange(limit)]) for name, limit in most.items()}


def _agree(provider: Any, model: Any, counts: dict[str, int], moment: datetime) -> bool:
    published = vars(model.get_prices(moment))
    rates = {
        price_table._NAMES[name]: price_table._rate(price, Decimal(1))
        for name, price in published.items()
        if price is not None and name in price_table._NAMES
    }
    try:
        reading = Reading({name: count for name, count in counts.items() if count})
        ours = sum(line.amount for line in lines(reading, Rates(rates, "it", model.id)))
    except Unpriced:
        return False
    c = counts
    usage = Usage(
        input_tokens=reading.total("input"),
        cache_read_tokens=c["input_cached_read"] + c["cached_audio"],
        cache_write_tokens=c["cache_write_5m"] + c["cache_write_1h"],
        cache_write_5m_tokens=c["cache_write_5m"],
        cache_write_1h_tokens=c["cache_write_1h"],
        input_audio_tokens=c["input_audio"] + c["cached_audio"],
        cache_audio_read_tokens=c["cached_audio"],
        input_image_tokens=c["input_image"],
        output_tokens=reading.total("output"),
        output_reasoning_tokens=c["output_reasoning"],
        output_audio_tokens=c["output_audio"],
        web_searches=c["web_searches"],
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = model.calc_price(usage, provider, genai_request_timestamp=moment).total_price
    except ValueError:
        return False
    assert ours == theirs, f"{provider.id} {model.id} {counts}"
    return True
