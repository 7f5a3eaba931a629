"""The test clock with real processes: all live by it at once, and a killed one leaves it valid."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from credyt_mcp import exact_json
from tests.processes.harness import Server, launch, serving, verify_by_command
from tests.samples import unit_price

DAYS = 40


def ask(client: httpx.Client, method: str, path: str, **body: Any) -> Any:
    answer = client.request(method, path, json=body or None)
    assert answer.is_success, answer.text
    return exact_json.loads(answer.content) if answer.content else None


def now(client: httpx.Client) -> datetime:
    return datetime.fromisoformat(ask(client, "GET", "/clock")["now"])


def available(client: httpx.Client) -> Decimal:
    [account] = ask(client, "GET", "/customers/jane/wallet")["accounts"]
    return Decimal(account["available"])


def a_dollar_for_each_day(client: httpx.Client) -> datetime:
    """Jane has a dollar that stays, and one for each day that expires as it ends."""
    product = {"name": "Studio", "code": "studio", "publish": True, "prices": [unit_price(1)]}
    ask(client, "POST", "/products", **product)
    credit = {"asset": "USD", "amount": 1}
    wallet = {"external_id": "jane", "products": ["studio"], "starting_credit": credit}
    ask(client, "POST", "/wallets", **wallet)
    start = now(client) + timedelta(hours=1)
    for day in range(1, DAYS + 1):
        gift = {"transaction_id": f"g{day}", "asset": "USD", "amount": 1, "reason": "gift"}
        ends = (start + timedelta(days=day)).isoformat()
        ask(client, "POST", "/customers/jane/wallet/adjustments", **gift, expires_at=ends)
    return start


@pytest.mark.slow
def test_a_clock_moved_in_one_process_is_everybodys_at_once(
    database_url: str, tmp_path: Path
) -> None:
    with serving(database_url, tmp_path, processes=2) as servers:
        here, there = (server.sync_client() for server in servers)
        with here, there:
            start = a_dollar_for_each_day(here)
            assert available(there) == DAYS + 1
            for day in range(1, 11):
                moved = ask(here, "POST", "/clock", to=(start + timedelta(days=day)).isoformat())
                # The other process's scheduler may have booked it first.
                ran = {work["kind"]: work["count"] for work in moved["ran"]}
                assert ran.get("credit", 0) in (0, 1)
                event = {"id": f"e{day}", "event_type": "image", "data": {}}
                ask(there, "POST", "/events", customer_id="jane", events=[event])
                seen = ask(there, "GET", f"/events/e{day}")["occurred_at"]
                lived = datetime.fromisoformat(seen) - (start + timedelta(days=day))
                assert timedelta(0) <= lived < timedelta(minutes=1)
                # Each day one dollar expires, and one of those that expire next is spent.
                here, there = there, here
            assert available(here) == available(there)
            assert ask(here, "GET", "/ledger/verify")["ok"]
    verify_by_command(database_url, tmp_path)


@pytest.mark.slow
def test_a_process_killed_on_the_way_leaves_a_clock_that_goes_on(
    database_url: str, tmp_path: Path
) -> None:
    with serving(database_url, tmp_path) as [watching]:
        moving = launch(database_url, tmp_path)
        moving.wait_until_healthy()
        with watching.sync_client() as client:
            start = a_dollar_for_each_day(client)
            target = start + timedelta(days=DAYS + 5)
            going = threading.Thread(target=_move, args=(moving, target))
            going.start()
            while now(client) < start + timedelta(days=DAYS // 4):
                pass
            moving.kill()
            going.join()
            stopped = now(client)
            assert start + timedelta(days=DAYS // 4) <= stopped < target
            expired = (stopped - start).days
            assert available(client) == DAYS + 1 - expired
            ask(client, "POST", "/clock", to=target.isoformat())
            assert (now(client), available(client)) >= (target, 1)
            assert available(client) == 1
            verified = ask(client, "GET", "/ledger/verify")
            # The starting credit, and for each day a gift and its expiry, each once.
            assert verified["checked"]["ledger_transactions"] == 1 + 2 * DAYS
            assert verified["ok"], verified["problems"]


def _move(server: Server, target: datetime) -> None:
    with server.sync_client() as client:
        try:
            client.post("/clock", json={"to": target.isoformat()})
        except httpx.TransportError:
            return
