"""A second running system, on the other kind of database, to compare the first one with."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from credyt_mcp.app import System, running
from credyt_mcp.clock import FrozenClock
from credyt_mcp.settings import Settings
from tests.conftest import NOW


@pytest.fixture
def other_clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
async def other_system(
    settings: Settings,
    other_clock: FrozenClock,
    postgres_server: str,
    sqlite_template: Path,
    tmp_path: Path,
) -> AsyncIterator[System]:
    """On Postgres when the test's own system is on SQLite, and the other way round."""
    if settings.database_url.startswith("sqlite"):
        name = f"other{abs(hash(str(tmp_path)))}"
        with psycopg.connect(postgres_server, autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name} TEMPLATE migrated".encode())
        url = postgres_server.replace("/postgres?", f"/{name}?")
    else:
        shutil.copy(sqlite_template, tmp_path / "other.db")
        url = f"sqlite:///{tmp_path / 'other.db'}"
    fields = {"database_url": url, "api_key": settings.api_key, "_env_file": None}
    async with running(Settings(**fields), clock=other_clock) as started:
        yield started
