"""Destinations and the log over REST: the wire's shapes and codes, and what is refused."""

from __future__ import annotations

import logging
from typing import Any

import httpx
import pytest

from credyt_mcp.app import System
from credyt_mcp.domain.webhooks import TOPICS
from credyt_mcp.use_cases.webhook_delivery import Courier
from tests.webhooks.receiver import Receiver, verify_credyt_signature

URL = {"url": "https://app.example/hooks"}


async def create(rest: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    made = await rest.post("/webhooks", json={**URL, **fields})
    assert made.status_code == 201, made.text
    return made.json()


async def test_a_destination_is_made_read_changed_and_deleted(rest: httpx.AsyncClient) -> None:
    made = await create(rest)
    assert set(made) == {"id", "secret", "created_at"}
    assert made["id"].startswith("whd_") and made["secret"].startswith("whsec_")
    path = f"/webhooks/{made['id']}"
    shown = (await rest.get(path)).json()
    assert shown == {
        **URL,
        "id": made["id"],
        "secret": made["secret"],
        "topics": ["*"],
        "connect": False,
        "enabled": True,
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
    }
    changed = await rest.patch(path, json={"topics": ["top_up.*"], "enabled": False})
    assert changed.status_code == 200
    assert changed.json() == {**shown, "topics": ["top_up.*"], "enabled": False}
    deleted = await rest.delete(path)
    assert (deleted.status_code, deleted.content) == (204, b"")
    for gone in (await rest.get(path), await rest.delete(path), await rest.patch(path, json={})):
        assert gone.status_code == 404


async def test_lists_narrow_and_show_no_secret(rest: httpx.AsyncClient) -> None:
    first, second = await create(rest), await create(rest, connect=True)
    await rest.patch(f"/webhooks/{first['id']}", json={"enabled": False})

    async def ids(**query: str) -> list[str]:
        page = (await rest.get("/webhooks", params=query)).json()
        assert set(page) == {"items", "total_count"}
        assert page["total_count"] == len(page["items"])
        assert not any("secret" in item for item in page["items"])
        return [item["id"] for item in page["items"]]

    assert await ids() == [second["id"], first["id"]]
    assert await ids(enabled="true") == [second["id"]]
    assert await ids(connect="false", enabled="false") == [first["id"]]


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({}, "url", "required"),
        ({"url": "ftp://app.example/"}, "url", "https"),
        ({"url": "http://app.example/"}, "url", "https"),
        ({"url": "http://10.0.0.1/"}, "url", "https"),
        ({"url": "https://user:word@app.example/"}, "url", "password"),
        ({"url": "https:///path"}, "url", "https"),
        ({"url": "https://a b/"}, "url", "not a URL"),
        ({"url": "https://app.example:99999/"}, "url", "not a URL"),
        ({**URL, "topics": []}, "topics", "at least 1"),
        ({**URL, "topics": ["top_up.paid"]}, "topics", "top_up.succeeded"),
        ({**URL, "topics": ["nothing.*"]}, "topics", "unknown topic 'nothing.*'"),
        ({**URL, "connect": "yes"}, "connect", "boolean"),
    ],
)
async def test_what_cannot_be_a_destination_is_refused(
    rest: httpx.AsyncClient, fields: dict[str, Any], field: str, said: str
) -> None:
    refused = await rest.post("/webhooks", json=fields)
    assert refused.status_code == 422
    assert said in str(refused.json()["errors"][field])
    assert (await rest.get("/webhooks")).json()["total_count"] == 0


async def test_topics_of_the_wire_and_wildcards_are_taken(rest: httpx.AsyncClient) -> None:
    topics = ["customer.created", "transaction.completed", "subscription.*", "customer.created"]
    made = await create(rest, topics=topics)
    shown = (await rest.get(f"/webhooks/{made['id']}")).json()
    assert shown["topics"] == topics[:3]
    assert len({*TOPICS}) == len(TOPICS)


async def test_any_json_can_be_sent_as_a_test(
    rest: httpx.AsyncClient, courier: Courier, receiver: Receiver
) -> None:
    one = await create(rest, url=receiver.url, topics=["balance.low"])
    path = f"/webhooks/{one['id']}/test/subscription.activated"
    for data in ({"amount": 12345678.123456789}, [1, "two"], "text", 3, None):
        sent = await rest.post(path, json=data)
        assert sent.status_code == 202
        assert set(sent.json()) == {"id"}
    exact = b'{"amount":12345678.123456789,"big":123456789012345678901234567890}'
    await rest.post(path, content=exact)
    await rest.post("/webhooks/test/balance.low", json={"to": "all that take it"})
    await rest.post("/webhooks/test/top_up.failed", json={"to": "nobody"})
    await courier.deliver_due()
    assert len(receiver.received) == 7
    assert any(exact in one.body for one in receiver.received)
    for received in receiver.received:
        verify_credyt_signature(received, one["secret"])
    assert receiver.topics.count("balance.low") == 1
    assert (await rest.get("/notices")).json()["items"] == []  # a test is no fact


async def test_tests_that_make_no_sense_are_refused(rest: httpx.AsyncClient) -> None:
    made = await create(rest)
    path = f"/webhooks/{made['id']}"
    assert (await rest.post(f"{path}/test/nothing", json={})).status_code == 422
    assert (await rest.post("/webhooks/whd_none/test/balance.low", json={})).status_code == 404
    assert (await rest.post("/webhooks/test/balance.low", json="x" * 70_000)).status_code == 413
    for prefix in (path, "/webhooks"):
        other = await rest.post(f"{prefix}/test/balance.low/acc_nobody", json={})
        assert (other.status_code, other.json()["code"]) == (404, "not_found")
    await rest.patch(path, json={"enabled": False})
    refused = await rest.post(f"{path}/test/balance.low", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    assert (await rest.get("/webhooks/events")).json()["models"] == []


async def test_the_log_is_paged_by_cursor_both_ways(
    rest: httpx.AsyncClient, courier: Courier, receiver: Receiver
) -> None:
    good = await create(rest, url=receiver.url)
    sent = []
    for number in range(5):
        answer = await rest.post(f"/webhooks/{good['id']}/test/balance.low", json={"n": number})
        sent.append(answer.json()["id"])
    await courier.deliver_due()

    async def page(**query: Any) -> tuple[list[int], dict[str, Any]]:
        answer = (await rest.get("/webhooks/events", params=query)).json()
        assert set(answer) == {"models", "pagination"}
        return [one["data"]["n"] for one in answer["models"]], answer["pagination"]

    numbers, first = await page(limit=2)
    assert (numbers, set(first)) == ([4, 3], {"limit", "next"})
    numbers, second = await page(limit=2, next=first["next"])
    assert (numbers, set(second)) == ([2, 1], {"limit", "next", "prev"})
    numbers, third = await page(limit=2, next=second["next"])
    assert (numbers, set(third)) == ([0], {"limit", "prev"})
    numbers, back = await page(limit=2, prev=third["prev"])
    assert (numbers, back["limit"]) == ([2, 1], 2)
    assert (await page(limit=2, prev=back["prev"]))[0] == [4, 3]

    [entry] = (await rest.get("/webhooks/events", params={"limit": 1})).json()["models"]
    assert (entry["id"], entry["destination_id"], entry["topic"]) == (
        sent[-1],
        good["id"],
        "balance.low",
    )
    assert entry["time"] and entry["successful_at"] and "failed_at" not in entry
    assert entry["metadata"]["state"] == "delivered" and entry["metadata"]["test"] is True
    for wrong in ({"next": "x"}, {"prev": "-1"}, {"next": "1", "prev": "1"}, {"status": "Maybe"}):
        assert (await rest.get("/webhooks/events", params=wrong)).status_code == 422


async def test_the_log_is_narrowed(
    rest: httpx.AsyncClient, courier: Courier, receiver: Receiver, system: System
) -> None:
    good = await create(rest, url=receiver.url)
    failing = Receiver(status=500).start()
    bad = await create(rest, url=failing.url)
    await rest.post("/webhooks/test/balance.low", json={})
    await courier.deliver_due()
    failing.stop()

    async def destinations(**query: Any) -> set[str]:
        answer = (await rest.get("/webhooks/events", params=query)).json()
        return {one["destination_id"] for one in answer["models"]}

    both, now = {good["id"], bad["id"]}, system.billing.now().isoformat()
    assert await destinations() == both
    assert await destinations(status="Success") == {good["id"]}
    assert await destinations(status="Failed") == {bad["id"]}
    assert await destinations(destination_id=f"{good['id']},whd_other") == {good["id"]}
    assert await destinations(destination_id=",".join(both), time_gte=now, time_lte=now) == both
    assert await destinations(time_lte="2020-01-01T00:00:00Z") == set()


async def test_replays_of_nothing_are_refused(rest: httpx.AsyncClient) -> None:
    assert (await rest.post("/webhooks/events/evt_none/replay")).status_code == 404
    await rest.post("/customers", json={"name": "Jane"})
    [notice] = (await rest.get("/notices")).json()["items"]
    replay = f"/webhooks/events/{notice['id']}/replay"
    assert (await rest.post(replay, params={"destination_id": "whd_none"})).status_code == 404
    nobody = await rest.post(replay)
    assert (nobody.status_code, nobody.json()["destination_ids"]) == (202, [])


async def test_a_platform_is_told_of_its_connected_accounts_where_it_asks_for_it(
    rest: httpx.AsyncClient, courier: Courier, receiver: Receiver
) -> None:
    own = Receiver().start()
    await create(rest, url=own.url)
    connect = await create(rest, url=receiver.url, connect=True)
    acme = (await rest.post("/accounts", json={"name": "Acme"})).json()["id"]
    await rest.post("/customers", json={"name": "Jane"})
    as_acme = {"X-CREDYT-ACCOUNT": acme}
    await rest.post("/customers", json={"name": "Joe"}, headers=as_acme)
    sent = await rest.post(f"/webhooks/test/top_up.failed/{acme}", json={"n": 1})
    await rest.post(f"/webhooks/{connect['id']}/test/top_up.failed/{acme}", json={"n": 2})
    await courier.deliver_due()
    assert own.topics == ["customer.created"] and "account_id" not in own.received[0].event
    assert sorted(receiver.topics) == ["customer.created", "top_up.failed", "top_up.failed"]
    assert {one.event["account_id"] for one in receiver.received} == {acme}
    assert sent.json()["id"] in {one.event["id"] for one in receiver.received}

    log = (await rest.get("/webhooks/events", params={"destination_id": connect["id"]})).json()
    assert len(log["models"]) == 3
    for entry in log["models"]:
        again = await rest.post(f"/webhooks/events/{entry['id']}/replay")
        assert again.json()["destination_ids"] == [connect["id"]]
    assert (await rest.get("/webhooks/events", headers=as_acme)).json()["models"] == []
    assert (await rest.get("/webhooks", headers=as_acme)).json()["items"] == []
    own.stop()


async def test_neither_secrets_nor_urls_are_logged(
    rest: httpx.AsyncClient,
    courier: Courier,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    made = await create(rest, url=receiver.url)
    await rest.get(f"/webhooks/{made['id']}")
    await rest.post("/webhooks/test/balance.low", json={})
    await courier.deliver_due()
    receiver.stop()
    await rest.post("/webhooks/test/balance.low", json={})
    await courier.deliver_due()
    assert made["secret"] not in caplog.text
    assert "in-the-url" not in caplog.text
