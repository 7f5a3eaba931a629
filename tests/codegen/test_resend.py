"""Usage that an app could not bill is billed from its log, once, however often that is done."""

from __future__ import annotations

import json
import os
from pathlib import Path

from typer.testing import CliRunner

from credyt_mcp import exact_json
from credyt_mcp.commands.integrate import app
from credyt_mcp.use_cases.integration_logs import unbilled
from tests.codegen import beds
from tests.codegen.beds import EVENT
from tests.processes.harness import KEY, serving


def line(event_id: str, data: str = "{}") -> str:
    event = f'{{"id": "{event_id}", "event_type": "{EVENT}", "data": {data}}}'
    return f'unbilled: {{"customer_external_id": "ann", "events": [{event}]}}'


def resend(folder: Path, log: str, **settings: str) -> tuple[int, str]:
    (folder / "app.log").write_text(log)
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    unset = dict.fromkeys((name for name in os.environ if name.startswith("CREDYT_")), None)
    options = ["resend", str(folder / "app.log"), "--app", str(folder)]
    done = CliRunner().invoke(app, options, env=unset)
    return done.exit_code, done.output + str(done.exception or "")


def test_a_log_bills_what_the_app_could_not_and_nothing_twice(
    sqlite_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    log = (
        "INFO started\n"
        f"ERROR:billing.outbox:{line('one')}\nTraceback (most recent call last):\n"
        f"2026-11-21 {line('one')} BillingUnavailable: it answered 503\n"
        f"{json.dumps({'level': 'error', 'message': line('two')})}\n"
    )
    with serving(sqlite_url, tmp_path) as [server], server.sync_client() as client:
        beds.a_product(server)
        client.post("/wallets", json={"external_id": "ann", "products": [beds.PRODUCT]})
        settings = {"CREDYT_URL": server.url, "CREDYT_API_KEY": KEY}
        for _ in range(2):
            assert resend(folder, log, **settings) == (0, "2 of 2 events are billed\n")
        wallet = client.get("/customers/ann/wallet/default:USD")
        assert exact_json.loads(wallet.content)["available"] == exact_json.loads("-0.10")
        code, said = resend(folder, log + line("three")[:-4], **settings)
        assert (code, "line 6" in said) == (1, True), said
        code, said = resend(folder, line("four").replace(EVENT, ""), **settings)
        assert (code, "four 422" in said) == (1, True), said
    assert resend(folder, log, **settings)[0] == 1
    assert "must be in the app's .env" in resend(folder, log)[1]


def test_numbers_of_a_log_stay_exact() -> None:
    [body] = unbilled([line("one", '{"gb": 12345678.123456789}')]).bodies.values()
    assert b"12345678.123456789" in exact_json.dumps(body)


def test_lines_that_speak_of_something_else_are_passed_over() -> None:
    assert unbilled(["", "billed: {}", "[]", '"unbilled"', "{}", "1"]) == ({}, [])
    assert unbilled(["unbilled: 3", "unbilled: {}", 'unbilled: {"events": []}']).damaged == [
        1,
        2,
        3,
    ]
