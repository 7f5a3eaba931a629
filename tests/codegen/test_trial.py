"""An app that bills carelessly, tried alive: each careless thing is seen by what it does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.codegen import beds
from tests.codegen.beds import DEADLINE_SECONDS, environment, free_port
from tests.codegen.test_python_beds import STUDIO
from tests.codegen.test_python_beds import studio as studio

HEAD = """\
import asyncio, time, uuid
from datetime import datetime, timezone
from decimal import Decimal
from fastapi.responses import JSONResponse, StreamingResponse
from app.billing import BillingUnavailable, UserId, client, hold


"""
CARELESS = """\
@app.post("/images")
def create_image(user_id: UserId):
    try:
        available = Decimal(client.balance(user_id)["available"])
    except BillingUnavailable:
        available = Decimal(1)
    if available < Decimal("0.05"):
        return JSONResponse({"missing": 0.05}, 402)
    time.sleep(0.3)
    now = datetime.now(timezone.utc).isoformat()
    event = {"id": str(uuid.uuid4()), "event_type": "image_generated", "occurred_at": now}
    try:
        client.record(user_id, event)
    except BillingUnavailable:
        pass
    return {"image": "a drawing"}
"""
UNSETTLED = """\
@app.post("/images")
async def create_image(user_id: UserId):
    charge = await hold(user_id, "image_generated")

    async def chunks():
        for _ in range(200):
            charge.use()
            yield "a line of a drawing\\n"
            await asyncio.sleep(0.02)
        charge.settle()

    return StreamingResponse(chunks())
"""


def tried(folder: Path) -> dict[str, Any]:
    serve = f"{sys.executable} -m uvicorn app.main:app --port {{port}}"
    options = ("--run", serve, "--header", "x-user: {user}", "--route", "POST /images", "--json")
    done = subprocess.run(
        [sys.executable, "-m", "credyt_mcp", "integrate", "verify", str(folder), *options],
        env=environment(f"sqlite:///{folder.parent / 'catalogue.db'}", free_port()),
        cwd=folder.parent,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def alive(said: dict[str, Any]) -> list[str]:
    """What was seen of the running app; of the code, findings say other things."""
    seen = ("requests", "billing is down the app", "a webhook", "stays held", "was begun")
    return sorted(
        {one["rule"] for one in said["findings"] if any(word in one["said"] for word in seen)}
    )


@pytest.mark.slow
def test_what_is_done_carelessly_is_seen_in_the_running_app(studio: Path) -> None:
    beds.apply(studio)
    main = studio / "app" / "main.py"
    beds.replace(main, STUDIO[STUDIO.index("@app.post") :], HEAD + CARELESS)
    webhooks = studio / "app" / "billing" / "webhooks.py"
    beds.replace(webhooks, "    if not (genuine and recent):\n        raise InvalidSignature\n", "")
    said = tried(studio)
    seen = ["check-then-act", "fail-open", "fresh-event-id"]
    assert alive(said) == [*seen, "webhook-replay", "webhook-unverified"]
    in_code = {(one["rule"], one["path"]) for one in said["findings"]}
    assert {
        ("check-then-act", "app/main.py"),
        ("fresh-event-id", "app/main.py"),
        ("work-before-hold", "app/main.py"),
        ("webhook-unverified", "app/billing/webhooks.py"),
    } <= in_code


@pytest.mark.slow
def test_a_reader_who_goes_away_is_seen_to_have_had_it_for_nothing(studio: Path) -> None:
    beds.apply(studio)
    main = studio / "app" / "main.py"
    beds.replace(main, STUDIO[STUDIO.index("@app.post") :], HEAD + UNSETTLED)
    said = tried(studio)
    assert "capture-missing-on-abort" in alive(said)
    found = [one for one in said["findings"] if one["rule"] == "capture-missing-on-abort"]
    assert {one["path"] for one in found} == {"app/main.py"}
