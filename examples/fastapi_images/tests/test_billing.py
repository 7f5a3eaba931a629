"""Paid work is held, billed once, given back: against a billing server of its own."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator, MutableMapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Response
from fastapi.testclient import TestClient

sys.path.insert(0, str(Path(__file__).parent))
from billing_fake import SECRET, FakeBilling, fake_billing, signed

from app.billing import (
    BilledStream,
    RequestId,
    UserId,
    billable,
    charges,
    config,
    hold,
    install,
)


@pytest.fixture
def billing(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBilling]:
    with fake_billing() as fake:
        monkeypatch.setenv("CREDYT_URL", fake.url)
        monkeypatch.setenv("CREDYT_API_KEY", "key_test")
        monkeypatch.setenv("CREDYT_WEBHOOK_SECRET", f"whsec_{SECRET}")
        monkeypatch.setenv("APP_URL", "http://localhost:8000")
        monkeypatch.setattr(config, "RUN_WITHOUT_BILLING", False)
        yield fake


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    install(app)
    app.dependency_overrides[config.current_user_id] = lambda: "ann"

    @app.post("/work")
    async def work(
        user_id: UserId, request_id: RequestId = None, fails: bool = False
    ) -> str:
        async with billable(user_id, "work", request_id=request_id) as charge:
            charge.llm("openai", "gpt-5", {"prompt_tokens": 7}, response_id="resp_1")
            if fails:
                raise RuntimeError("the work failed")
            return "done"

    @app.post("/stream")
    async def stream(user_id: UserId) -> Response:
        charge = await hold(user_id, "work", estimate={"units": 10})

        async def chunks() -> AsyncIterator[str]:
            for count in range(1, 6):
                charge.use(units=count)
                yield f"{count} "
                await asyncio.sleep(0)

        return BilledStream(charge, chunks())

    return app


@pytest.fixture
def browser(app: FastAPI, billing: FakeBilling) -> TestClient:
    return TestClient(app, raise_server_exceptions=False, follow_redirects=False)


def test_a_new_user_without_credit_is_blocked_and_told_how_to_top_up(
    browser: TestClient, billing: FakeBilling
) -> None:
    refused = browser.post("/work")
    assert refused.status_code == 402
    assert refused.json()["code"] == "insufficient_balance"
    assert refused.json()["missing"] == "0.05"
    paying = browser.post(refused.json()["top_up_url"], headers={"Accept": "text/html"})
    assert (paying.status_code, paying.headers["location"]) == (
        303,
        f"{billing.url}/pay/ann",
    )
    assert billing.events == {}


def test_work_is_billed_and_failed_work_is_not(
    browser: TestClient, billing: FakeBilling
) -> None:
    billing.balances["ann"] = Decimal(1)
    assert browser.post("/work").status_code == 200
    assert browser.post("/work?fails=true").status_code == 500
    [event, failed] = billing.events.values()
    assert event["llm_usage"][0]["usage"] == {"prompt_tokens": 7}
    assert failed["user_id"] == "ann"  # of the house, which pays what its calls cost
    assert browser.get("/api/billing/balance").json()["available"] == "0.95"
    assert billing.available("ann") == Decimal("0.95")


def test_a_double_submit_is_done_and_billed_once(
    browser: TestClient, billing: FakeBilling
) -> None:
    billing.balances["ann"] = Decimal(1)
    click = {"Idempotency-Key": "click-1"}
    answers = [browser.post("/work", headers=click).status_code for _ in range(2)]
    assert answers == [200, 409]
    assert billing.available("ann") == Decimal("0.95")


def test_nothing_runs_while_billing_is_down_unless_the_app_wants_it(
    browser: TestClient, billing: FakeBilling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDYT_URL", "http://127.0.0.1:9")
    assert browser.post("/work").json()["code"] == "billing_unavailable"
    monkeypatch.setattr(config, "RUN_WITHOUT_BILLING", True)
    monkeypatch.setattr("app.billing.client.PAUSES", (0, 0))
    assert browser.post("/work").status_code == 200


def test_usage_of_an_outage_is_billed_once_billing_is_back(
    billing: FakeBilling,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("app.billing.client.PAUSES", (0, 0))
    billing.balances["bob"] = Decimal(1)
    charge = charges.hold("bob", "work")
    charge.use()
    billing.down = True
    charge.settle()
    [line] = [one for one in caplog.messages if one.startswith("unbilled: ")]
    [event] = json.loads(line.removeprefix("unbilled: "))["events"]
    assert event["id"] == charge.id
    billing.down = False
    charges.hold("bob", "work").settle()
    assert billing.events[charge.id] == event
    assert billing.available("bob") == Decimal("0.95")


def test_a_stream_is_billed_by_what_was_used(
    browser: TestClient, billing: FakeBilling
) -> None:
    billing.balances["ann"] = Decimal(1)
    assert browser.post("/stream").text == "1 2 3 4 5 "
    assert billing.available("ann") == Decimal("0.75")


@pytest.mark.parametrize("asgi", ["2.0", "2.4"])
def test_an_aborted_stream_is_billed_up_to_where_it_came(
    app: FastAPI, billing: FakeBilling, asgi: str
) -> None:
    billing.balances["ann"] = Decimal(1)
    asyncio.run(_read_two_chunks(app, asgi))
    assert billing.available("ann") in (Decimal("0.90"), Decimal("0.85"))
    assert [one["status"] for one in billing.holds.values()] == ["captured"]


def test_a_webhook_needs_a_good_recent_signature_and_counts_once(
    browser: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[dict[str, Any]] = []
    monkeypatch.setattr(config, "on_event", heard.append)
    body = json.dumps({"id": "evt_1", "type": "balance.low", "data": {}}).encode()

    def deliver(body: bytes, headers: dict[str, str]) -> int:
        return browser.post(
            "/api/billing/webhook", content=body, headers=headers
        ).status_code

    assert deliver(body, signed(body)) == 204
    assert deliver(body, signed(body)) == 204
    assert deliver(body + b" ", signed(body)) == 400
    assert deliver(body, {}) == 400
    assert deliver(body, signed(body, age=3600)) == 400
    assert len(heard) == 1


async def _read_two_chunks(app: FastAPI, asgi: str) -> None:
    """A browser that goes away in mid-stream, for servers of either ASGI version."""
    gone = asyncio.Event()
    chunks = 0

    async def receive() -> MutableMapping[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal chunks
        chunks += bool(message.get("body"))
        if chunks == 2:
            gone.set()
            if asgi == "2.4":
                raise OSError("the connection is gone")
            await asyncio.sleep(0.01)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": asgi},
        "method": "POST",
        "path": "/stream",
        "query_string": b"",
        "headers": [],
    }
    try:
        await app(scope, receive, send)
    except Exception as error:
        assert asgi == "2.4", error
