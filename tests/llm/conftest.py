"""The day on which the model calls of these tests are made."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from credyt_mcp.clock import FrozenClock

TODAY = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> FrozenClock:
    """Today is after the published prices of tiers and batches begin."""
    return FrozenClock(TODAY)
