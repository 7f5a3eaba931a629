"""Refunds and disputes through Stripe: ours, the dashboard's and the bank's, each booked once."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import Any

import httpx
import pytest

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import ProviderUnavailable
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.open_payments import fetch_undelivered, follow_up
from credyt_mcp.use_cases.refunds import list_disputes, list_refunds, quote_refund, refund_top_up
from credyt_mcp.use_cases.top_ups import get_top_up
from credyt_mcp.use_cases.topup_flows import generate_topup_flow
from tests.conftest import Call
from tests.samples import a_wallet, balances
from tests.stripe.conftest import OLD_SECRET, FakeStripe
from tests.stripe.test_stripe_top_ups import deliver


class Paid:
    """A top-up of 25 USD, and what happens to it at Stripe."""

    def __init__(self, call: Call, fake: FakeStripe, top_up_id: str, page: str) -> None:
        self.call, self.fake, self.id, self.page = call, fake, top_up_id, page

    async def balance(self) -> Any:
        verified = await self.call(verify_ledger)
        assert verified.ok, verified.problems
        return (await balances(self.call)).get("default:USD")

    @property
    def intent(self) -> str:
        pages = self.fake.pages()
        return str(next(one for one in pages if one["id"] == self.page)["payment_intent"])

    def refunds(self) -> list[dict[str, Any]]:
        web = self.fake._web
        found: list[dict[str, Any]] = web.get("/v1/refunds").json()["data"]
        return found

    def refund_in_dashboard(self, cents: int) -> None:
        form = {"payment_intent": self.intent, "amount": cents}
        self.fake._web.post("/v1/refunds", data=form).raise_for_status()

    def dispute(self, status: str = "needs_response") -> str:
        return str(self.fake.control("dispute", id=self.intent, status=status)["id"])

    def decide(self, about: str, *statuses: str) -> None:
        for status in statuses:
            self.fake.control("decide", id=about, status=status)


@pytest.fixture
async def pay(call: Call, fake: FakeStripe) -> Any:
    await a_wallet(call)

    async def pay(method: str = "pm_card_visa") -> Paid:
        flow = await call(generate_topup_flow, customer_id="jane", amount=25)
        assert fake.pay(flow.redirect_url, method).status_code == 200
        assert (await call(get_top_up, top_up_id=flow.top_up_id)).status == "succeeded"
        return Paid(call, fake, flow.top_up_id, flow.redirect_url.rpartition("/")[2])

    return pay


async def test_a_refund_told_many_times_is_one_and_so_are_ours_and_theirs(
    call: Call, rest: httpx.AsyncClient, system: System, fake: FakeStripe, pay: Any
) -> None:
    paid = await pay()
    made = await call(refund_top_up, top_up_id=paid.id, quoted=25, amount=5)
    assert made.status == "succeeded"
    paid.refund_in_dashboard(700)
    told = [*fake.deliveries(), *fake.deliveries(OLD_SECRET), *fake.deliveries(shape="thin")] * 3
    random.Random(7).shuffle(told)
    assert await deliver(rest, told) == {200}
    await asyncio.gather(*(follow_up(system.billing) for _ in range(3)))
    assert await paid.balance() == 13
    refunds = (await call(list_refunds)).items
    assert [(one.origin, one.amount) for one in refunds] == [("provider", 7), ("api", 5)]
    assert len(paid.refunds()) == 2


async def test_without_any_webhook_the_poller_and_the_quote_find_it(
    call: Call, system: System, pay: Any
) -> None:
    paid = await pay()
    paid.refund_in_dashboard(700)
    assert await fetch_undelivered(system.billing) > 0
    await follow_up(system.billing)
    assert await paid.balance() == 18
    paid.refund_in_dashboard(300)
    assert (await call(quote_refund, top_up_id=paid.id)).refundable == 15


@pytest.mark.parametrize("fault", ["drop_after", "500_after", "drop_before", "429"])
async def test_an_answer_that_is_lost_is_looked_up_and_never_asked_for_twice(
    call: Call, system: System, fake: FakeStripe, clock: FrozenClock, pay: Any, fault: str
) -> None:
    paid = await pay()
    fake.fail(fault, only="POST /v1/refunds")
    made = await call(refund_top_up, top_up_id=paid.id, quoted=25)
    assert (made.status, await paid.balance()) == ("pending", 0)
    fake.fail()
    # Stripe has forgotten the key by now.
    fake.advance(25 * 3600)
    clock.advance(timedelta(hours=25))
    await follow_up(system.billing)
    assert [one.status for one in (await call(list_refunds)).items] == ["succeeded"]
    assert len(paid.refunds()) == 1
    assert await paid.balance() == 0


async def test_while_stripe_is_away_nothing_is_debited(
    call: Call, fake: FakeStripe, pay: Any
) -> None:
    paid = await pay()
    fake.fail("500")
    with pytest.raises(ProviderUnavailable):
        await call(refund_top_up, top_up_id=paid.id, quoted=25)
    assert (await call(quote_refund, top_up_id=paid.id)).refundable == 25
    fake.fail()
    assert await paid.balance() == 25


async def test_what_stripe_refuses_is_put_back(call: Call, fake: FakeStripe, pay: Any) -> None:
    paid = await pay()
    fake.fail("400", only="POST /v1/refunds")
    made = await call(refund_top_up, top_up_id=paid.id, quoted=25)
    fake.fail()
    assert (made.status, await paid.balance()) == ("failed", 25)
    assert (await call(refund_top_up, top_up_id=paid.id, quoted=25)).status == "succeeded"
    assert await paid.balance() == 0


@pytest.mark.parametrize(
    ("method", "first", "then", "left"),
    [
        ("pm_card_pendingRefund", "pending", "succeeded", 0),
        ("pm_card_pendingRefund", "pending", "canceled", 25),
        ("pm_card_refundFail", "succeeded", "failed", 25),
    ],
)
async def test_banks_take_their_time(
    call: Call,
    rest: httpx.AsyncClient,
    system: System,
    fake: FakeStripe,
    pay: Any,
    method: str,
    first: str,
    then: str,
    left: int,
) -> None:
    paid = await pay(method)
    made = await call(refund_top_up, top_up_id=paid.id, quoted=25)
    assert (made.status, await paid.balance()) == (first, 0)
    paid.decide(paid.refunds()[0]["id"], then)
    assert await deliver(rest, fake.deliveries()) == {200}
    await follow_up(system.billing)
    assert await paid.balance() == left


@pytest.mark.parametrize(
    ("steps", "status", "left"),
    [
        (["funds_withdrawn"], "open", 0),
        (["funds_withdrawn", "under_review", "won", "funds_reinstated"], "won", 25),
        (["funds_withdrawn", "lost"], "lost", 0),
        (["funds_withdrawn", "funds_reinstated", "won"], "won", 25),
    ],
)
async def test_a_dispute_in_any_order_of_events(
    call: Call,
    rest: httpx.AsyncClient,
    system: System,
    fake: FakeStripe,
    pay: Any,
    steps: list[str],
    status: str,
    left: int,
) -> None:
    paid = await pay()
    dispute = paid.dispute()
    assert await deliver(rest, fake.deliveries()) == {200}
    await follow_up(system.billing)
    assert await paid.balance() == 0
    for step in steps:
        paid.decide(dispute, step)
        told = fake.deliveries() * 2
        random.Random(step).shuffle(told)
        await deliver(rest, told)
        await follow_up(system.billing)
    assert await paid.balance() == left
    [shown] = (await call(list_disputes)).items
    assert (shown.status, shown.frozen) == (status, 0)


async def test_an_inquiry_freezes_and_lets_go(
    call: Call, rest: httpx.AsyncClient, system: System, fake: FakeStripe, pay: Any
) -> None:
    paid = await pay()
    dispute = paid.dispute("warning_needs_response")
    await deliver(rest, fake.deliveries())
    await follow_up(system.billing)
    assert await paid.balance() == 0
    paid.decide(dispute, "warning_closed")
    await deliver(rest, fake.deliveries())
    await follow_up(system.billing)
    assert await paid.balance() == 25
    assert [one.status for one in (await call(list_disputes)).items] == ["closed"]
