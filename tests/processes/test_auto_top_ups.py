"""Automatic top-ups with real server processes: many captures at once make one, whoever sees it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.processes.harness import Server, serving
from tests.processes.load import at_once, balance, verify

URLS = {"return_url": "https://app.example/ok", "failure_url": "https://app.example/no"}
CONSENT = {"text": "Charge my card USD 20 whenever I have less than USD 5."}


async def with_rule(client: httpx.AsyncClient, name: str) -> str:
    """A customer with $10, a saved card and a rule: under $5 charge $20; answers its path."""
    credit = {"asset": "USD", "amount": 10}
    await _sent(client.post("/wallets", json={"external_id": name, "starting_credit": credit}))
    page = await _sent(client.post(f"/customers/{name}/payment-methods", json=URLS))
    card = {"card_number": "4242424242424242"}
    await client.post(httpx.URL(page["redirect_url"]).path, data=card)
    path = f"/customers/{name}/wallet/default:USD/auto-top-up"
    await _sent(client.put(path, json={"threshold": 5, "amount": 20, "consent": CONSENT}))
    return path


async def ended(client: httpx.AsyncClient, path: str) -> str:
    """The state of the rule's last charge, once no charge is under way."""
    for _ in range(150):
        rule = await _sent(client.get(path))
        if rule.get("top_up_id") is None:
            return str(rule["last_charge"]["status"])
        await asyncio.sleep(0.2)  # the interval of the poll, not a guess at a duration
    raise AssertionError(f"the charge does not end: {rule}")


async def _sent(asking: Any) -> Any:
    answer = await asking
    assert answer.is_success, answer.text
    return answer.json()


@pytest.mark.slow
@pytest.mark.parametrize("module_database_url", ["sqlite", "postgres"], indirect=True)
async def test_fifty_captures_on_two_processes_make_one_top_up(
    module_database_url: str, tmp_path: Any, unique: Callable[[str], str]
) -> None:
    name = unique("jane")
    with serving(module_database_url, tmp_path, processes=2) as servers:
        async with servers[0].client() as client, httpx.AsyncClient(timeout=60) as other:
            path = await with_rule(client, name)
            for number in range(50):
                hold = {"id": f"{name}-{number}", "customer_id": name, "amount": 0.1}
                await _sent(client.post("/authorizations", json=hold))

            async def capture(number: int) -> httpx.Response:
                server: Server = servers[number % 2]
                address = f"{server.url}/authorizations/{name}-{number}/capture"
                headers = dict(client.headers)
                return await other.post(address, json={"amount": 0.19}, headers=headers)

            answers = await at_once(50, capture)
            assert Counter(answer.status_code for answer in answers) == {200: 50}
            assert await ended(client, path) == "succeeded"
            assert await balance(client, name) == Decimal("0.5") + 20
            notices = (await _sent(client.get("/notices", params={"limit": 100})))["items"]
            kinds = Counter(one["kind"] for one in notices)
            assert kinds["top_up.succeeded"] == 1
            await verify(client)
