"""Connecting Stripe on the command line: the key comes by stdin, is never shown, nor stored as it
is."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stripe.conftest import SECRET, FakeStripe


def credyt(
    env: dict[str, str], cwd: Path, *words: str, given: str = ""
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "credyt_mcp", *words]
    return subprocess.run(
        command, env=env, cwd=cwd, input=given, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_a_key_is_connected_shown_without_its_text_and_forgotten(
    tmp_path: Path, fake: FakeStripe
) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CREDYT_")}
    database = tmp_path / "credyt.db"
    env = {**kept, "CREDYT_DATABASE_URL": f"sqlite:///{database}", "STRIPE_API_BASE": fake.base}
    given = f"{fake.key}\n{SECRET}\n"
    refused = credyt(env, tmp_path, "stripe", "connect", given=given)
    assert refused.returncode == 1 and "CREDYT_SECRETS_KEY" in refused.stderr
    env["CREDYT_SECRETS_KEY"] = credyt(env, tmp_path, "secrets", "key").stdout.strip()
    live = credyt(env, tmp_path, "stripe", "connect", "--live", given=given)
    assert live.returncode == 1 and "test key" in live.stderr
    made = credyt(env, tmp_path, "stripe", "connect", given=given)
    assert made.returncode == 0, made.stderr
    assert "/providers/stripe/webhook/pya_" in made.stderr
    shown = credyt(env, tmp_path, "stripe", "show", "--json")
    [account] = json.loads(shown.stdout)
    assert account["key"] == f"sk_test_…{fake.key[-4:]}" and account["webhook_secrets"] == 1
    said = "".join(one.stdout + one.stderr for one in (refused, live, made, shown))
    with sqlite3.connect(database) as stored:
        said += "\n".join(stored.iterdump())
    assert fake.key not in said and SECRET not in said
    assert credyt(env, tmp_path, "secrets", "reseal").returncode == 0
    gone = credyt(env, tmp_path, "stripe", "disconnect", account["id"])
    assert gone.returncode == 0
    assert json.loads(credyt(env, tmp_path, "stripe", "show", "--json").stdout) == []
    assert json.loads(credyt(env, tmp_path, "stripe", "events", "--json").stdout) == []
