"""Automatic top-ups and refunds of accounts with a Stripe of their own, or a connected one: made
there and nowhere else, also when the account at Stripe changes in between."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import anyio
import httpx
import pytest
from pydantic import SecretStr

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.settings import Settings
from credyt_mcp.storage.sealing import new_key
from credyt_mcp.use_cases.automatic_charges import charge_due
from credyt_mcp.use_cases.open_payments import follow_up
from tests.auto_top_ups.cards import TERMS, URLS, rule
from tests.stripe.conftest import HOOK, SECRET, FakeStripe
from tests.stripe.test_payment_accounts import OWN_SECRET, Account, deliver
from tests.stripe.test_stripe_auto_top_ups import a_rule, spend
from tests.stripe.test_stripe_changes import server

RULE = "/customers/jane/wallet/default:USD/auto-top-up"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"secrets_key": SecretStr(new_key())})


@pytest.fixture
def own(fake_stripe_url: str) -> FakeStripe:
    """The Stripe account of an account of ours, beside the server's own `fake`."""
    return FakeStripe(fake_stripe_url)


@pytest.fixture
async def shop(rest: httpx.AsyncClient) -> Account:
    made = await rest.post("/accounts", json={"name": "Shop"})
    return Account(rest, made.json()["id"])


async def ok(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


async def low(shop: Account, stripe: FakeStripe, method: str = "pm_card_visa") -> None:
    """Jane has a card saved there and a rule, under $5 charge $20; and has $4 left."""
    await ok(await shop.send("POST", "/customers", {"name": "Jane", "external_id": "jane"}))
    page = await ok(await shop.send("POST", "/customers/jane/payment-methods", URLS))
    assert stripe.pay(page["redirect_url"], method).status_code == 200
    gift = {"transaction_id": "gift", "asset": "USD", "amount": 4, "reason": "gift"}
    await ok(await shop.send("POST", "/customers/jane/wallet/adjustments", gift))
    await ok(await shop.send("PUT", RULE, TERMS))


async def until(system: System, shop: Account, *states: str) -> Any:
    """Charge what is due until the rule's charge has come to one of these; the rule then. The
    server's own sweeping does the same."""
    with anyio.fail_after(10):
        while True:
            await charge_due(system.billing)
            found = await shop.get(RULE)
            if found["last_charge"]["status"] in states:
                return found
            await anyio.sleep(0.05)


def took_nothing(stripe: FakeStripe) -> bool:
    money = ("POST /v1/payment_intents", "POST /v1/refunds", "POST /v1/checkout", "POST /v1/cust")
    return not [one for one in stripe.requests() if one.startswith(money)]


@pytest.mark.parametrize("kind", ["key of its own", "connected"])
async def test_an_automatic_top_up_and_its_refunds_are_made_at_the_accounts_stripe_only(
    shop: Account, system: System, fake: FakeStripe, own: FakeStripe, kind: str
) -> None:
    if kind == "connected":
        account_id = f"acct_{own.key.rpartition('_')[2]}"
        await shop.connect(connected_account=account_id, application_fee_percent=2.5)
        stripe, secret, hook = FakeStripe(fake.base, fake.key, account_id), SECRET, HOOK
    else:
        account = await shop.connect(secret_key=own.key, webhook_secrets=[OWN_SECRET])
        stripe, secret, hook = own, OWN_SECRET, httpx.URL(account["webhook_url"]).path
    await low(shop, stripe)
    charged = (await until(system, shop, "succeeded"))["last_charge"]
    assert await shop.balance() == 24
    [paid] = stripe.objects("payment_intent")
    fee = 50 if kind == "connected" else None
    assert (paid["amount"], paid["status"], paid["application_fee_amount"]) == (
        2000,
        "succeeded",
        fee,
    )
    path = f"/top-ups/{charged['top_up_id']}"
    refund = await ok(await shop.send("POST", f"{path}/refunds", {"quoted": 20, "amount": 5}))
    assert refund["status"] == "succeeded" and await shop.balance() == 19
    # Another one is made in the dashboard of that account, and its events tell of it.
    form = {"payment_intent": paid["id"], "amount": 300}
    stripe._web.post("/v1/refunds", data=form).raise_for_status()
    assert await deliver(shop.web, stripe.deliveries(secret), hook) == {200}
    await follow_up(system.billing)
    assert await shop.balance() == 16
    assert [one["payment_intent"] for one in stripe.objects("refund")] == [paid["id"]] * 2
    assert took_nothing(fake), "the server's own Stripe was asked for nothing"
    assert stripe.control("complaints") == []


async def test_disconnected_while_a_charge_is_to_be_tried_again_it_ends_and_is_made_nowhere(
    shop: Account, system: System, clock: FrozenClock, fake: FakeStripe, own: FakeStripe
) -> None:
    account = await shop.connect(secret_key=own.key)
    await low(shop, own, "pm_card_chargeCustomerFail")
    waiting = await until(system, shop, "open")
    while not waiting["last_charge"]["attempts"]:
        waiting = await until(system, shop, "open")
    await ok(await shop.send("DELETE", f"/payment-accounts/{account['id']}"))
    before = own.requests()
    clock.advance(timedelta(hours=1))
    ended = await until(system, shop, "failed")
    assert (ended["status"], ended["last_charge"]["code"]) == ("off", "provider_removed")
    top_up = await shop.get(f"/top-ups/{ended['last_charge']['top_up_id']}")
    assert (top_up["status"], await shop.balance()) == ("failed", 4)
    assert own.requests() == before and took_nothing(fake)
    # On new consent, and with a card saved where payments go now, it is charged there.
    page = await ok(await shop.send("POST", "/customers/jane/payment-methods", URLS))
    fake.pay(page["redirect_url"])
    await ok(await shop.send("PUT", RULE, TERMS))
    await until(system, shop, "succeeded")
    assert await shop.balance() == 24 and own.requests() == before


async def test_a_charge_without_an_answer_keeps_its_account_and_is_never_made_at_another(
    shop: Account, system: System, clock: FrozenClock, fake_stripe_url: str, own: FakeStripe
) -> None:
    first, other = await shop.connect(secret_key=own.key), FakeStripe(fake_stripe_url)
    own.fail("drop_after", only="POST /v1/payment_intents/")
    await low(shop, own)
    await until(system, shop, "charging")
    await shop.connect(secret_key=other.key)
    kept = await shop.send("DELETE", f"/payment-accounts/{first['id']}")
    assert (kept.status_code, kept.json()["code"]) == (409, "wrong_state")
    own.fail()
    clock.advance(timedelta(minutes=10))
    await until(system, shop, "succeeded")
    assert await shop.balance() == 24
    assert len(own.deliveries(types="charge.succeeded")) == 1 and took_nothing(other)
    # The next one would be a new charge: the card is not where payments go now.
    spent = {"transaction_id": "c1", "asset": "USD", "amount": 20}
    await ok(await shop.send("POST", "/customers/jane/wallet/charges", spent))
    ended = await until(system, shop, "failed")
    assert (ended["status"], ended["last_charge"]["code"]) == ("off", "provider_removed")
    assert len(own.deliveries(types="charge.succeeded")) == 1 and took_nothing(other)
    await ok(await shop.send("DELETE", f"/payment-accounts/{first['id']}"))


async def test_a_charge_without_an_answer_waits_for_the_servers_key_to_come_back(
    settings: Settings, clock: FrozenClock, fake: FakeStripe, own: FakeStripe
) -> None:
    async with server(settings, clock) as (system, call, _):
        await a_rule(call, fake)
        fake.fail("drop_after", only="POST /v1/payment_intents/")
        await spend(call, 6)
        await charge_due(system.billing)
    fake.fail()
    clock.advance(timedelta(hours=1))
    async with server(settings, clock, stripe_api_key=SecretStr(own.key)) as (system, call, _):
        await charge_due(system.billing)
        assert (await rule(call)).last_charge.status == "charging"
        assert took_nothing(own)
    clock.advance(timedelta(hours=7))
    async with server(settings, clock) as (system, call, _):
        with anyio.fail_after(10):
            while (await rule(call)).last_charge.status != "succeeded":
                await charge_due(system.billing)
                await anyio.sleep(0.05)
    assert len(fake.deliveries(types="charge.succeeded")) == 1
