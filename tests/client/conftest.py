"""A billing server and a model provider on ports, and a customer with credit."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
import uvicorn
from starlette.types import ASGIApp

from credyt_mcp.app import System, running
from credyt_mcp.client import AsyncCredyt, Credyt
from credyt_mcp.entrypoints.http import http_app
from credyt_mcp.settings import Settings
from credyt_mcp.use_cases.events import get_event, list_events
from tests.client.provider import Provider
from tests.conftest import API_KEY, Call
from tests.samples import a_product, a_wallet, volume_price

CREDIT = 5


@pytest.fixture
async def system(settings: Settings) -> AsyncIterator[System]:
    """In real time, as apps live in it."""
    async with running(settings) as started:
        yield started


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=2)
        )
        task = asyncio.create_task(server.serve([bound]))
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


class World(NamedTuple):
    billing_url: str
    provider_url: str
    provider: Provider

    def sync(self, **options: Any) -> Credyt:
        return Credyt(self.billing_url, API_KEY, **options)

    def asynchronous(self, **options: Any) -> AsyncCredyt:
        return AsyncCredyt(self.billing_url, API_KEY, **options)


@pytest.fixture
async def world(
    system: System, call: Call, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[World]:
    """Jane pays a cent for ten tokens. No usage may be given up for lost."""
    await a_product(call, volume_price("0.001", "total_tokens", "answer"))
    await a_wallet(call, "studio", credit=CREDIT)
    provider = Provider()
    async with (
        served(http_app(system.billing, system.keys)) as billing,
        served(provider.app) as model,
    ):
        yield World(billing, model, provider)
    assert "not billed yet" not in caplog.text


class Billed(NamedTuple):
    """`cost` is None for a call whose cost is not known."""

    event_type: str
    fee: Decimal
    cost: Decimal | None


async def billed(call: Call) -> list[Billed]:
    """What was recorded, oldest first."""
    found = []
    for item in reversed((await call(list_events)).items):
        event = await call(get_event, event_id=item.id)
        fee = sum((fee.amount for fee in event.fees), Decimal(0))
        [cost] = event.costs
        found.append(Billed(event.event_type, fee, cost.amount))
    return found


async def until_recorded(call: Call, count: int) -> None:
    """What is reported beside the answer comes in its own time."""
    async with asyncio.timeout(10):
        while len(await billed(call)) < count:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
