"""The lane under stress: fair, bounded, one failure harms no other, reads never wait for it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
import pytest

from credyt_mcp.app import System
from credyt_mcp.domain.book import Book, CustomerRef
from credyt_mcp.domain.ledger import Transaction
from credyt_mcp.errors import CredytError, InsufficientBalance
from credyt_mcp.storage import customers, lane
from credyt_mcp.use_cases.adjustments import create_adjustment
from credyt_mcp.use_cases.authorizations import (
    authorize_usage,
    capture_authorization,
    extend_authorization,
    get_authorization,
    release_authorization,
)
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.events import list_events, record_event, submit_events
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.wallets import get_account
from tests.conftest import Call
from tests.samples import a_product, a_wallet, unit_price

WALLET = "/customers/jane/wallet/default:USD"


@pytest.fixture
async def jane(call: Call) -> None:
    await a_product(call, unit_price("0.01"))
    await a_wallet(call, "studio", credit=100)


async def account(call: Call) -> tuple[Decimal, Decimal]:
    found = await call(get_account, customer_id="jane", account_id="default:USD")
    return found.available, found.pending_out


def metric(system: System, name: str, **labels: str) -> float:
    found = system.billing.lane.metrics.registry.get_sample_value(f"credyt_lane_{name}", labels)
    assert found is not None
    return found


def event(name: str) -> dict[str, Any]:
    return {"id": name, "event_type": "image"}


@contextmanager
def somebody_writes(billing: Billing) -> Iterator[None]:
    """Another writer is in the middle of its work on jane's wallet."""
    with billing.database.write() as session:
        assert customers.find(session, billing.tenant.id, "jane", lock=True)
        yield


async def queued(billing: Billing, depth: int) -> None:
    """Let others run until so many wait in the queue."""
    async with asyncio.timeout(30):
        for _ in iter(lambda: billing.lane.queue_depth == depth, True):
            await asyncio.sleep(0)


@pytest.mark.usefixtures("jane")
async def test_single_calls_wait_for_one_large_batch_at_most(call: Call, system: System) -> None:
    done: list[str] = []

    async def batch(name: str) -> None:
        events = [event(f"{name}-{number}") for number in range(1000)]
        await call(submit_events, customer_id="jane", events=events)
        done.append(name)

    async def single(name: str) -> None:
        await call(submit_events, customer_id="jane", events=[event(name)])
        done.append("single")

    with somebody_writes(system.billing):
        calls = [asyncio.create_task(batch("first"))]
        await queued(system.billing, 1)
        await queued(system.billing, 0)  # taken, and waiting for the other writer
        calls += [asyncio.create_task(batch(name)) for name in ("second", "third")]
        calls += [asyncio.create_task(single(f"early-{number}")) for number in range(150)]
        await queued(system.billing, 152)
    while "second" not in done:
        await asyncio.wait([one for one in calls if not one.done()], return_when="FIRST_COMPLETED")
    calls += [asyncio.create_task(single(f"late-{number}")) for number in range(20)]
    await asyncio.gather(*calls)
    batches = [index for index, name in enumerate(done) if name != "single"]
    # 128 singles are committed together, the rest of the 150 after the next large batch.
    assert [done[index] for index in batches] == ["first", "second", "third"]
    assert (batches[0], batches[1]) == (0, 129)
    assert batches[2] >= 151
    assert await account(call) == (100 - Decimal("31.7"), 0)


@pytest.mark.usefixtures("jane")
async def test_beyond_a_full_queue_callers_are_told_to_come_back(
    call: Call, system: System, rest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "QUEUE_MAX", 5)
    await rest.get(WALLET)

    def post(name: str) -> asyncio.Task[httpx.Response]:
        body = {"customer_external_id": "jane", "events": [event(name)]}
        return asyncio.create_task(rest.post("/events", json=body))

    hold = {"id": "a1", "customer_external_id": "jane", "amount": 1}
    with somebody_writes(system.billing):
        under_way = post("e0")
        await queued(system.billing, 1)
        await queued(system.billing, 0)
        waiting = [post(f"e{number}") for number in range(1, 6)]
        await queued(system.billing, 5)
        refused = [await post("e6"), await rest.post("/authorizations", json=hold)]
        health = (await rest.get("/healthz")).json()
    assert health["lane"]["queue_depth"] == 5
    for answer in refused:
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert int(answer.headers["retry-after"]) >= 1
        assert "same ids" in answer.json()["hint"]
    answers = await asyncio.gather(under_way, *waiting)
    assert {answer.status_code for answer in answers} == {204}
    assert (await call(list_events)).total_count == 6
    assert (await rest.get("/authorizations/a1")).status_code == 404
    assert (await post("e6")).status_code == 204
    assert (await rest.post("/authorizations", json=hold)).status_code == 201
    assert await account(call) == (100 - Decimal("0.07") - 1, 1)


@dataclass(frozen=True)
class Faulty:
    """A command with a fault of ours in it."""

    ref: CustomerRef
    fault: Callable[[Book], None]
    keys: list[tuple[int, bytes]] = field(default_factory=list)

    def decide(self, book: Book) -> None:
        self.fault(book)


def raises(book: Book) -> None:
    customer = next(iter(book.customers.values()))
    book.debit(customer.accounts["default", "USD"], 10**9)
    raise RuntimeError("a fault in a decision")


def cannot_be_written(book: Book) -> None:
    customer = next(iter(book.customers.values()))
    wallet = customer.accounts["default", "USD"]
    name: Any = None
    book.record(
        Transaction(wallet.tenant_id, "charge", b"k" * 16, name, customer.id, wallet, 0, 0, 0)
    )


@pytest.mark.usefixtures("jane")
@pytest.mark.parametrize("fault", [raises, cannot_be_written])
async def test_a_command_that_fails_fails_alone(
    fault: Callable[[Book], None], call: Call, system: System
) -> None:
    ref = CustomerRef(system.billing.tenant.id, None, "jane")
    answers = await asyncio.gather(
        call(record_event, customer_id="jane", **event("e1")),
        system.billing.lane.submit(Faulty(ref, fault)),
        call(record_event, customer_id="jane", **event("e2")),
        call(authorize_usage, customer_id="jane", id="a1", amount=1),
        call(record_event, customer_id="jane", id="e3", event_type="image", authorization_id="no"),
        return_exceptions=True,
    )
    failed = [type(answer) for answer in answers if isinstance(answer, BaseException)]
    assert len(failed) == 2
    assert not issubclass(failed[0], CredytError)
    assert issubclass(failed[1], CredytError)
    assert metric(system, "replays_total") == 1
    assert metric(system, "commands_total", outcome="failed") == 1
    assert await account(call) == (100 - Decimal("0.02") - 1, 1)
    await call(record_event, customer_id="jane", **event("e4"))
    assert (await call(verify_ledger)).ok


@pytest.mark.usefixtures("jane")
@pytest.mark.parametrize("durable", [False, True], ids=["lost", "done but not answered"])
async def test_a_failed_commit_is_replayed_and_nothing_is_done_twice(
    durable: bool, call: Call, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a1", "a2", "a3"):
        await call(authorize_usage, customer_id="jane", id=name, amount=1)
    gift = {"transaction_id": "t1", "asset": "USD", "amount": 7, "reason": "gift"}
    _fail_commits(system, monkeypatch, after=1, times=1, durable=durable)
    with somebody_writes(system.billing):
        first = asyncio.create_task(call(record_event, customer_id="jane", **event("e0")))
        await queued(system.billing, 1)
        await queued(system.billing, 0)
        calls = [
            call(record_event, customer_id="jane", **event("e1"), authorization_id="a1"),
            call(capture_authorization, authorization_id="a2", amount="0.5"),
            call(extend_authorization, authorization_id="a3", amount=2),
            call(extend_authorization, authorization_id="a3", amount=1, extension_id="x1"),
            call(create_adjustment, customer_id="jane", **gift),
            call(authorize_usage, customer_id="jane", id="a4", amount=3),
        ]
        tasks = [asyncio.create_task(one) for one in calls]
        await queued(system.billing, len(calls))
    await asyncio.gather(first, *tasks)
    await call(release_authorization, authorization_id="a4")
    assert metric(system, "replays_total") == 1
    assert await account(call) == (100 - Decimal("0.52") + 7 - 4, 4)
    held = await call(get_authorization, authorization_id="a3")
    assert (held.amount, held.held) == (4, 4)
    assert (await call(verify_ledger)).ok


@pytest.mark.usefixtures("jane")
async def test_when_the_replay_fails_too_callers_know_and_nothing_is_written(
    call: Call, system: System, monkeypatch: pytest.MonkeyPatch, rest: httpx.AsyncClient
) -> None:
    _fail_commits(system, monkeypatch, after=0, times=2, durable=False)
    body = {"customer_external_id": "jane", "events": [event("e1")]}
    failed = await rest.post("/events", json=body)
    assert (failed.status_code, failed.json()["code"]) == (500, "internal_error")
    assert "disk" not in failed.text
    assert (await call(list_events)).total_count == 0
    assert await account(call) == (100, 0)
    assert (await rest.post("/events", json=body)).status_code == 204
    assert (await call(verify_ledger)).ok


@pytest.mark.usefixtures("jane")
async def test_reads_wait_for_nobody_and_see_all_that_was_answered(
    call: Call, system: System, rest: httpx.AsyncClient
) -> None:
    hold = {"customer_external_id": "jane", "amount": 1}
    await rest.post("/authorizations", json={**hold, "id": "a1"})
    with somebody_writes(system.billing):
        under_way = asyncio.create_task(rest.post("/authorizations", json={**hold, "id": "a2"}))
        await queued(system.billing, 1)
        async with asyncio.timeout(30):
            wallet = (await rest.get(WALLET)).json()
            held = (await rest.get("/authorizations/a1")).json()
            proof = (await rest.get("/ledger/verify")).json()
        assert not under_way.done()
    assert (wallet["available"], wallet["pending_out"], held["status"]) == (99, 1, "open")
    assert proof["ok"]
    assert (await under_way).status_code == 201
    assert (await rest.get(WALLET)).json()["pending_out"] == 2


@pytest.mark.usefixtures("jane")
async def test_health_and_metrics_tell_of_the_lane(system: System, rest: httpx.AsyncClient) -> None:
    body = {"customer_external_id": "jane", "amount": 60}
    for name in ("a1", "a2"):
        await rest.post("/authorizations", json={**body, "id": name})
    health = await rest.get("/healthz")
    assert (health.status_code, health.json()["status"]) == (200, "ok")
    assert health.json()["lane"]["queue_depth"] == 0
    assert health.json()["lane"]["last_commit_ms"] > 0
    metrics = await rest.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    lines = metrics.text.splitlines()
    assert "credyt_lane_queue_depth 0.0" in lines
    assert 'credyt_lane_commands_total{outcome="refused"} 1.0' in lines
    assert "credyt_lane_replays_total 0.0" in lines
    for histogram in ("batch_commands", "commit_seconds"):
        assert metric(system, f"{histogram}_count") >= 2
        assert any(line.startswith(f"credyt_lane_{histogram}_bucket") for line in lines)
    await system.billing.lane.close()
    stopped = await rest.get("/healthz")
    assert (stopped.status_code, stopped.json()["status"]) == (503, "failed")


def _fail_commits(
    system: System, monkeypatch: pytest.MonkeyPatch, *, after: int, times: int, durable: bool
) -> None:
    """Some COMMITs raise; if `durable`, only when they are done."""
    connection = system.billing.lane._connection
    commit, fails = connection.commit, iter([False] * after + [True] * times)

    def sometimes() -> None:
        failing = next(fails, False)
        if durable or not failing:
            commit()
        if failing:
            raise OSError("the disk went away")

    monkeypatch.setattr(connection, "commit", sometimes)


async def test_a_batch_leaves_nothing_for_the_garbage_collector(call: Call, jane: None) -> None:
    """A collection stops everybody: it was nine tenths of the slowest answers' time."""
    gc.collect()
    gc.disable()
    try:
        await asyncio.gather(
            *(call(record_event, customer_id="jane", **event(f"e{n}")) for n in range(20)),
            call(authorize_usage, id="a1", customer_id="jane", asset="USD", amount=1),
        )
        with pytest.raises(InsufficientBalance):
            await call(authorize_usage, id="a2", customer_id="jane", asset="USD", amount=10**6)
        assert not [one for one in gc.get_objects() if isinstance(one, Book)]
    finally:
        gc.enable()
