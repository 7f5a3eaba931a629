"""A courier that delivers when a test says so, and a receiver on a real port."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from credyt_mcp.app import System
from credyt_mcp.delivery.webhooks import Sender
from credyt_mcp.use_cases.webhook_delivery import Courier
from tests.webhooks.receiver import Receiver


@pytest.fixture
def courier(system: System) -> Courier:
    return Courier(system.billing, Sender())


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver().start()
    yield started
    started.stop()
