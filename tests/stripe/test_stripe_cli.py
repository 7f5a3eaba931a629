"""Stripe's own command line tool pays: its calls, its SDK and its signatures, our server as a
process, and a fake Stripe between them. Whoever tells of it, it is one credit."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.use_cases.open_payments import follow_up
from credyt_mcp.use_cases.top_ups import get_top_up
from credyt_mcp.use_cases.topup_flows import generate_topup_flow
from tests.conftest import Call
from tests.processes.harness import DEADLINE_SECONDS, Server, serving, verify_by_command
from tests.samples import a_wallet, balances
from tests.stripe.conftest import HOOK, SECRET, FakeStripe, StripeCli

COMPLETED = "checkout.session.completed"
CREDIT = {"default:USD": Decimal(30)}
"""What the page that the CLI makes costs."""


def pay_page(cli: StripeCli, fake: FakeStripe, url: str) -> None:
    """The CLI's own calls of the hosted page, for a page of ours instead of one of its own."""
    page = f"/v1/payment_pages/{url.rpartition('/')[2]}"
    method = {"type": "card", "card": {"token": "tok_visa"}}
    paid = {"payment_method": "${card:id}", "expected_amount": 3000}
    calls = [
        {"name": "page", "path": page, "method": "get"},
        {"name": "card", "path": "/v1/payment_methods", "method": "post", "params": method},
        {"name": "paid", "path": f"{page}/confirm", "method": "post", "params": paid},
    ]
    raw = json.dumps({"_meta": {"template_version": 0}, "fixtures": calls})
    cli.trigger(fake, COMPLETED, "--raw", raw)


@pytest.fixture
def server(database_url: str, fake: FakeStripe, tmp_path: Path) -> Iterator[Server]:
    """Told of Stripe as its operator tells it."""
    lines = {
        "STRIPE_API_KEY": fake.key,
        "STRIPE_WEBHOOK_SECRET": SECRET,
        "STRIPE_API_BASE": fake.base,
    }
    text = "".join(f"{name}={value}\n" for name, value in lines.items())
    (tmp_path / ".env").write_text(text)
    with serving(database_url, tmp_path) as [server]:
        yield server
    verify_by_command(database_url, tmp_path)


def credit_of(client: httpx.Client, customer: str) -> list[Any]:
    accounts = client.get(f"/customers/{customer}/wallet").json()["accounts"]
    return [account["available"] for account in accounts]


def wait_for_credit(client: httpx.Client, customer: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while credit_of(client, customer) != [30]:
        assert time.monotonic() < deadline, "the payment was told and never credited"
        time.sleep(0.05)  # the interval of the poll, not a guess at a duration


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["arrived", "lost"])
def test_a_payment_by_stripes_cli_is_one_credit(
    server: Server, fake: FakeStripe, stripe_cli: StripeCli, answer: str
) -> None:
    """With its answer lost, our page was seen by nobody; the CLI then pays on one of its own that
    names our payment."""
    with server.sync_client() as client:
        customer = client.post("/customers", json={"external_id": "jane", "name": "Jane"}).json()
        body = {"customer_id": customer["id"], "amount": 30, "currency": "USD"}
        urls = dict.fromkeys(("return_url", "failure_url"), "http://127.0.0.1/x")
        if answer == "lost":
            fake.fail("drop_after", times=3, only="POST /v1/checkout/sessions")
        started = client.post("/top-ups", json=body | urls)
        if answer == "lost":
            assert started.status_code == 503, started.text
            [page] = fake.pages()
            top_up = page["client_reference_id"]
            add = f"checkout_session:metadata[payment_id]={top_up}"
            stripe_cli.trigger(fake, COMPLETED, "--add", add)
        else:
            top_up = started.json()["id"]
            pay_page(stripe_cli, fake, started.json()["redirect_url"])
        hook = server.url + HOOK
        told = fake.deliver(hook, copies=5, order="shuffled 1", shape="both")
        assert len(told) >= 40 and set(told) == {200}
        wait_for_credit(client, customer["id"])
        assert client.get(f"/top-ups/{top_up}").json()["status"] == "succeeded"
        assert set(fake.deliver(hook, copies=5, order="reversed", shape="both")) == {200}
        assert client.get(f"/top-ups/{top_up}").json()["status"] == "succeeded"
        assert credit_of(client, customer["id"]) == [30]


@pytest.mark.slow
@pytest.mark.parametrize("first", ["success page", "poller"])
async def test_it_is_one_credit_whoever_asked_before_the_events_came(
    call: Call,
    rest: httpx.AsyncClient,
    system: System,
    fake: FakeStripe,
    clock: FrozenClock,
    stripe_cli: StripeCli,
    first: str,
) -> None:
    await a_wallet(call)
    flow = await call(generate_topup_flow, customer_id="jane", amount=30)
    await anyio.to_thread.run_sync(pay_page, stripe_cli, fake, flow.redirect_url)
    if first == "success page":
        await call(get_top_up, top_up_id=flow.top_up_id)
    else:
        clock.advance(timedelta(minutes=2))
        await follow_up(system.billing)
    assert await balances(call) == CREDIT
    for told in fake.deliveries(shape="both") * 5:
        signed = {"Stripe-Signature": told["signature"]}
        assert (await rest.post(HOOK, content=told["body"], headers=signed)).status_code == 200
    await follow_up(system.billing)
    clock.advance(timedelta(hours=1))
    await follow_up(system.billing)
    assert (await call(get_top_up, top_up_id=flow.top_up_id)).status == "succeeded"
    assert await balances(call) == CREDIT
