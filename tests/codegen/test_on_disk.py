"""The command line on a folder: it writes only what was planned, where it was, and inside."""

from __future__ import annotations

from pathlib import Path

import pytest

from credyt_mcp.codegen.operations import Plan
from credyt_mcp.errors import InvalidRequest, NotFound, PlanOutdated
from credyt_mcp.use_cases import integration_checks, integration_files, integrations
from tests.codegen.apps import ANSWERS, APPS
from tests.codegen.beds import tree
from tests.codegen.wired import WIRED


@pytest.fixture(params=APPS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    root = tmp_path / "app"
    for path, text in APPS[request.param].items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text or "")
    return root


def planned(folder: Path) -> Plan:
    snapshot = integration_files.read_app(folder)
    given = {"events": list(ANSWERS.events), "products": list(ANSWERS.products)}
    return integrations.planned(snapshot, given, dict)


def test_applied_twice_it_is_written_once_and_removed_it_is_as_it_was(folder: Path) -> None:
    before = tree(folder)
    integration_files.apply(folder, planned(folder))
    once = tree(folder)
    assert planned(folder).empty
    integration_files.apply(folder, planned(folder))
    assert tree(folder) == once
    assert set(integration_files.status(folder).values()) <= {"as written", "edited"}
    assert integration_files.remove(folder).left == ()
    assert tree(folder) == before
    assert {path for path in folder.rglob("*") if path.is_dir()} == {
        parent for path in before for parent in (folder / path).parents if folder in parent.parents
    }


def test_a_file_that_moved_since_the_plan_stops_everything(folder: Path) -> None:
    made = planned(folder)
    target = next(one for one in made.operations if one.changes)
    (folder / target.path).parent.mkdir(parents=True, exist_ok=True)
    (folder / target.path).write_text("somebody was faster\n")
    before = tree(folder)
    with pytest.raises(PlanOutdated):
        integration_files.apply(folder, made)
    with pytest.raises(PlanOutdated):
        integration_files.apply(folder, planned(folder), made.id)
    assert tree(folder) == before


def test_what_the_user_changed_is_left_and_named(folder: Path) -> None:
    integration_files.apply(folder, planned(folder))
    config = next(folder.rglob("config.*"))
    config.write_text("mine\n")
    done = integration_files.remove(folder)
    assert config.read_text() == "mine\n"
    assert [config.name in left for left in done.left] == [True]
    with pytest.raises(NotFound):
        integration_files.status(folder)


def test_a_link_does_not_lead_out_of_the_folder(folder: Path, tmp_path: Path) -> None:
    made = planned(folder)
    inside = next(one.path for one in made.operations if "billing/" in one.path)
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    link = (folder / inside).parent
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside)
    with pytest.raises(InvalidRequest):
        integration_files.apply(folder, made)
    assert list(outside.iterdir()) == []


def test_verifying_a_folder_reads_its_pages_and_settings_too(tmp_path: Path) -> None:
    for path, text in WIRED["nextjs"].items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text or "")

    def rules() -> list[tuple[str, str]]:
        beside = integration_files.read_beside(tmp_path)
        found = integration_checks.verified(integration_files.read_app(tmp_path), beside)
        return [(one.path, one.rule) for one in found]

    assert rules() == []
    (tmp_path / ".env").write_text("DEBUG=1\n")
    assert rules() == []
    (tmp_path / ".env").write_text(
        "CREDYT_URL=http://x\nCREDYT_API_KEY='s3cret'\nAPP_URL=http://y\n"
    )
    assert rules() == [(".env", "env-missing")]
    (tmp_path / ".env.local").write_text("CREDYT_WEBHOOK_SECRET=whsec_eA==\n")
    assert rules() == []
    bundle = tmp_path / ".next" / "static" / "chunks" / "a.js"
    bundle.parent.mkdir(parents=True)
    bundle.write_text("h='s3cret'")
    assert rules() == [(".next/static/chunks/a.js", "secret-in-client")]
