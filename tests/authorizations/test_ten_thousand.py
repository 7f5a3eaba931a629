"""Ten thousand authorizations at once against one $100 wallet: exactly 2,000 granted, none lost."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.authorizations.wire import Answer, Line, lines
from tests.processes.harness import Server, serving, verify_by_command
from tests.samples import unit_price

pytestmark = pytest.mark.slow

CONNECTIONS, REQUESTS = 200, 10_000
AMOUNT, COST, CREDIT = Decimal("0.05"), Decimal("0.03"), Decimal(100)
COVERED = 2000
Ask = Callable[[Line, str], Awaitable[Answer]]


async def test_a_wallet_grants_exactly_what_it_covers_and_settles_to_the_last_cent(
    database_url: str, tmp_path: Path
) -> None:
    processes = 1 if database_url.startswith("sqlite") else 2
    with serving(database_url, tmp_path, processes=processes) as servers:
        async with lines(servers, CONNECTIONS) as connections:
            await _storm(servers, connections)
    verify_by_command(database_url, tmp_path)


async def _storm(servers: Sequence[Server], connections: list[Line]) -> None:
    first = connections[0]
    await _created(first, "/products", _product())
    lasts = await _long_enough(connections)
    await _wallet(first, "hot")
    names = [f"auth-{number}" for number in range(REQUESTS)]
    answers = await _everywhere(connections, names, _authorize("hot", lasts))
    assert Counter(answer.status for answer in answers.values()) == {
        201: COVERED,
        402: REQUESTS - COVERED,
    }
    denied = [answer.body for answer in answers.values() if answer.status == 402]
    assert {one["code"] for one in denied} == {"insufficient_balance"}
    granted = [name for name in names if answers[name].status == 201]
    assert await _both(servers) == {(Decimal(0), CREDIT)}

    captured, released, left = granted[:1000], granted[1000:1500], granted[1500:]
    await _settle(connections, captured, released)
    spent = len(captured) * COST
    in_hold = len(left) * AMOUNT
    assert await _both(servers) == {(CREDIT - spent - in_hold, in_hold)}

    while (now := await _account(first))[1] == in_hold:  # poll: they expire all in one moment
        await asyncio.sleep(0.05)
    while (now := await _account(first))[1] > 0:
        assert now[0] + now[1] == CREDIT - spent
    assert await _both(servers) == {(CREDIT - spent, Decimal(0))}
    some = [*captured[::10], *released[::10], *left[::10]]
    seen = await _everywhere(
        connections, some, lambda line, name: line.get(f"/authorizations/{name}")
    )
    statuses = Counter(answer.body["status"] for answer in seen.values())
    assert statuses == {"captured": 100, "released": 50, "expired": 50}
    events = (await first.get("/events?limit=1")).body
    assert events["total_count"] == len(captured)
    late = await first.post(f"/authorizations/{left[0]}/capture", {"amount": AMOUNT})
    assert (late.status, late.body["late"]) == (200, True)
    assert await _both(servers) == {(CREDIT - spent - AMOUNT, Decimal(0))}


async def _settle(connections: list[Line], captured: list[str], released: list[str]) -> None:
    """Capture in both ways, and release; each of it twice, as a careful client retries."""

    def event(name: str) -> dict[str, Any]:
        return {"id": f"event-{name}", "event_type": "image"}

    async def capture(line: Line, name: str) -> Answer:
        return await line.post(f"/authorizations/{name}/capture", {"event": event(name)})

    async def record(line: Line, name: str) -> Answer:
        events = [{**event(name), "authorization_id": name}]
        return await line.post("/events", {"customer_external_id": "hot", "events": events})

    async def release(line: Line, name: str) -> Answer:
        return await line.post(f"/authorizations/{name}/release")

    half = len(captured) // 2
    for names, ask in (
        (captured[:half], capture),
        (captured[half:], record),
        (released, release),
        (captured[:20], capture),
        (captured[-20:], record),
        (released[:20], release),
    ):
        answers = await _everywhere(connections, names, ask)
        assert {answer.status for answer in answers.values()} <= {200, 204}


async def _long_enough(connections: list[Line]) -> int:
    """Seconds that a hold must last to outlive the storm on this machine, as just measured."""
    await _wallet(connections[0], "warm-up")
    names = [f"warm-{number}" for number in range(1000)]
    started = time.monotonic()
    answers = await _everywhere(connections, names, _authorize("warm-up", 900))
    assert {answer.status for answer in answers.values()} == {201}
    requests = REQUESTS + COVERED
    return math.ceil(2 * (time.monotonic() - started) * requests / len(names)) + 1


async def _everywhere(connections: list[Line], names: list[str], ask: Ask) -> dict[str, Answer]:
    """Every connection asks for its share, one after another; all begin at a barrier."""
    answers: dict[str, Answer] = {}
    barrier = asyncio.Barrier(len(connections))

    async def caller(number: int, line: Line) -> None:
        await barrier.wait()
        for name in names[number :: len(connections)]:
            answers[name] = await ask(line, name)

    await asyncio.gather(*(caller(*numbered) for numbered in enumerate(connections)))
    return answers


def _authorize(customer: str, lasts: int) -> Ask:
    async def ask(line: Line, name: str) -> Answer:
        body = {"id": name, "customer_external_id": customer, "amount": AMOUNT}
        return await line.post("/authorizations", {**body, "expires_in": lasts})

    return ask


async def _both(servers: Sequence[Server]) -> set[tuple[Decimal, Decimal]]:
    """What every server says is available and held: it must be one thing."""
    async with lines(servers, len(servers)) as fresh:
        return {await _account(line) for line in fresh}


async def _account(line: Line) -> tuple[Decimal, Decimal]:
    account = (await line.get("/customers/hot/wallet/default:USD")).body
    return Decimal(account["available"]), Decimal(account["pending_out"])


def _product() -> dict[str, Any]:
    return {"name": "P", "code": "p", "publish": True, "prices": [unit_price(str(COST))]}


async def _wallet(line: Line, name: str) -> None:
    credit = {"asset": "USD", "amount": CREDIT}
    await _created(
        line, "/wallets", {"external_id": name, "products": ["p"], "starting_credit": credit}
    )


async def _created(line: Line, path: str, body: dict[str, Any]) -> None:
    answer = await line.post(path, body)
    assert answer.status == 201, answer
