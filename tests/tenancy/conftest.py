"""One server, asked as several accounts: a platform in both environments and its own accounts."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock, SystemClock
from credyt_mcp.entrypoints.http import http_app
from credyt_mcp.settings import Settings
from credyt_mcp.storage.sealing import new_key
from credyt_mcp.use_cases.keys import create_key
from tests.conftest import API_KEY
from tests.stripe.conftest import fake_stripe_url as fake_stripe_url
from tests.tenancy.world import World

Account = Callable[[str], Awaitable[World]]


@dataclass(frozen=True)
class Server:
    client: httpx.AsyncClient
    routes: FastAPI
    """The application behind the hot routes."""

    @property
    def document(self) -> dict[str, Any]:
        return self.routes.openapi()


@pytest.fixture
def settings(settings: Settings, fake_stripe_url: str) -> Settings:
    """Live accounts lead customers back to listed hosts only. Test accounts may have a Stripe."""
    stripe = {"stripe_api_base": fake_stripe_url, "secrets_key": SecretStr(new_key())}
    return settings.model_copy(update={"return_url_hosts": "app.example", **stripe})


@pytest.fixture
def clock() -> FrozenClock:
    """Stripe compares the ends of its pages with real time."""
    return FrozenClock(SystemClock().now())


@pytest.fixture
async def server(system: System) -> AsyncIterator[Server]:
    """The whole application in process, with its start, which MCP over HTTP needs."""
    app = http_app(system.billing, system.keys)
    transport = httpx.ASGITransport(app)
    async with (
        app.routes.router.lifespan_context(app.routes),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield Server(client, app.routes)


@pytest.fixture
def account(server: Server, system: System, clock: FrozenClock, fake_stripe_url: str) -> Account:
    """`await account(name)`: `platform`, `live` (the same in live), or a connected account."""

    async def account(name: str) -> World:
        headers = {"X-CREDYT-API-KEY": API_KEY}
        if name == "live":
            key = create_key(system.billing.database, clock, "live", "live").key
            headers = {"X-CREDYT-API-KEY": key}
        elif name != "platform":
            made = await server.client.post("/accounts", json={"name": name}, headers=headers)
            headers["X-CREDYT-ACCOUNT"] = made.json()["id"]
        marker = f"marker{secrets.token_hex(8)}"
        return World(name, server.client, headers, marker, fake_stripe_url)

    return account
