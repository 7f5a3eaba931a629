"""Automatic top-ups through Stripe: every test method as documented, outages, lost answers."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.use_cases.adjustments import create_charge
from credyt_mcp.use_cases.auto_top_ups import set_auto_top_up, stop_auto_top_up
from credyt_mcp.use_cases.automatic_charges import charge_due
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.open_payments import follow_up
from credyt_mcp.use_cases.payment_methods import (
    add_payment_method,
    list_payment_methods,
    remove_payment_method,
)
from tests.auto_top_ups.cards import TERMS, URLS, USD, rule, told
from tests.auto_top_ups.outcomes import as_documented
from tests.auto_top_ups.table import Row, rows
from tests.conftest import Call
from tests.samples import a_wallet, balances
from tests.stripe.conftest import HOOK, FakeStripe

WITH_STRIPE = [row for row in rows() if row.method]


async def a_rule(call: Call, fake: FakeStripe, method: str = "pm_card_visa") -> Any:
    """Jane with $10, a card saved on Stripe's page, and a rule: under $5 charge $20."""
    await a_wallet(call, credit=10)
    page = await call(add_payment_method, customer_id="jane", **URLS)
    assert fake.pay(page.redirect_url, method).status_code == 200
    return await call(set_auto_top_up, **USD, **TERMS)


async def spend(call: Call, amount: int, name: str = "c1") -> None:
    await call(create_charge, customer_id="jane", transaction_id=name, asset="USD", amount=amount)


@pytest.mark.parametrize("row", WITH_STRIPE, ids=[row.method for row in WITH_STRIPE])
async def test_every_test_method_does_as_documented(
    call: Call, system: System, fake: FakeStripe, row: Row
) -> None:
    await a_rule(call, fake, row.method)
    await spend(call, 6)
    await charge_due(system.billing)
    await as_documented(call, system, row)


async def test_the_webhook_the_worker_and_the_poller_together_are_one_credit(
    call: Call, rest: httpx.AsyncClient, system: System, fake: FakeStripe, clock: FrozenClock
) -> None:
    await a_rule(call, fake)
    await spend(call, 6)
    await asyncio.gather(*(charge_due(system.billing) for _ in range(3)))
    for one in fake.deliveries() * 3:
        await rest.post(HOOK, content=one["body"], headers={"Stripe-Signature": one["signature"]})
    await follow_up(system.billing)
    clock.advance(timedelta(hours=1))
    await charge_due(system.billing)
    assert await balances(call) == {"default:USD": 24}
    assert fake.requests().count("POST /v1/payment_intents") == 1
    assert (await call(verify_ledger)).ok


@pytest.mark.parametrize("only", ["POST /v1/payment_intents/", "POST /v1/payment_intents", "GET"])
@pytest.mark.parametrize("fault", ["drop_after", "drop_before", "500"])
async def test_while_stripe_is_away_usage_goes_on_and_nothing_is_doubled(
    call: Call, system: System, fake: FakeStripe, clock: FrozenClock, fault: str, only: str
) -> None:
    await a_rule(call, fake)
    fake.fail(fault, only=only)
    await spend(call, 6)
    await charge_due(system.billing)
    await spend(call, 1, "c2")
    clock.advance(timedelta(minutes=6))
    await charge_due(system.billing)
    # Where Stripe acted and only its answer was lost, asking told.
    assert (await balances(call))["default:USD"] in (3, 23)
    fake.fail()
    for hours in range(1, 4):
        clock.advance(timedelta(hours=hours))
        await charge_due(system.billing)
    assert await balances(call) == {"default:USD": 23}
    assert len(fake.deliveries(types="charge.succeeded")) == 1
    assert (await rule(call)).last_charge.attempts == 1


async def test_switched_off_while_stripe_is_away_nothing_is_confirmed_later(
    call: Call, system: System, fake: FakeStripe, clock: FrozenClock
) -> None:
    await a_rule(call, fake)
    fake.fail("drop_before", only="POST /v1/payment_intents/")
    await spend(call, 6)
    await charge_due(system.billing)
    await call(stop_auto_top_up, **USD)
    fake.fail()
    clock.advance(timedelta(minutes=6))
    await charge_due(system.billing)
    assert await balances(call) == {"default:USD": 4}
    assert fake.deliveries(types="charge.succeeded") == []
    assert len(fake.deliveries(types="payment_intent.canceled")) == 1


async def test_confirming_on_stripes_page_pays_and_saves_the_card_anew(
    call: Call, system: System, fake: FakeStripe, clock: FrozenClock
) -> None:
    await a_rule(call, fake, "pm_card_authenticationRequired")
    [card] = (await call(list_payment_methods, customer_id="jane")).items
    await call(set_auto_top_up, **USD, **TERMS, payment_method_id=card.id)
    await spend(call, 6)
    await charge_due(system.billing)
    [asked] = await told(system)
    assert fake.pay(asked["redirect_url"]).status_code == 200
    clock.advance(timedelta(minutes=2))
    await follow_up(system.billing)
    standing = await rule(call)
    assert await balances(call) == {"default:USD": 24}
    assert standing.status == "active"
    assert standing.payment_method_id not in (None, card.id)
    await spend(call, 20, "c2")
    await charge_due(system.billing)
    assert await balances(call) == {"default:USD": 24}


async def test_a_removed_card_is_gone_at_stripe_too(
    call: Call, system: System, fake: FakeStripe
) -> None:
    await a_rule(call, fake)
    [card] = (await call(list_payment_methods, customer_id="jane")).items
    assert (card.brand, card.last4) == ("visa", "4242")
    await call(remove_payment_method, customer_id="jane", payment_method_id=card.id)
    assert (await call(list_payment_methods, customer_id="jane")).items == []
    assert (await rule(call)).status == "off"
