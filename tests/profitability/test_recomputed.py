"""Every grouping is what a plain sum over the events says: after random usage in two processes,
with late events and costs, two currencies, repeated costs and calls without a price."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from credyt_mcp import exact_json
from credyt_mcp.app import System, running
from credyt_mcp.clock import FrozenClock
from credyt_mcp.settings import Settings
from credyt_mcp.use_cases.context import perform
from credyt_mcp.use_cases.events import RecordEvent, record_event
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.llm_prices import set_llm_price
from credyt_mcp.use_cases.unpriced_costs import RepriceCosts, reprice_costs
from credyt_mcp.use_cases.vendors import create_vendor
from tests.conftest import NOW, Call
from tests.samples import a_product, a_wallet, unit_price

EVENTS = 80
FIRST = (NOW - timedelta(days=34)).date()
Sums = dict[tuple[Any, ...], list[Decimal]]


@pytest.fixture
async def other(system: System, settings: Settings, clock: FrozenClock) -> AsyncIterator[System]:
    async with running(settings, clock=clock) as started:
        yield started


def random_event(rng: random.Random, number: int) -> dict[str, Any]:
    """Usage of one of four customers, some of it long ago."""
    costs = [
        {
            "id": f"k{rng.randrange(EVENTS)}-{index}",
            "vendor_external_id": rng.choice(["openai", "other"]),
            "amount": Decimal(rng.randrange(1, 10**9)).scaleb(-8),
            "currency": rng.choice(["USD", "USD", "EUR"]),
        }
        for index in range(rng.randrange(3))
    ]
    event: dict[str, Any] = {
        "customer_id": f"c{rng.randrange(4)}",
        "id": str(number),
        "event_type": rng.choice(["image", "both", "unknown"]),
        "occurred_at": (NOW - timedelta(days=rng.randrange(34))).isoformat(),
        "costs": costs,
    }
    if rng.random() < 0.6:
        event["user_id"] = rng.choice(["ann", "bob"])
    if rng.random() < 0.6:
        event["subject"] = f"t{rng.randrange(5)}"
    if rng.random() < 0.4:
        usage = {"prompt_tokens": rng.randrange(1, 10**6), "completion_tokens": 5}
        requested = (NOW - timedelta(days=rng.randrange(34))).isoformat()
        call = {"provider": "openai", "model": "in-house", "usage": usage}
        event["llm_usage"] = {**call, "requested_at": requested}
    return event


async def sums_of_events(rest: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    answer = await rest.get("/events", params={"limit": 1000})
    return {event["id"]: event for event in exact_json.loads(answer.content)["items"]}


def by(events: dict[str, Any], key: Callable[[Any], Any], currency: str) -> Sums:
    """Revenue and cost of the events themselves, by their own stats."""
    found: Sums = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for event in events.values():
        stats = event.get("stats")
        for one in [stats, *(stats.get("other_currencies") or ())] if stats else ():
            if one["currency"] == currency and key(event) is not None:
                sums = found[key(event)]
                sums[0] += one["gross_revenue"]
                sums[1] += one["total_costs"]
    return {name: sums for name, sums in found.items() if any(sums)}


GROUPS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "customer": ("external_id", lambda event: event["external_id"]),
    "user_id": (
        "key external_id",
        lambda event: event.get("user_id") and (event["user_id"], event["external_id"]),
    ),
    "subject": (
        "key external_id",
        lambda event: event.get("subject") and (event["subject"], event["external_id"]),
    ),
    "event_type": ("key", lambda event: event["event_type"]),
}


@pytest.mark.parametrize("seed", [1, 2])
async def test_groups_are_what_events_add_up_to(
    system: System, other: System, call: Call, rest: httpx.AsyncClient, seed: int
) -> None:
    rng = random.Random(seed)
    for name in ("openai", "other"):
        await call(create_vendor, name=name, external_id=name)
    euros = unit_price(1, "EUR", "both", name="Euros")
    prices = (unit_price("0.7"), unit_price(2, event_type="both"), euros)
    await a_product(call, *prices)
    for number in range(4):
        await a_wallet(call, "studio", who=f"c{number}")
    events = [random_event(rng, number) for number in range(EVENTS)]
    with system.billing.database.write() as session:  # customers of long ago
        session.connection().exec_driver_sql("UPDATE subscribed_versions SET from_at = 0")

    async def record(one: System, event: dict[str, Any]) -> None:
        await perform(one.billing, record_event, RecordEvent.model_validate(event))

    half = EVENTS // 2
    await asyncio.gather(
        *(record((system, other)[n % 2], one) for n, one in enumerate(events[:half]))
    )
    await call(set_llm_price, provider="openai", model="in-house", input=3, output=7)
    await asyncio.gather(
        *(record((system, other)[n % 2], one) for n, one in enumerate(events[half:])),
        *(perform(one.billing, reprice_costs, RepriceCosts()) for one in (system, other)),
    )
    assert (await call(verify_ledger)).problems == []
    recorded = await sums_of_events(rest)
    assert len(recorded) == EVENTS
    for currency in ("USD", "EUR"):
        for group, (shown_by, key) in GROUPS.items():
            page = await _page(rest, group, currency)
            names = shown_by.split()
            found = {
                tuple(item[name] for name in names) if len(names) > 1 else item[names[0]]: [
                    item["gross_revenue"],
                    item["total_costs"],
                ]
                for item in page["items"]
            }
            wanted = by(recorded, key, currency)
            assert {name: sums for name, sums in found.items() if any(sums)} == wanted, group
        for group in ("product", "price", "vendor", "model", "day", "customer", "event_type"):
            page = await _page(rest, group, currency)
            whole = [
                sum(item[name] for item in page["items"])
                for name in ("gross_revenue", "total_costs")
            ]
            [both] = by(recorded, lambda _: "all", currency).values()
            assert whole == both, group


async def _page(rest: httpx.AsyncClient, group: str, currency: str) -> Any:
    period = {"from": str(FIRST), "to": str(NOW.date())}
    params = {"group_by": group, "currency": currency, "limit": 1000, **period}
    answer = await rest.get("/analytics/profitability", params=params)
    assert answer.status_code == 200, answer.text
    return exact_json.loads(answer.content)
