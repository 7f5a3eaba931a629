"""A destination cannot make this server call what only it can reach."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from credyt_mcp.app import System, running
from credyt_mcp.clock import FrozenClock
from credyt_mcp.delivery.addresses import is_public
from credyt_mcp.delivery.webhooks import Answer, Message, Sender
from credyt_mcp.errors import InvalidRequest
from credyt_mcp.settings import Settings
from credyt_mcp.use_cases.context import perform
from credyt_mcp.use_cases.webhook_delivery import Courier
from credyt_mcp.use_cases.webhook_events import (
    ListWebhookEvents,
    SendTestTo,
    list_webhook_events,
    send_test_to,
)
from credyt_mcp.use_cases.webhooks import CreateWebhook, create_webhook
from tests.conftest import NOW
from tests.webhooks.receiver import Receiver

PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "not-an-address",
]
PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_of_the_public_internet_are_known(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_known(address: str) -> None:
    assert is_public(address)


def resolving(*answers: list[str]) -> tuple[Callable[..., Awaitable[list[str]]], list[str]]:
    """A resolver that answers each question with the next of `answers`, then with the last."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    return resolve, asked


async def attempt(sender: Sender, url: str, *, allow_private: bool) -> Answer:
    message = Message("evt_1", b"{}", url, "whsec_c2VjcmV0", allow_private)
    async with sender.connections() as client:
        return await sender.send(client, message, NOW)


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["::ffff:127.0.0.1"], ["::1", "10.0.0.1"]])
async def test_a_name_that_leads_inside_is_not_connected_to(
    receiver: Receiver, addresses: list[str]
) -> None:
    resolve, asked = resolving(addresses)
    url = f"http://hooks.example:{receiver.port}/"
    answer = await attempt(Sender(resolve), url, allow_private=False)
    assert "not public" in (answer.error or "")
    assert asked == ["hooks.example"] and receiver.received == []
    literal = await attempt(Sender(), receiver.url, allow_private=False)
    assert "not public" in (literal.error or "")
    assert receiver.received == []


async def test_a_name_is_resolved_once_and_the_checked_address_is_used(receiver: Receiver) -> None:
    resolve, asked = resolving(["127.0.0.1"], ["198.51.100.1"])
    url = f"http://hooks.example:{receiver.port}/"
    answer = await attempt(Sender(resolve), url, allow_private=True)
    assert answer.ok and asked == ["hooks.example"]
    assert receiver.received[0].headers["host"] == f"hooks.example:{receiver.port}"


async def test_of_mixed_addresses_only_public_ones_are_tried(receiver: Receiver) -> None:
    # 192.0.0.9 is a public anycast address that nobody answers on here.
    resolve, _ = resolving(["127.0.0.1", "192.0.0.9"])
    url = f"http://hooks.example:{receiver.port}/"
    answer = await attempt(Sender(resolve, timeout=0.5), url, allow_private=False)
    assert answer.error is not None and not answer.ok
    assert receiver.received == []


async def test_the_next_address_is_tried_when_one_does_not_listen(receiver: Receiver) -> None:
    resolve, _ = resolving(["127.0.0.2", "127.0.0.1"])
    answer = await attempt(
        Sender(resolve), f"http://hooks.example:{receiver.port}/", allow_private=True
    )
    assert answer.ok


async def test_redirects_are_not_followed(receiver: Receiver) -> None:
    inside = Receiver().start()
    receiver.status, receiver.location = 307, inside.url
    answer = await attempt(Sender(), receiver.url, allow_private=True)
    assert (answer.status, answer.ok) == (307, False)
    assert "redirect" in (answer.error or "")
    assert inside.received == []
    inside.stop()


async def test_what_cannot_be_reached_is_an_answer_like_any_other(receiver: Receiver) -> None:
    unknown = await attempt(Sender(), "https://nowhere.invalid/", allow_private=True)
    assert "not found" in (unknown.error or "")
    plain = f"https://127.0.0.1:{receiver.port}/"
    assert (await attempt(Sender(), plain, allow_private=True)).error
    receiver.stop()
    assert "ConnectError" in str((await attempt(Sender(), receiver.url, allow_private=True)).error)


def settings_with(settings: Settings, allow: bool | None) -> Settings:
    return settings.model_copy(update={"webhook_allow_private": allow})


@pytest.mark.parametrize(
    ("environment", "allow", "url", "taken"),
    [
        ("live", None, "http://localhost/", False),
        ("live", True, "http://localhost/", False),
        ("live", True, "http://app.internal/", False),
        ("live", None, "https://localhost/", True),  # refused when something is sent
        ("test", None, "http://localhost/", True),
        ("test", None, "http://[::1]:8000/", True),
        ("test", None, "http://app.internal/", False),
        ("test", True, "http://app.internal/", True),
        ("test", False, "http://localhost/", False),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_plain_http_is_for_tests_on_this_machine(
    settings: Settings, environment: Any, allow: bool | None, url: str, taken: bool
) -> None:
    async with running(settings_with(settings, allow), environment=environment) as system:
        command = CreateWebhook(url=url)
        if taken:
            await perform(system.billing, create_webhook, command)
        else:
            with pytest.raises(InvalidRequest, match="https"):
                await perform(system.billing, create_webhook, command)


async def _sent(system: System, clock: FrozenClock, sender: Sender) -> dict[str, Any]:
    billing = system.billing
    made = await perform(billing, create_webhook, CreateWebhook(url="https://hooks.example/"))
    test = SendTestTo(topic="balance.low", data={}, webhook_id=made.id)
    await perform(billing, send_test_to, test)
    await Courier(billing, sender).deliver_due()
    page = await perform(billing, list_webhook_events, ListWebhookEvents())
    metadata: dict[str, Any] = page.models[0].metadata
    return metadata


@pytest.mark.parametrize(
    ("environment", "allow", "refused"),
    [
        ("live", None, True),
        ("live", False, True),
        ("live", True, False),
        ("test", None, False),
        ("test", False, True),
    ],
)
async def test_private_addresses_are_refused_when_something_is_sent(
    settings: Settings, clock: FrozenClock, environment: Any, allow: bool | None, refused: bool
) -> None:
    resolve, asked = resolving(["127.0.0.1"])
    changed = settings_with(settings, allow)
    async with running(changed, clock=clock, environment=environment) as system:
        metadata = await _sent(system, clock, Sender(resolve))
    assert asked == ["hooks.example"]
    assert ("not public" in metadata["error"]) is refused
    assert metadata["attempts"] == 1 and metadata["state"] == "pending"


async def test_a_long_answer_is_not_read_to_its_end() -> None:
    async def endless(request: httpx.Request) -> httpx.Response:
        async def parts():  # type: ignore[no-untyped-def]
            for number in range(10_000):
                read.append(number)
                yield b"x" * 1024

        return httpx.Response(200, content=parts())

    read: list[int] = []
    sender = Sender()
    message = Message("evt_1", b"{}", "http://127.0.0.1/", "whsec_c2VjcmV0", True)
    async with httpx.AsyncClient(transport=httpx.MockTransport(endless)) as client:
        answer = await sender.send(client, message, NOW)
    assert answer.ok and len(answer.text or "") == 500
    assert len(read) < 10
