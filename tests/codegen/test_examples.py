"""The example apps are what the tool makes of them today, and nothing is found in them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from credyt_mcp.codegen import manifest as manifests
from credyt_mcp.codegen.answers import Answers
from credyt_mcp.codegen.planning import plan
from credyt_mcp.codegen.removal import removal
from credyt_mcp.codegen.snapshot import AppSnapshot
from credyt_mcp.use_cases import integration_checks, integration_files
from tests.codegen import beds
from tests.codegen.apps import applied

EXAMPLES = Path(__file__).parents[2] / "examples"
APPS = ("fastapi_images", "nextjs_chat")


@pytest.mark.parametrize("name", APPS)
def test_emitting_an_example_again_gives_the_same_files(name: str) -> None:
    known = integration_files.read_app(EXAMPLES / name)
    files = dict(known.files)
    manifest = manifests.read(files[manifests.PATH])
    assert manifest is not None
    taken_out = removal(known, manifest)
    edited = {left.partition(":")[0] for left in taken_out.left}
    assert edited <= set(manifest.seeded), "`integrate apply` brings the example up to date"
    without = {path: text for path, text in files.items() if path not in taken_out.changes}
    without |= {path: text for path, text in taken_out.changes.items() if text is not None}
    without = {path: text for path, text in without.items() if path not in edited}
    answers = Answers.from_json({**manifest.answers, "stack": manifest.stack})
    again = applied(without, plan(AppSnapshot(without), answers))
    assert {path: again[path] for path in again if path not in edited} == {
        path: files[path] for path in files if path not in edited
    }, f"`credyt-mcp integrate apply examples/{name}` brings the example up to date"


@pytest.mark.parametrize("name", APPS)
def test_nothing_is_found_in_an_example(name: str) -> None:
    assert integration_checks.verified(integration_files.read_app(EXAMPLES / name)) == []


@pytest.mark.slow
def test_the_image_example_is_tried_alive(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    shutil.copytree(EXAMPLES / "fastapi_images", folder)
    serve = (sys.executable, "-m", "uvicorn", "app.main:app", "--port", "{port}")
    beds.verify(folder, serve, "--before", "POST /sign-in name={user}")
