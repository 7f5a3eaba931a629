"""Prices of models that changed since calls were booked, and what that costs a product."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from credyt_mcp import exact_json
from credyt_mcp.clock import FrozenClock
from credyt_mcp.use_cases.events import record_event
from credyt_mcp.use_cases.llm_prices import set_llm_price
from credyt_mcp.use_cases.unpriced_costs import reprice_costs
from tests.conftest import Call
from tests.llm.conftest import TODAY
from tests.samples import a_product, a_wallet, unit_price

USAGE = {"prompt_tokens": 1_000_000, "completion_tokens": 100_000}


@pytest.fixture
async def calls(call: Call, clock: FrozenClock) -> None:
    """Two answers that are sold and one that is not, of a model with a price of the tenant's own;
    a day later one of a model that has none."""
    await call(set_llm_price, provider="openai", model="house", input=1, output=10)
    await a_product(call, unit_price(5, event_type="answer"))
    await a_wallet(call, "studio", credit=100)
    for number, kind in enumerate(("answer", "answer", "free")):
        await used(call, str(number), kind, "house")
    clock.advance(timedelta(days=1))
    await used(call, "late", "answer", "unheard-of")


async def used(call: Call, event_id: str, kind: str, model: str) -> None:
    usage = {"provider": "openai", "model": model, "usage": USAGE}
    await call(record_event, customer_id="jane", id=event_id, event_type=kind, llm_usage=usage)


async def changes(rest: httpx.AsyncClient, **asked: Any) -> Any:
    answer = await rest.get("/llm-prices/changes", params=asked)
    assert answer.status_code == 200, answer.text
    return exact_json.loads(answer.content)


@pytest.mark.usefixtures("calls")
async def test_nothing_has_changed(rest: httpx.AsyncClient) -> None:
    found = await changes(rest)
    assert found["changes"] == []
    assert [one["difference"] for one in found["products"]] == [0, 0]
    assert (found["newly_priced"], found["no_longer_priced"]) == (0, 0)
    assert [(one["priced_by"], one["calls"]) for one in found["tables"]] == [("your price", 3)]


@pytest.mark.usefixtures("calls")
async def test_what_changed_costs_each_product_something(
    rest: httpx.AsyncClient, call: Call
) -> None:
    await call(set_llm_price, provider="openai", model="house", input=1, output="12.5")
    found = await changes(rest)
    [one] = found["changes"]
    assert one == {
        "provider": "openai",
        "model": "house",
        "token_class": "output_text",
        "was": 10,
        "rate": Decimal("12.5"),
        "per": 1_000_000,
        "priced_by": "your price",
        "now_by": "your price",
        "calls": 3,
    }
    products = {one.get("product"): one for one in found["products"]}
    assert products["studio"]["booked"] == 4
    assert products["studio"]["repriced"] == Decimal("4.5")
    assert products["studio"]["difference"] == Decimal("0.5")
    assert products[None]["difference"] == Decimal("0.25")
    # Nothing was booked.
    assert (await changes(rest)) == found


@pytest.mark.usefixtures("calls")
async def test_since_a_day_and_by_the_prices_of_another(
    rest: httpx.AsyncClient, call: Call
) -> None:
    day = TODAY + timedelta(days=10)
    await call(set_llm_price, provider="openai", model="house", input=2, output=10, valid_from=day)
    assert (await changes(rest))["changes"] == []
    then = await changes(rest, priced_at=day.isoformat())
    assert [(one["token_class"], one["rate"]) for one in then["changes"]] == [("input_uncached", 2)]
    since = (TODAY + timedelta(hours=1)).isoformat()
    assert (await changes(rest, since=since, priced_at=day.isoformat()))["products"] == []


@pytest.mark.usefixtures("calls")
async def test_a_call_without_a_price_is_no_change_until_it_has_one(
    rest: httpx.AsyncClient, call: Call
) -> None:
    await call(set_llm_price, provider="openai", model="unheard-of", input=1, output=10)
    found = await changes(rest)
    assert (found["newly_priced"], found["changes"]) == (1, [])
    assert found["products"][-1]["difference"] == 2
    await call(reprice_costs)
    booked = await changes(rest)
    assert (booked["newly_priced"], booked["products"][-1]["difference"]) == (0, 0)
