"""Webhooks of real server processes: killed, two on one database, and asked by the official SDK."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from corehttp.credentials import ServiceKeyCredential
from corehttp.exceptions import HttpResponseError, ResourceNotFoundError
from credytapi import CredytApiClient

from tests.processes.harness import KEY, Server, launch, serving
from tests.webhooks.receiver import Receiver, verify

URL = "https://app.example/hooks"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver().start()
    yield started
    started.stop()


async def listen(client: httpx.AsyncClient, receiver: Receiver, *topics: str) -> dict[str, Any]:
    body = {"url": receiver.url, "topics": list(topics) or ["*"]}
    answer = await client.post("/webhooks", json=body)
    assert answer.status_code == 201
    made: dict[str, Any] = answer.json()
    return made


async def create_customers(client: httpx.AsyncClient, *names: str) -> None:
    for name in names:
        answer = await client.post("/customers", json={"name": name, "external_id": name})
        assert answer.status_code == 201


@pytest.mark.slow
async def test_kill_nine_between_the_fact_and_its_delivery_loses_nothing(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    receiver.stop()
    victim = launch(database_url, tmp_path)
    victim.wait_until_healthy()
    names = [f"c{number}" for number in range(20)]
    async with victim.client() as client:
        made = await listen(client, receiver)
        await create_customers(client, *names)
    victim.kill()
    receiver.start()
    with serving(database_url, tmp_path) as [_]:
        await receiver.has(len(names), seconds=90)
    for received in receiver.received:
        verify(received, made["secret"])
    assert {one.data["external_id"] for one in receiver.received} == set(names)
    assert made["secret"] not in victim.log.read_text()
    assert "in-the-url" not in victim.log.read_text()


@pytest.mark.slow
async def test_two_processes_send_each_fact_once(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    with serving(database_url, tmp_path, processes=2) as [one, other]:
        async with one.client() as first, other.client() as second:
            await listen(first, receiver, "customer.created")
            for number in range(40):
                await create_customers(second if number % 2 else first, f"c{number}")
            await receiver.has(40)
            # The last has arrived; whatever would be sent twice was leased before it.
            while True:
                log = await first.get("/webhooks/events", params={"limit": 100})
                states = [entry["metadata"]["state"] for entry in log.json()["models"]]
                if states == ["delivered"] * 40:
                    break
    names = [received.data["external_id"] for received in receiver.received]
    assert sorted(names) == sorted(f"c{number}" for number in range(40))


@pytest.fixture
def sdk(shared_server: Server) -> Iterator[CredytApiClient]:
    with CredytApiClient(ServiceKeyCredential(KEY), endpoint=shared_server.url) as client:
        yield client


async def test_every_webhook_operation_of_the_official_sdk(
    sdk: CredytApiClient, receiver: Receiver, unique: Callable[[str], str]
) -> None:
    hooks = sdk.webhooks.webhooks
    topic = "subscription.activated"
    made = hooks.create_webhook_destination({"url": receiver.url, "topics": [topic]})
    again = hooks.create_webhook_destination({"url": URL, "connect": True})
    assert made.created_at.tzinfo is not None
    shown = hooks.get_webhook_destination(made.id)
    assert (shown.secret, shown.topics, shown.enabled) == (made.secret, [topic], True)
    listed = hooks.list_webhook_destinations(enabled=True, connect=True)
    assert [one.id for one in listed["items"]] == [again.id]
    assert hooks.update_webhook_destination(again.id, {"enabled": False}).enabled is False

    one = hooks.test_webhook_destination(made.id, topic, {"customer_id": "cust_1"})
    every = hooks.test_webhook_destinations(topic, {"customer_id": "cust_2"})
    account = sdk.accounts.create({"name": unique("acme")}).id
    connected = hooks.test_connected_webhook_destination(made.id, topic, account, {})
    hooks.test_connected_webhook_destinations(topic, account, {})
    await receiver.has(3)
    ids = {received.event["id"] for received in receiver.received}
    assert ids == {one.id, every.id, connected.id}
    for received in receiver.received:
        verify(received, made.secret)

    page = hooks.list_events(limit=1, destination_id=made.id)
    assert len(page.models) == page.pagination.limit == 1
    older = hooks.list_events(limit=1, destination_id=made.id, next=page.pagination.next)
    assert page.models[0].id != older.models[0].id
    newer = hooks.list_events(destination_id=made.id, prev=older.pagination.prev)
    assert [entry.id for entry in newer.models] == [page.models[0].id]
    moment = page.models[0].time
    assert hooks.list_events(destination_id=made.id, time_gte=moment, time_lte=moment).models
    assert not hooks.list_events(destination_id=made.id, status="Failed").models

    hooks.delete_webhook_destination(again.id)
    with pytest.raises(ResourceNotFoundError):
        hooks.get_webhook_destination(again.id)
    with pytest.raises(HttpResponseError) as refused:
        hooks.create_webhook_destination({"url": "nonsense"})
    assert "url" in json.dumps(refused.value.model.as_dict())
    hooks.delete_webhook_destination(made.id)
