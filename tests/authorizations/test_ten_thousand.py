"""Ten thousand authorizations at once against one $100 wallet: exactly 2,000 granted, none lost."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.authorizations.wire import Answer, Line, everywhere, lines, until
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
        await _prepare(servers)
        lasts = await _long_enough(servers)
        granted = await _storm(servers, lasts)
        captured, released, left = granted[:1000], granted[1000:1500], granted[1500:]
        await _settle(servers, captured, released)
        spent, in_hold = len(captured) * COST, len(left) * AMOUNT
        assert await _everywhere_seen(servers) == {(CREDIT - spent - in_hold, in_hold)}
        await _let_expire(servers, CREDIT - spent)
        await _each_ended_its_way(servers, captured, released, left)
        await _capture_late(servers, left[0])
        assert await _everywhere_seen(servers) == {(CREDIT - spent - AMOUNT, Decimal(0))}
    verify_by_command(database_url, tmp_path)


async def _storm(servers: Sequence[Server], lasts: int) -> list[str]:
    """The names of those that were granted."""
    names = [f"auth-{number}" for number in range(REQUESTS)]
    answers = await everywhere(servers, CONNECTIONS, names, _authorize("hot", lasts))
    statuses = Counter(answer.status for answer in answers.values())
    assert statuses == {201: COVERED, 402: REQUESTS - COVERED}
    denied = [answer.body for answer in answers.values() if answer.status == 402]
    assert {one["code"] for one in denied} == {"insufficient_balance"}
    assert await _everywhere_seen(servers) == {(Decimal(0), CREDIT)}
    return [name for name in names if answers[name].status == 201]


async def _settle(servers: Sequence[Server], captured: list[str], released: list[str]) -> None:
    """Capture in both ways, and release; some of it twice, as a careful client retries."""

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
        answers = await everywhere(servers, CONNECTIONS, names, ask)
        assert {answer.status for answer in answers.values()} <= {200, 204}


async def _let_expire(servers: Sequence[Server], owned: Decimal) -> None:
    """Wait until nothing is held; at every look before, what is not held is available."""
    async with lines(servers[:1], 1) as [line]:

        async def nothing_held() -> bool:
            available, held = await _account(line)
            assert available + held == owned
            return held == 0

        await until(nothing_held)
    assert await _everywhere_seen(servers) == {(owned, Decimal(0))}


async def _each_ended_its_way(
    servers: Sequence[Server], captured: list[str], released: list[str], left: list[str]
) -> None:
    some = [*captured[::10], *released[::10], *left[::10]]
    answers = await everywhere(
        servers, 4, some, lambda line, name: line.get(f"/authorizations/{name}")
    )
    statuses = Counter(answer.body["status"] for answer in answers.values())
    assert statuses == {"captured": 100, "released": 50, "expired": 50}
    async with lines(servers, 1) as [line]:
        events = (await line.get("/events?limit=1")).body
    assert events["total_count"] == len(captured)


async def _capture_late(servers: Sequence[Server], name: str) -> None:
    async with lines(servers, 1) as [line]:
        late = await line.post(f"/authorizations/{name}/capture", {"amount": AMOUNT})
    assert (late.status, late.body["late"]) == (200, True)


async def _prepare(servers: Sequence[Server]) -> None:
    product = {"name": "P", "code": "p", "publish": True, "prices": [unit_price(str(COST))]}
    async with lines(servers, 1) as [line]:
        assert (await line.post("/products", product)).status == 201
        for name in ("hot", "warm-up"):
            credit = {"asset": "USD", "amount": CREDIT}
            wallet = {"external_id": name, "products": ["p"], "starting_credit": credit}
            assert (await line.post("/wallets", wallet)).status == 201


async def _long_enough(servers: Sequence[Server]) -> int:
    """Seconds that a hold must last to outlive the storm on this machine, as just measured."""
    names = [f"warm-{number}" for number in range(1000)]
    started = time.monotonic()
    answers = await everywhere(servers, CONNECTIONS, names, _authorize("warm-up", 900))
    assert {answer.status for answer in answers.values()} == {201}
    each = (time.monotonic() - started) / len(names)
    return math.ceil(1.5 * each * (REQUESTS + COVERED)) + 2


def _authorize(customer: str, lasts: int) -> Ask:
    async def ask(line: Line, name: str) -> Answer:
        body = {"id": name, "customer_external_id": customer, "amount": AMOUNT}
        return await line.post("/authorizations", {**body, "expires_in": lasts})

    return ask


async def _everywhere_seen(servers: Sequence[Server]) -> set[tuple[Decimal, Decimal]]:
    """What each server says is available and held: it must be one thing."""
    async with lines(servers, len(servers)) as each:
        return {await _account(line) for line in each}


async def _account(line: Line) -> tuple[Decimal, Decimal]:
    account = (await line.get("/customers/hot/wallet/default:USD")).body
    return Decimal(account["available"]), Decimal(account["pending_out"])
