"""One server process for the tests that only talk to it: each uses names of its own."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.processes.harness import Server, serving


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def module_database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """As `database_url`, for the tests of a module together."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("module") / "credyt.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    base: str = request.getfixturevalue("postgres_server")
    name = f"m{secrets.token_hex(8)}"
    with psycopg.connect(base, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE migrated".encode())
    return base.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="module")
def shared_server(
    module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with serving(module_database_url, tmp_path_factory.mktemp("server")) as [server]:
        yield server


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """For what does not depend on the database."""
    shutil.copy(sqlite_template, tmp_path / "credyt.db")
    return f"sqlite:///{tmp_path / 'credyt.db'}"


@pytest.fixture
def unique() -> Callable[[str], str]:
    """`unique("jane")` is a name that no other test on the same server uses."""
    ending = secrets.token_hex(4)
    return lambda name: f"{name}-{ending}"
