"""docs/webhooks.md says what the code does, and its receiver works as it stands there."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from credyt_mcp.clock import FrozenClock
from credyt_mcp.delivery.webhooks import Message, signatures
from credyt_mcp.domain.webhooks import TOPICS, next_attempt
from credyt_mcp.use_cases.webhook_delivery import Courier
from credyt_mcp.use_cases.webhook_events import list_webhook_events, send_test
from credyt_mcp.use_cases.webhooks import create_webhook
from tests.conftest import Call

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
RECEIVER, RECIPE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_table_of_topics_is_the_catalogue() -> None:
    rows = [
        f"| `{name}` | {topic.meaning} | {', '.join(f'`{field}`' for field in topic.fields)} |"
        for name, topic in TOPICS.items()
    ]
    assert "\n|---|---|---|\n" + "\n".join(rows) + "\n<!-- end -->" in PAGE


def test_the_table_of_attempts_is_the_schedule() -> None:
    first = now = datetime(2026, 1, 1, tzinfo=UTC)
    rows = []
    attempts = 1
    while (following := next_attempt(first, attempts, now, 0)) is not None:
        attempts += 1
        rows.append(f"| {attempts} | {_short(following - now)} | {_short(following - first)} |")
        now = following
    table = "| attempt | after | in all |\n|---|---|---|\n" + "\n".join(rows)
    assert f"checked against the code -->\n{table}\n<!-- end -->" in PAGE, table
    assert f"the {attempts}th and last attempt" in PAGE


def _short(span: timedelta) -> str:
    """Whole seconds in the three largest units, as in `3 h 2 min 10 s`."""
    seconds = int(span.total_seconds())
    parts = (seconds // 3600, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(datetime.now(UTC))


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()  # before its server runs, which may be after the first delivery
        yield bound


async def test_the_receiver_of_the_documentation_receives(
    call: Call, courier: Courier, listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/credyt"
    made = await call(create_webhook, url=url)
    monkeypatch.setenv("WEBHOOK_SECRET", made.secret)
    program: dict[str, Any] = {}
    exec(compile(RECEIVER, "receiver.py", "exec"), program)
    server = uvicorn.Server(uvicorn.Config(program["app"], log_level="warning"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        sent = await call(send_test, topic="balance.low", data={"customer_id": "cust_1"})
        await courier.deliver_due()
        [entry] = (await call(list_webhook_events)).models
        assert entry.metadata["response_text"] == '{"received":true}'
        assert program["seen"] == {sent.id}
        forged = await httpx.AsyncClient().post(url, json={"id": "evt_forged"})
        assert forged.status_code == 400
    finally:
        server.should_exit = True
        thread.join()


def test_the_recipe_of_the_documentation_verifies() -> None:
    program: dict[str, Any] = {}
    exec(compile(RECIPE, "recipe.py", "exec"), program)
    message = Message("evt_1", b'{"a":1}', "https://app.example/", "whsec_c2VjcmV0", False)
    header = signatures(message, datetime.now(UTC))["Credyt-Signature"]
    assert program["verify"](message.secret, message.body, header)
    assert not program["verify"](message.secret, message.body + b" ", header)
    assert not program["verify"]("whsec_b3RoZXI=", message.body, header)
    old = signatures(message, datetime.now(UTC) - timedelta(minutes=6))["Credyt-Signature"]
    assert not program["verify"](message.secret, message.body, old)
