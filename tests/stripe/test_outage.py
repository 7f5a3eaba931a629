"""Stripe away for an hour: usage goes on, what cannot be done says so, and afterwards everything is
settled, nothing twice."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import ProviderUnavailable
from credyt_mcp.use_cases.adjustments import create_charge
from credyt_mcp.use_cases.auto_top_ups import set_auto_top_up
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.open_payments import fetch_undelivered, follow_up
from credyt_mcp.use_cases.payment_methods import add_payment_method
from credyt_mcp.use_cases.refunds import list_refunds, quote_refund, refund_top_up
from credyt_mcp.use_cases.sweeping import sweep
from credyt_mcp.use_cases.top_ups import get_top_up
from credyt_mcp.use_cases.topup_flows import generate_topup_flow
from tests.auto_top_ups.cards import TERMS, URLS, USD, rule
from tests.conftest import Call
from tests.samples import a_wallet, balances
from tests.stripe.conftest import FakeStripe
from tests.stripe.test_stripe_top_ups import deliver

MINUTES = 5


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "500", "429"])
async def test_an_hour_without_stripe_loses_and_doubles_nothing(
    call: Call,
    rest: httpx.AsyncClient,
    system: System,
    fake: FakeStripe,
    clock: FrozenClock,
    fault: str,
) -> None:
    await a_wallet(call, credit=9)
    page = await call(add_payment_method, customer_id="jane", **URLS)
    fake.pay(page.redirect_url)
    await call(set_auto_top_up, **USD, **TERMS)
    refunded = await call(generate_topup_flow, customer_id="jane", amount=7)
    fake.pay(refunded.redirect_url)
    await call(get_top_up, top_up_id=refunded.top_up_id)
    paid_meanwhile = await call(generate_topup_flow, customer_id="jane", amount=25)

    fake.fail(fault, times=100_000)
    quote = await call(quote_refund, top_up_id=refunded.top_up_id)
    assert quote.refundable == 7, "what we know is told"
    for minute in range(0, 60, MINUTES):
        if minute == 30:  # Stripe's pages are back for a moment
            fake.fail()
            assert fake.pay(paid_meanwhile.redirect_url).status_code == 200
            fake.fail(fault, times=100_000)
        await call(
            create_charge, customer_id="jane", transaction_id=f"m{minute}", asset="USD", amount=1
        )
        with pytest.raises(ProviderUnavailable, match="Stripe does not answer"):
            await call(generate_topup_flow, customer_id="jane", amount=5)
        with pytest.raises(ProviderUnavailable):
            await call(refund_top_up, top_up_id=refunded.top_up_id, quoted=7)
        told = await call(get_top_up, top_up_id=paid_meanwhile.top_up_id)
        assert told.status == "initiated"
        await follow_up(system.billing)
        await sweep(system.billing)
        clock.advance(timedelta(minutes=MINUTES))
        fake.advance(MINUTES * 60)
    assert await deliver(rest, fake.deliveries() * 2) == {200}, "told while it cannot be asked"
    await follow_up(system.billing)
    assert (await rule(call)).top_up_id is not None

    fake.fail()
    for _ in range(3):
        clock.advance(timedelta(hours=1))
        fake.advance(3600)
        await fetch_undelivered(system.billing)
        await follow_up(system.billing)
        await sweep(system.billing)
    assert await deliver(rest, fake.deliveries() * 2) == {200}
    await follow_up(system.billing)
    assert await balances(call) == {"default:USD": 9 + 7 - 12 + 25 + 20}
    assert (await rule(call)).top_up_id is None
    assert (await call(list_refunds)).items == []
    assert len(fake.deliveries(types="charge.succeeded")) == 3
    assert (await call(verify_ledger)).ok
