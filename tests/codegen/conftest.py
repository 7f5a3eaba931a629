"""A database for the beds, whose subject is the app and not the database; and time for them: their
packages may have to come from far away."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

BED_SECONDS = 600


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    shutil.copy(sqlite_template, tmp_path / "credyt.db")
    return f"sqlite:///{tmp_path / 'credyt.db'}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and "_bed" in item.path.name:
            item.add_marker(pytest.mark.timeout(BED_SECONDS))
