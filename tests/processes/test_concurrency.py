"""Many callers, one or two server processes, one database: exact balances, each id billed once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.processes.harness import APPROVED, Server, serving
from tests.processes.load import (
    CREDIT,
    at_once,
    balance,
    ids,
    prepare,
    price_of,
    record,
    recorded,
    verify,
)

Unique = Callable[[str], str]
Act = Callable[[int], Awaitable[httpx.Response]]


@pytest.fixture(scope="module", params=[1, 2], ids=["one-process", "two-processes"])
def servers(
    request: pytest.FixtureRequest,
    module_database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[list[Server]]:
    folder = tmp_path_factory.mktemp("servers")
    with serving(module_database_url, folder, processes=request.param) as started:
        yield started


@pytest.mark.slow
async def test_64_callers_bill_each_of_2000_events_once(
    servers: list[Server], unique: Unique
) -> None:
    async with servers[0].client() as client:
        customer_id = await prepare(client, unique("load"))
        wanted = ids(unique("event"))
        answers = await record(servers, customer_id, wanted)
        assert answers.refused == []
        assert answers.broken == set()
        assert answers.acknowledged == set(wanted)
        assert len(answers.acknowledged) == 1800
        events = await recorded(client, customer_id)
        assert Counter(name for name, _ in events) == Counter(set(wanted))
        assert sum(fee for _, fee in events) == price_of(1800)
        assert await balance(client, customer_id) == CREDIT - price_of(1800)
        await verify(client)


async def test_a_checkout_page_paid_by_many_at_once_credits_once(
    servers: list[Server], unique: Unique
) -> None:
    async with servers[0].client() as client, httpx.AsyncClient(timeout=60) as browser:
        customer_id = await prepare(client, unique("payer"))
        body = {"customer_id": customer_id, "amount": 25, "currency": "USD"}
        urls = {"return_url": "https://app.example/ok", "failure_url": "https://app.example/no"}
        top_up = (await client.post("/top-ups", json={**body, **urls})).raise_for_status().json()
        page = httpx.URL(top_up["redirect_url"]).path

        async def pay(number: int) -> httpx.Response:
            server = servers[number % len(servers)]
            if number % 4 == 3:  # some only ask, which settles as well
                headers = dict(client.headers)
                return await browser.get(f"{server.url}/top-ups/{top_up['id']}", headers=headers)
            return await browser.post(f"{server.url}{page}", data={"card_number": APPROVED})

        answers = await at_once(32, pay)
        assert Counter(answer.status_code for answer in answers) == {303: 24, 200: 8}
        assert await balance(client, customer_id) == CREDIT + 25
        grants = await client.get(f"/customers/{customer_id}/wallet/default:USD/grants")
        paid = [
            grant["available"] for grant in grants.json()["items"] if grant["purpose"] == "paid"
        ]
        assert paid == [25]


async def test_equal_adjustments_at_once_count_once(servers: list[Server], unique: Unique) -> None:
    async with servers[0].client() as client, httpx.AsyncClient(timeout=60) as other:
        customer_id = await prepare(client, unique("adjusted"))
        body = {"transaction_id": unique("gift"), "asset": "USD", "reason": "gift"}
        path = f"/customers/{customer_id}/wallet/adjustments"

        def adjust(amounts: list[float], transaction_id: str) -> Act:
            async def one(number: int) -> httpx.Response:
                given = {**body, "transaction_id": transaction_id}
                return await other.post(
                    f"{servers[number % len(servers)].url}{path}",
                    json={**given, "amount": amounts[number // 2 % len(amounts)]},
                    headers=dict(client.headers),
                )

            return one

        answers = await at_once(32, adjust([0.000000001], unique("equal")))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.text for answer in answers}) == 1  # all get the first result
        assert await balance(client, customer_id) == CREDIT + Decimal("0.000000001")
        answers = await at_once(32, adjust([5, 7], unique("other")))
        assert Counter(answer.status_code for answer in answers) == {201: 16, 409: 16}
        won = await balance(client, customer_id) - CREDIT - Decimal("0.000000001")
        assert won in (5, 7)


@pytest.fixture(params=["sqlite", "postgres"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without a schema."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new' / 'credyt.db'}"
    base: str = request.getfixturevalue("postgres_server")
    with psycopg.connect(base, autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS unmigrated")
        admin.execute("CREATE DATABASE unmigrated")
    return base.replace("/postgres?", "/unmigrated?")


async def test_servers_may_start_at_once_on_an_empty_database(
    empty_database_url: str, tmp_path: Path
) -> None:
    with serving(empty_database_url, tmp_path, "--auto-upgrade", processes=2) as servers:
        for number, server in enumerate(servers):
            async with server.client() as client:
                customer_id = await prepare(client, f"first-{number}")
                assert await balance(client, customer_id) == CREDIT
        async with servers[0].client() as client:
            customers = (await client.get("/customers")).json()
            assert customers["total_count"] == 2  # one default account, not one per process
            await verify(client)
