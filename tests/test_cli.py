"""The command line as a person meets it: real processes, their output and exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CREDYT_")}
    return {**kept, "CREDYT_DATABASE_URL": f"sqlite:///{tmp_path / 'credyt.db'}"}


def credyt(*words: str, env: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "credyt_mcp", *words],
        env=env,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_key_is_shown_once_listed_without_its_text_and_revoked(
    env: dict[str, str], tmp_path: Path
) -> None:
    made = credyt("keys", "create", "--name", "ci", env=env, cwd=tmp_path)
    key = made.stdout.strip()
    assert key.startswith("key_")
    listed = json.loads(credyt("keys", "list", "--json", env=env, cwd=tmp_path).stdout)
    assert [(one["name"], one["environment"]) for one in listed] == [("ci", "test")]
    assert key not in json.dumps(listed)
    assert credyt("keys", "revoke", listed[0]["id"], env=env, cwd=tmp_path).returncode == 0
    shown = credyt("keys", "list", env=env, cwd=tmp_path).stdout
    assert "revoked" in shown
    assert key not in shown


def test_a_key_may_do_what_it_was_made_for(env: dict[str, str], tmp_path: Path) -> None:
    made = credyt("keys", "create", "--scopes", "money, read", "--json", env=env, cwd=tmp_path)
    assert json.loads(made.stdout)["scopes"] == ["read", "money"]
    for wrong in ("all", "", "read,"):
        refused = credyt("keys", "create", "--scopes", wrong, env=env, cwd=tmp_path)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "read, write, money, admin" in refused.stderr
    [listed] = json.loads(credyt("keys", "list", "--json", env=env, cwd=tmp_path).stdout)
    assert listed["scopes"] == ["read", "money"]
    assert (
        "read money" in credyt("keys", "list", env={**env, "COLUMNS": "200"}, cwd=tmp_path).stdout
    )


def test_an_error_is_two_lines_and_exit_code_1(env: dict[str, str], tmp_path: Path) -> None:
    failed = credyt("keys", "revoke", "apk_none", env=env, cwd=tmp_path)
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert failed.stderr.strip().splitlines() == [
        "not_found: there is no key 'apk_none'",
        "`credyt-mcp keys list`, or GET /keys, shows them.",
    ]


@pytest.mark.parametrize(
    ("setting", "value", "code"),
    [
        ("CREDYT_DATABASE_URL", "mysql://root:sesame@127.0.0.1/x", "misconfigured"),
        ("CREDYT_DATABASE_URL", "sesame", "misconfigured"),
        ("CREDYT_DATABASE_URL", "postgresql://a:sesame@127.0.0.1:1/x", "database_unavailable"),
        ("CREDYT_CHECKOUT_MINUTES", "sesame", "misconfigured"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_and_not_repeated(
    env: dict[str, str], tmp_path: Path, setting: str, value: str, code: str
) -> None:
    failed = credyt("db", "upgrade", env={**env, setting: value}, cwd=tmp_path)
    first, second = failed.stderr.strip().splitlines()
    assert failed.returncode == 1
    assert first.startswith(code)
    assert "CREDYT_" in first + second
    assert "sesame" not in failed.stderr


def test_the_books_of_a_new_database_balance(env: dict[str, str], tmp_path: Path) -> None:
    credyt("db", "upgrade", env=env, cwd=tmp_path)
    verified = credyt("ledger", "verify", env=env, cwd=tmp_path)
    assert verified.returncode == 0
    assert "The books balance." in verified.stdout
    report = json.loads(credyt("ledger", "verify", "--json", env=env, cwd=tmp_path).stdout)
    assert report["ok"] is True


def test_settings_come_from_a_dot_env_file_too(env: dict[str, str], tmp_path: Path) -> None:
    del env["CREDYT_DATABASE_URL"]
    (tmp_path / ".env").write_text("CREDYT_DATABASE_URL=sqlite:///from_env_file.db\n")
    credyt("db", "upgrade", env=env, cwd=tmp_path)
    assert (tmp_path / "from_env_file.db").exists()


@pytest.mark.slow
def test_the_demo_tells_the_story_and_every_figure_is_right(
    env: dict[str, str], tmp_path: Path
) -> None:
    played = credyt("demo", env=env, cwd=tmp_path)
    assert played.returncode == 0, played.stdout + played.stderr
    assert "Every figure as expected" in played.stdout
    assert "1.9984575" in played.stdout
    assert "✗" not in played.stdout
    assert not (tmp_path / "credyt.db").exists()
