"""The package as it is installed: templates come along, and every command of `integrate` runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.codegen.apps import FASTAPI
from tests.codegen.beds import ENVIRONMENT, replace, tree
from tests.codegen.wired import WIRED

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel unpacked, as pip does it, and none of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    for command in (
        (*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)),
        (
            *(*pip, "install", "--no-deps", "--target", str(folder / "site")),
            *("--no-index", "--find-links", str(folder), "credyt-mcp"),
        ),
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


@pytest.mark.slow
def test_every_command_runs_as_installed(installed: Path, tmp_path: Path) -> None:
    app = tmp_path / "app"
    for path, text in FASTAPI.items():
        (app / path).parent.mkdir(parents=True, exist_ok=True)
        (app / path).write_text(text or "")
    before = tree(app)

    def integrate(command: str, *more: str) -> str:
        others = [one for one in ENVIRONMENT.get("PYTHONPATH", "").split(":") if one != str(ROOT)]
        done = subprocess.run(
            [sys.executable, "-m", "credyt_mcp", "integrate", command, str(app), *more],
            cwd=tmp_path,
            env={**ENVIRONMENT, "PYTHONPATH": ":".join([str(installed), *others])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert str(ROOT) not in done.stderr, done.stderr
        return done.stdout + done.stderr

    sold = ("--event", "image_generated", "--product", "studio")
    assert "app/billing/charges.py" in integrate("plan", *sold)
    assert tree(app) == before
    assert "create" in integrate("apply", *sold)
    assert "event-not-billed" in integrate("verify")
    integrated = (app / "app" / "main.py").read_bytes()
    (app / "app" / "main.py").write_text(WIRED["fastapi"]["app/main.py"] or "")
    assert "Nothing found" in integrate("verify")
    replace(app / "app" / "main.py", "BilledStream(charge, chunks())", "plain(chunks())")
    assert "hold-never-settled" in integrate("verify")
    (app / "app" / "main.py").write_bytes(integrated)
    integrate("remove")
    assert tree(app) == before
