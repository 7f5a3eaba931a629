"""Many callers at one wallet: the load that the concurrency and the kill tests share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx

from credyt_mcp import exact_json
from tests.processes.harness import DEADLINE_SECONDS, Server
from tests.samples import unit_price

CALLERS, EVENTS = 64, 2000
UNIT = Decimal("0.010000001")
TIERS: list[dict[str, Any]] = [
    {"up_to": 500, "unit_price": 0.003},
    {"unit_price": 0.002, "flat_fee": 1},
]
CREDIT = Decimal(1000)


def ids(name: str) -> list[str]:
    """2,000 ids; every tenth is that of the event before, so that two callers race with it."""
    return [f"{name}-{n - 1 if n % 10 == 9 else n}" for n in range(EVENTS)]


def price_of(events: int) -> Decimal:
    """What so many different events cost together: a flat price and two tiers over the month."""
    tiered = min(events, 500) * Decimal("0.003")
    if events > 500:
        tiered += 1 + (events - 500) * Decimal("0.002")
    return events * UNIT + tiered


async def prepare(client: httpx.AsyncClient, name: str) -> str:
    """A product and a customer with credit, both called `name`; answers the customer's id."""
    tiered = unit_price(0, event_type="image", name="Tiered", pricing_model="tiered")
    tiered |= {"tiering": {"basis": "unit", "period": "lifetime"}}
    tiered["pricing"][0]["values"] = TIERS
    prices = [unit_price(str(UNIT), event_type="image"), tiered]
    product = {"name": name, "code": name, "publish": True, "prices": prices}
    (await client.post("/products", json=product)).raise_for_status()
    wallet = {
        "external_id": name,
        "products": [name],
        "starting_credit": {"asset": "USD", "amount": int(CREDIT)},
    }
    made = await client.post("/wallets", json=wallet)
    return str(made.raise_for_status().json()["customer_id"])


@dataclass
class Answers:
    """Which ids were acknowledged, and what else was answered."""

    acknowledged: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    """Ids whose connection broke, so that nobody knows whether they are recorded."""


async def record(
    servers: Sequence[Server],
    customer_id: str,
    wanted: Sequence[str],
    on_ack: Callable[[Answers], None] = lambda answers: None,
) -> Answers:
    """64 callers, spread over the servers, record an event each and meet before the next one."""
    answers, barrier = Answers(), asyncio.Barrier(CALLERS)
    occurred_at = datetime.now(UTC).isoformat()
    # A client each: one pool for all of them spends more time on itself than the server needs.
    clients = [servers[number % len(servers)].client(verify=False) for number in range(CALLERS)]

    async def caller(number: int) -> None:
        client = clients[number]
        for start in range(0, len(wanted), CALLERS):
            await barrier.wait()
            for event_id in wanted[start + number : start + number + 1]:
                event = {"id": event_id, "event_type": "image", "occurred_at": occurred_at}
                body = {"customer_id": customer_id, "events": [event]}
                try:
                    answer = await client.post("/events", json=body)
                except httpx.TransportError:
                    answers.broken.add(event_id)
                    continue
                if answer.status_code == 204:
                    answers.acknowledged.add(event_id)
                    on_ack(answers)
                else:
                    answers.refused.append(f"{answer.status_code} {answer.text}")

    try:
        async with asyncio.timeout(3 * DEADLINE_SECONDS), asyncio.TaskGroup() as group:
            for number in range(CALLERS):
                group.create_task(caller(number))
    finally:
        for client in clients:
            await client.aclose()
    return answers


async def at_once(
    times: int, act: Callable[[int], Awaitable[httpx.Response]]
) -> list[httpx.Response]:
    """Do `act` so many times, all released by one barrier."""
    barrier = asyncio.Barrier(times)

    async def one(number: int) -> httpx.Response:
        await barrier.wait()
        return await act(number)

    return await asyncio.gather(*(one(number) for number in range(times)))


async def balance(client: httpx.AsyncClient, customer_id: str) -> Decimal:
    answer = await client.get(f"/customers/{customer_id}/wallet/default:USD")
    return Decimal(exact_json.loads(answer.raise_for_status().content)["available"])


async def verify(client: httpx.AsyncClient) -> None:
    """The server's own proof of the books must find nothing wrong."""
    report = (await client.get("/ledger/verify")).raise_for_status().json()
    assert report["ok"] and not report["problems"]


async def recorded(client: httpx.AsyncClient, customer_id: str) -> list[tuple[str, Decimal]]:
    """Every recorded event of the customer with the sum of its fees."""
    events: list[tuple[str, Decimal]] = []
    while True:
        params = {"customer_id": customer_id, "limit": "1000", "offset": str(len(events))}
        answer = await client.get("/events", params=params)
        page = exact_json.loads(answer.raise_for_status().content)
        events += [(item["id"], Decimal(item["total_fees"])) for item in page["items"]]
        if len(events) >= page["total_count"]:
            return events
