"""API keys over REST: shown once, with scopes, a last use and a rate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.entrypoints.http import http_app
from credyt_mcp.use_cases.key_ring import KNOWN_FOR_SECONDS, KeyRing
from credyt_mcp.use_cases.keys import create_key
from tests.conftest import API_KEY

ALL = ["read", "write", "money", "admin"]


class Seconds:
    """Monotonic seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def ring(system: System, seconds: Seconds) -> KeyRing:
    return KeyRing(system.billing.database, 10, seconds)


@pytest.fixture
async def limited(system: System, ring: KeyRing) -> AsyncIterator[httpx.AsyncClient]:
    """The server with ten requests a second for each key, on a clock of seconds of the test's."""
    transport = httpx.ASGITransport(http_app(system.billing, ring))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers={"X-CREDYT-API-KEY": API_KEY}
    ) as client:
        yield client


async def made(rest: httpx.AsyncClient, *scopes: str, **headers: str) -> dict[str, Any]:
    body = {"name": "app", **({"scopes": list(scopes)} if scopes else {})}
    answer = await rest.post("/keys", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def with_key(key: dict[str, Any]) -> dict[str, str]:
    return {"X-CREDYT-API-KEY": key["key"]}


async def test_a_key_is_shown_once_and_listed_without_its_text(rest: httpx.AsyncClient) -> None:
    key = await made(rest, "money", "read")
    assert (key["name"], key["environment"], key["scopes"]) == ("app", "test", ["read", "money"])
    listed = await rest.get("/keys")
    assert key["key"] not in listed.text
    newest, first = listed.json()["items"]
    assert newest == {
        "id": key["id"],
        "name": "app",
        "environment": "test",
        "shown": f"{key['key'][:8]}…",
        "scopes": ["read", "money"],
        "created_at": "2026-03-10T12:00:00Z",
    }
    assert (first["name"], first["scopes"]) == ("CREDYT_API_KEY", ALL)


async def test_a_key_works_until_it_is_revoked_and_for_five_seconds_more(
    limited: httpx.AsyncClient, seconds: Seconds
) -> None:
    key = await made(limited)
    assert key["scopes"] == ALL
    assert (await limited.get("/assets", headers=with_key(key))).status_code == 200
    assert (await limited.delete(f"/keys/{key['id']}")).status_code == 204
    assert (await limited.delete(f"/keys/{key['id']}")).status_code == 204
    seconds.now += KNOWN_FOR_SECONDS
    gone = await limited.get("/assets", headers=with_key(key))
    assert (gone.status_code, gone.json()["code"]) == (401, "unauthorized")
    assert "revoked_at" in (await limited.get("/keys")).json()["items"][0]
    assert (await limited.delete("/keys/apk_none")).status_code == 404


@pytest.mark.parametrize("scopes", [[], ["all"], ["read", "sudo"], "read"])
async def test_a_scope_that_there_is_not_is_refused(rest: httpx.AsyncClient, scopes: Any) -> None:
    answer = await rest.post("/keys", json={"name": "app", "scopes": scopes})
    assert answer.status_code == 422
    assert any(field.startswith("scopes") for field in answer.json()["errors"])
    assert (await rest.get("/keys")).json()["total_count"] == 1


async def test_a_key_cannot_make_one_that_may_do_more(rest: httpx.AsyncClient) -> None:
    key = await made(rest, "read", "admin")
    more = await rest.post(
        "/keys", json={"name": "more", "scopes": ["read", "money"]}, headers=with_key(key)
    )
    assert (more.status_code, more.json()["code"]) == (403, "forbidden")
    assert "'money'" in more.json()["detail"]
    # Without scopes it makes its like.
    assert (await made(rest, **with_key(key)))["scopes"] == ["read", "admin"]


async def test_starting_credit_needs_the_scope_of_money(rest: httpx.AsyncClient) -> None:
    key = with_key(await made(rest, "write"))
    wallet = {"external_id": "jane", "starting_credit": {"asset": "USD", "amount": 5}}
    for more in ({}, {"starting_credit": None, "limits": {"asset": "USD", "hard_limit": True}}):
        refused = await rest.post("/wallets", json={**wallet, **more}, headers=key)
        assert refused.status_code == 403
        assert "'money'" in refused.json()["detail"]
    assert (await rest.get("/customers/jane")).status_code == 404
    plain = await rest.post("/wallets", json={"external_id": "jane"}, headers=key)
    assert plain.status_code == 201


async def test_the_last_use_of_a_key_is_listed(
    limited: httpx.AsyncClient,
    system: System,
    ring: KeyRing,
    seconds: Seconds,
    clock: FrozenClock,
) -> None:
    key = await made(limited)
    await limited.get("/assets", headers=with_key(key))
    seconds.now += 40
    clock.advance(timedelta(seconds=40))
    ring.note_uses(clock.now())
    [used, _] = (await limited.get("/keys")).json()["items"]
    assert used["last_used_at"] == "2026-03-10T12:00:00Z"
    # Another process that saw an earlier use does not turn it back.
    other = KeyRing(system.billing.database, 10, seconds)
    await other.admit(key["key"])
    other.note_uses(clock.now() - timedelta(hours=1))
    [used, _] = (await limited.get("/keys")).json()["items"]
    assert used["last_used_at"] == "2026-03-10T12:00:00Z"


@pytest.mark.parametrize("path", ["/events", "/assets", "/mcp"])
async def test_a_key_that_asks_too_often_is_told_when_to_come_back(
    limited: httpx.AsyncClient, seconds: Seconds, path: str
) -> None:
    other = with_key(await made(limited))
    seconds.now += 10
    for _ in range(20):
        await limited.get("/assets")
    refused = await limited.post(path, json={})
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused.headers["retry-after"] == "1"
    # Another key is not held up, and this one not for long.
    assert (await limited.get("/assets", headers=other)).status_code == 200
    seconds.now += 0.1
    assert (await limited.get("/assets")).status_code == 200
    assert (await limited.get("/assets")).status_code == 429


async def test_acting_for_a_connected_account_counts_for_the_platforms_key(
    limited: httpx.AsyncClient, seconds: Seconds
) -> None:
    ids = [
        (await limited.post("/accounts", json={"name": name})).json()["id"] for name in ("a", "b")
    ]
    seconds.now += 10
    for turn in range(20):
        headers = {"X-CREDYT-ACCOUNT": ids[turn % 2]}
        assert (await limited.get("/assets", headers=headers)).status_code == 200
    headers = {"X-CREDYT-ACCOUNT": ids[0]}
    assert (await limited.get("/assets", headers=headers)).status_code == 429


async def test_without_a_limit_a_burst_is_let_through(system: System) -> None:
    meter = KeyRing(system.billing.database, 0).caller_of(API_KEY).meter
    for _ in range(100_000):
        meter.take(1.0)


async def test_the_default_lets_a_burst_of_thousands_through(system: System) -> None:
    meter = system.keys.caller_of(API_KEY).meter
    for _ in range(20_000):
        meter.take(1.0)


async def test_keys_that_are_not_ours_leave_nothing_behind(
    limited: httpx.AsyncClient, ring: KeyRing
) -> None:
    for number in range(50):
        headers = {"X-CREDYT-API-KEY": f"key_wrong_{number}"}
        assert (await limited.get("/assets", headers=headers)).status_code == 401
        foreign = {"X-CREDYT-ACCOUNT": f"acc_{number}"}
        assert (await limited.get("/assets", headers=foreign)).status_code in (403, 429)
    kept = [value for value in vars(ring).values() if isinstance(value, dict)]
    assert sum(map(len, kept)) == 2  # the good key, and its meter


async def test_a_key_of_one_environment_makes_and_sees_keys_of_it_only(
    rest: httpx.AsyncClient, system: System, clock: FrozenClock
) -> None:
    live = {"X-CREDYT-API-KEY": create_key(system.billing.database, clock, "l", "live").key}
    second = await made(rest, **live)
    assert second["environment"] == "live"
    assert [key["name"] for key in (await rest.get("/keys")).json()["items"]] == ["CREDYT_API_KEY"]
    assert (await rest.delete(f"/keys/{second['id']}")).status_code == 404
    assert (await rest.get("/assets", headers=with_key(second))).status_code == 200
