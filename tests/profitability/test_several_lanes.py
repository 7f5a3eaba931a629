"""Two processes earn for one tenant at once; both sums and each wallet's own are exact."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from credyt_mcp.app import System, running
from credyt_mcp.clock import FrozenClock
from credyt_mcp.settings import Settings
from credyt_mcp.use_cases.context import perform
from credyt_mcp.use_cases.events import RecordEvent, record_event
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.stats import get_vendor_stats, list_customer_stats
from credyt_mcp.use_cases.vendors import create_vendor
from tests.conftest import Call
from tests.samples import a_product, a_wallet, credits_asset, unit_price

EVENTS = 60


@pytest.fixture
async def other(system: System, settings: Settings, clock: FrozenClock) -> AsyncIterator[System]:
    async with running(settings, clock=clock) as started:
        yield started


async def test_events_at_once_in_two_processes_are_all_in_the_stats(
    system: System, other: System, call: Call
) -> None:
    """Some for one wallet in credits, some for others; every cost id comes twice."""
    await call(create_vendor, name="OpenAI", external_id="openai")
    await credits_asset(call)
    await a_product(call, unit_price(10, "credits"))
    names = ["jane", *(f"c{number}" for number in range(4))]
    for name in names:
        await a_wallet(call, "studio", who=name)

    async def one(number: int) -> None:
        cost = {"id": f"k{number // 2}", "vendor_external_id": "openai", "amount": "0.01"}
        who = names[number % 8] if number % 8 < len(names) else "jane"
        fields = {"customer_id": who, "id": str(number), "event_type": "image", "costs": [cost]}
        for billing in (system.billing, other.billing):  # each asks as well: a retry elsewhere
            await perform(billing, record_event, RecordEvent.model_validate(fields))

    await asyncio.gather(*map(one, range(EVENTS)))
    page = await call(list_customer_stats)
    assert page.summary.gross_revenue == Decimal("0.5") * EVENTS
    assert page.summary.total_costs == Decimal("0.01") * (EVENTS // 2)
    assert sum(item.stats.gross_revenue for item in page.items) == page.summary.gross_revenue
    vendor = await call(get_vendor_stats, vendor_id="openai")
    assert vendor.total_costs == vendor.repeated_costs == Decimal("0.01") * (EVENTS // 2)
    assert (await call(verify_ledger)).problems == []
