"""From a fact to its receiver: at least once, in order, signed, whatever happens in between."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from credyt_mcp.app import System, running
from credyt_mcp.clock import FrozenClock
from credyt_mcp.delivery.webhooks import Sender
from credyt_mcp.domain import webhooks as rules
from credyt_mcp.settings import Settings
from credyt_mcp.use_cases.adjustments import create_adjustment
from credyt_mcp.use_cases.context import perform
from credyt_mcp.use_cases.customers import CreateCustomer, create_customer
from credyt_mcp.use_cases.notices import list_notices
from credyt_mcp.use_cases.webhook_delivery import Courier
from credyt_mcp.use_cases.webhook_events import list_webhook_events, replay_webhook_event
from credyt_mcp.use_cases.webhooks import (
    CreateWebhook,
    create_webhook,
    delete_webhook,
    get_webhook,
    update_webhook,
)
from tests.conftest import Call
from tests.webhooks.receiver import Receiver, verify, verify_credyt_signature

OUTAGE = timedelta(days=2)
LATEST_RETRY = rules.LONGEST_DELAY * 1.1


@pytest.fixture
def clock() -> FrozenClock:
    """So far back that signatures made after the outage are fresh to a receiver."""
    return FrozenClock(datetime.now(UTC).replace(microsecond=0) - OUTAGE - LATEST_RETRY)


async def listen(call: Call, receiver: Receiver, *topics: str) -> Any:
    more = {"topics": list(topics)} if topics else {}
    return await call(create_webhook, url=receiver.url, **more)


async def empty_and_fill(call: Call, who: str, times: int, start: int = 0) -> None:
    """Each time the balance rises by one and is used up: one `balance.depleted`."""
    for number in range(start, start + times):
        for amount in (1, -1):
            name = f"{who}-{number}-{amount}"
            await call(
                create_adjustment,
                customer_id=who,
                transaction_id=name,
                asset="USD",
                amount=amount,
                reason="other",
            )


async def customers(call: Call, *names: str) -> dict[str, str]:
    return {(await call(create_customer, name=n, external_id=n)).id: n for n in names}


async def log(call: Call, **filters: Any) -> list[Any]:
    return (await call(list_webhook_events, limit=100, **filters)).models


async def test_a_fact_arrives_once_signed_both_ways(
    call: Call, courier: Courier, receiver: Receiver, clock: FrozenClock
) -> None:
    clock.advance(OUTAGE + LATEST_RETRY)
    made = await listen(call, receiver)
    [customer_id] = await customers(call, "jane")
    await courier.deliver_due()
    await courier.deliver_due()
    [received] = receiver.received
    verify(received, made.secret)
    assert set(received.event) == {"id", "type", "created", "live_mode", "data"}
    assert (received.topic, received.event["live_mode"]) == ("customer.created", False)
    assert received.data["customer_id"] == customer_id
    assert received.headers["content-type"] == "application/json"
    assert received.headers["host"] == f"127.0.0.1:{receiver.port}"
    [entry] = await log(call, status="Success")
    assert (entry.id, entry.destination_id) == (received.event["id"], made.id)
    assert entry.metadata["attempts"] == 1
    assert entry.metadata["response_text"] == "thank you"
    [notice] = (await call(list_notices)).items
    assert (notice.id, notice.data) == (entry.id, entry.data)


async def test_a_receiver_that_was_down_for_two_days_gets_everything_in_order(
    call: Call, courier: Courier, receiver: Receiver, clock: FrozenClock
) -> None:
    made = await listen(call, receiver)
    receiver.stop()
    known = await customers(call, "jane", "joe")
    start = clock.now()
    happened = 0
    while clock.now() < start + OUTAGE:
        for who in ("jane", "joe"):
            await empty_and_fill(call, who, 1, happened)
        happened += 1
        await courier.deliver_due()
        clock.advance(timedelta(hours=4))
    failing = await call(get_webhook, webhook_id=made.id)
    assert failing.failing_since == start and failing.enabled
    receiver.start()
    assert receiver.received == []
    clock.advance(LATEST_RETRY)
    await courier.deliver_due()

    for received in receiver.received:
        verify(received, made.secret)
    assert len({one.event["id"] for one in receiver.received}) == len(receiver.received)
    for customer_id in known:
        theirs = [one for one in receiver.received if one.data["customer_id"] == customer_id]
        assert [one.topic for one in theirs] == ["customer.created"] + happened * [
            "balance.depleted"
        ]
        moments = [one.data["occurred_at"] for one in theirs]
        assert moments == sorted(moments)
    assert await log(call, status="Failed") == []
    assert (await call(get_webhook, webhook_id=made.id)).failing_since is None


async def test_each_attempt_sends_the_same_bytes_under_a_new_signature(
    call: Call, courier: Courier, receiver: Receiver, clock: FrozenClock
) -> None:
    made = await listen(call, receiver)
    await customers(call, "jane")
    receiver.status = 500
    await courier.deliver_due()
    await courier.deliver_due()
    assert len(receiver.received) == 1  # it is not time yet
    [entry] = await log(call, status="Failed")
    assert entry.metadata["response_status"] == 500
    assert entry.metadata["error"] == "answered 500"
    clock.advance(timedelta(minutes=1))
    receiver.status = 204
    await courier.deliver_due()
    first, second = receiver.received
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["credyt-signature"] != second.headers["credyt-signature"]
    for received in (first, second):
        verify_credyt_signature(received, made.secret)
    [entry] = await log(call)
    assert (entry.failed_at, entry.metadata["attempts"]) == (None, 2)


async def test_a_customer_waits_for_the_earlier_fact_and_others_do_not(
    call: Call, courier: Courier, receiver: Receiver, clock: FrozenClock
) -> None:
    await listen(call, receiver)
    await customers(call, "jane")
    receiver.status = 503
    await courier.deliver_due()
    receiver.status = 200
    await empty_and_fill(call, "jane", 2)
    await customers(call, "joe")
    await courier.deliver_due()
    assert receiver.topics == ["customer.created", "customer.created"]
    clock.advance(timedelta(minutes=1))
    await courier.deliver_due()
    assert receiver.topics[2:] == ["customer.created", "balance.depleted", "balance.depleted"]


async def test_what_never_arrives_is_given_up_after_three_days(
    call: Call, courier: Courier, receiver: Receiver, clock: FrozenClock
) -> None:
    made = await listen(call, receiver)
    await customers(call, "jane")
    await empty_and_fill(call, "jane", 1)
    receiver.status = 404
    start = clock.now()
    waits: list[timedelta] = []
    while True:
        await courier.deliver_due()
        entry = (await log(call))[-1]
        if entry.metadata["state"] == "given_up":
            break
        step = entry.metadata["next_attempt_at"] - clock.now()
        waits.append(step)
        clock.advance(step)
    assert clock.now() - start == rules.GIVE_UP_AFTER
    assert len(waits) == 19
    for index, waited in enumerate(waits[:-1]):
        exact = rules.delay(index + 1)
        assert exact * 0.9 <= waited <= exact * 1.1
    # Then the next fact of the same customer had its turn, and the first can be sent again. That it
    # arrives is the sign for all that waits.
    assert receiver.topics[-2:] == ["customer.created", "balance.depleted"]
    receiver.status = 200
    replayed = await call(replay_webhook_event, event_id=entry.id)
    assert replayed.destination_ids == [made.id]
    await courier.deliver_due()
    assert receiver.topics[-2:] == ["customer.created", "balance.depleted"]
    assert {one.metadata["state"] for one in await log(call)} == {"delivered"}


async def test_a_destination_is_disabled_after_a_long_failure_and_goes_on_when_enabled(
    call: Call, courier: Courier, receiver: Receiver, clock: FrozenClock
) -> None:
    made = await listen(call, receiver, "customer.*")
    ops = Receiver().start()
    await listen(call, ops, "webhook.disabled")
    receiver.status = 500
    for day in range(7):
        await customers(call, f"c{day}")
        for _ in range(4):
            await courier.deliver_due()
            clock.advance(timedelta(hours=6))
    disabled = await call(get_webhook, webhook_id=made.id)
    assert not disabled.enabled
    assert "5 days" in disabled.disabled_reason
    assert ops.topics == ["webhook.disabled"]
    assert ops.received[0].data["webhook_id"] == made.id
    before = len(receiver.received)
    clock.advance(timedelta(days=10))
    await courier.deliver_due()
    assert len(receiver.received) == before

    receiver.status = 200
    await call(update_webhook, webhook_id=made.id, enabled=True)
    await courier.deliver_due()
    waiting = [f"c{day}" for day in range(3, 6)]  # the first were given up, the last came too late
    arrived = [one.data["external_id"] for one in receiver.received[before:]]
    assert set(waiting) <= set(arrived) and "c0" not in arrived and "c6" not in arrived
    missed = next(
        notice
        for notice in (await call(list_notices)).items
        if notice.data.get("external_id") == "c6"
    )
    await call(replay_webhook_event, event_id=missed.id, destination_id=made.id)
    await courier.deliver_due()
    assert receiver.received[-1].data["external_id"] == "c6"
    ops.stop()


async def test_only_what_a_destination_asked_for_is_sent_there(
    call: Call, courier: Courier, receiver: Receiver
) -> None:
    other = Receiver().start()
    await listen(call, receiver, "balance.*", "transaction.completed")
    elsewhere = await listen(call, other, "customer.created")
    await customers(call, "jane")
    await empty_and_fill(call, "jane", 1)
    await courier.deliver_due()
    assert (receiver.topics, other.topics) == (["balance.depleted"], ["customer.created"])
    await call(delete_webhook, webhook_id=elsewhere.id)
    await customers(call, "joe")
    await courier.deliver_due()
    assert len(other.received) == 1
    assert {one.topic for one in await log(call)} == {"balance.depleted"}
    other.stop()


async def test_a_receiver_that_hangs_holds_up_nobody_else(
    call: Call, system: System, receiver: Receiver
) -> None:
    hanging = Receiver(held=threading.Event()).start()
    await listen(call, hanging)
    await listen(call, receiver)
    courier = Courier(system.billing, Sender(timeout=15))
    await customers(call, *(f"c{number}" for number in range(20)))
    delivering = asyncio.create_task(courier.deliver_due())
    await receiver.has(20, seconds=10)
    assert not delivering.done()
    assert len(hanging.received) <= 8
    hanging.held.set()
    await delivering
    hanging.stop()


async def test_a_process_that_dies_while_sending_leaves_the_delivery_to_another(
    call: Call, system: System, receiver: Receiver, clock: FrozenClock
) -> None:
    await listen(call, receiver)
    await customers(call, "jane")
    receiver.held = threading.Event()
    dying = asyncio.create_task(Courier(system.billing, Sender()).deliver_due())
    await receiver.has(1)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    receiver.held.set()
    other = Courier(system.billing, Sender())
    await other.deliver_due()
    assert len(receiver.received) == 1  # it may still be at it
    clock.advance(timedelta(minutes=2))
    await other.deliver_due()
    first, second = receiver.received
    assert first.body == second.body


async def test_a_fact_that_was_not_sent_before_the_end_is_sent_by_the_next_start(
    settings: Settings, receiver: Receiver, clock: FrozenClock
) -> None:
    async with running(settings, clock=clock) as first:
        await perform(first.billing, create_webhook, CreateWebhook(url=receiver.url))
        await perform(first.billing, create_customer, CreateCustomer(name="Jane"))
    assert receiver.received == []
    async with running(settings, clock=clock) as second:
        await Courier(second.billing, Sender()).deliver_due()
    assert receiver.topics == ["customer.created"]


async def test_couriers_that_work_at_once_send_each_fact_once_and_in_order(
    call: Call, system: System, settings: Settings, receiver: Receiver, clock: FrozenClock
) -> None:
    await listen(call, receiver)
    await customers(call, *(f"c{number}" for number in range(6)))
    for number in range(6):
        await empty_and_fill(call, f"c{number}", 5)
    async with running(settings, clock=clock) as other:
        couriers = [Courier(one.billing, Sender()) for one in (system, other, system, other)]
        await asyncio.gather(*(courier.deliver_due() for courier in couriers))
        await couriers[0].deliver_due()
    assert len(receiver.received) == 36
    assert len({one.event["id"] for one in receiver.received}) == 36
    ids = {one.data["customer_id"] for one in receiver.received}
    for customer_id in ids:
        theirs = [
            one.event["id"] for one in receiver.received if one.data["customer_id"] == customer_id
        ]
        assert theirs == sorted(theirs) and len(theirs) == 6
