"""The day on which the calls of these tests are made, and the shop that makes them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from credyt_mcp import exact_json
from credyt_mcp.clock import FrozenClock
from tests.conftest import Call
from tests.samples import a_product, a_wallet, unit_price

TODAY = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
WRITE = {"input_tokens": 100, "cache_creation_input_tokens": 10000, "output_tokens": 50}
"""100 x 3 + 10000 x 3.75 + 50 x 15 per million: 0.0375 of it for the cache."""
READ = {"input_tokens": 100, "cache_read_input_tokens": 10000, "output_tokens": 50}
"""100 x 3 + 10000 x 0.3 + 50 x 15 per million."""
WRITTEN, READ_COST = Decimal("0.0375"), Decimal("0.00405")
OWN = Decimal("0.00105")
"""What both cost beside the cache."""


class Shop:
    """Records model calls over REST, and reads what customers bear."""

    def __init__(self, rest: httpx.AsyncClient, call: Call, clock: FrozenClock) -> None:
        self.rest, self.call, self.clock = rest, call, clock
        self._count = 0

    async def rules(self, **rules: Any) -> Any:
        reply = await self.rest.patch("/cost-rules", json=rules)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def record(self, who: str, usage: dict[str, Any] | None = None, **fields: Any) -> str:
        """One call of Claude's, with `fields` of it; its event's id."""
        self._count += 1
        event_id = f"call-{self._count}"
        said = {"provider": "anthropic", "model": "claude-sonnet-4-6", "usage": usage, **fields}
        own = {name: said.pop(name) for name in ("depends_on", "occurred_at") if name in said}
        event = {"id": event_id, "event_type": "answer", "llm_usage": said, **own}
        body = exact_json.dumps({"customer_id": who, "events": [event]})
        reply = await self.rest.post("/events", content=body)
        assert reply.status_code == 204, reply.text
        return event_id

    async def get(self, path: str, **params: Any) -> Any:
        reply = await self.rest.get(path, params=params)
        assert reply.status_code == 200, reply.text
        return exact_json.loads(reply.content)

    async def costs(self, *customers: str) -> list[Decimal]:
        """What each bears, ever."""
        stats = [await self.get(f"/customers/{one}/stats") for one in customers]
        return [Decimal(one["total_costs"]) for one in stats]

    async def total(self) -> Decimal:
        """What all bear, and what their vendor is paid, which is the same."""
        summary = (await self.get("/customers/stats", period_from="2026-01-01"))["summary"]
        vendor = await self.get("/vendors/anthropic/stats")
        assert summary["total_costs"] == vendor["total_costs"]
        return Decimal(summary["total_costs"])

    async def moved(self, who: str) -> list[Any]:
        """The costs that were moved to or from a customer."""
        listed = await self.get("/events", customer_id=who, event_types="cost.allocation")
        events = [await self.get(f"/events/{one['id']}") for one in listed["items"]]
        return [cost for event in events for cost in event["costs"]]

    async def days_later(self, days: int = 1) -> list[Any]:
        reply = await self.rest.post("/clock", json={"advance_by": f"P{days}D"})
        assert reply.status_code == 200, reply.text
        ran: list[Any] = reply.json()["ran"]
        return ran


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(TODAY)


@pytest.fixture
async def shop(rest: httpx.AsyncClient, call: Call, clock: FrozenClock) -> Shop:
    await a_product(call, unit_price("0.1", event_type="answer"))
    for name in ("ann", "ben", "cat"):
        await a_wallet(call, "studio", credit=10, who=name)
    return Shop(rest, call, clock)
