"""The day on which the model calls of these tests are made."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from credyt_mcp.clock import FrozenClock
from tests.conftest import Call
from tests.samples import a_product, a_wallet, unit_price

TODAY = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> FrozenClock:
    """Today is after the published prices of tiers and batches begin."""
    return FrozenClock(TODAY)


@pytest.fixture
async def shop(call: Call) -> None:
    await a_product(call, unit_price("0.1", event_type="answer"))
    await a_wallet(call, "studio", credit=10)
