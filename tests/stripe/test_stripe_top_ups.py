"""Top-ups through Stripe: one credit, whoever says it first and however often."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import AmountOutOfRange, ProviderUnavailable, UnknownReference
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.open_payments import fetch_undelivered, follow_up
from credyt_mcp.use_cases.top_ups import get_top_up
from credyt_mcp.use_cases.topup_flows import generate_topup_flow
from tests.conftest import Call
from tests.samples import a_wallet, balances
from tests.stripe.conftest import HOOK, OLD_SECRET, SECRET, FakeStripe


async def deliver(web: httpx.AsyncClient, deliveries: list[dict[str, str]]) -> set[int]:
    answers = await asyncio.gather(
        *(
            web.post(HOOK, content=one["body"], headers={"Stripe-Signature": one["signature"]})
            for one in deliveries
        )
    )
    return {answer.status_code for answer in answers}


@pytest.mark.parametrize("first", ["webhook", "success page", "poller"])
async def test_a_payment_told_many_times_in_any_order_is_one_credit(
    call: Call,
    rest: httpx.AsyncClient,
    system: System,
    fake: FakeStripe,
    clock: FrozenClock,
    first: str,
) -> None:
    await a_wallet(call)
    flow = await call(generate_topup_flow, customer_id="jane", amount=25)
    assert fake.pay(flow.redirect_url).status_code == 200
    told = [*fake.deliveries(), *fake.deliveries(OLD_SECRET), *fake.deliveries(shape="thin")] * 5
    random.Random(7).shuffle(told)
    if first == "success page":
        assert (await call(get_top_up, top_up_id=flow.top_up_id)).status == "succeeded"
    if first == "poller":
        clock.advance(timedelta(minutes=2))
        assert await follow_up(system.billing) == 1
        assert await balances(call) == {"default:USD": Decimal(25)}
    assert await deliver(rest, told) == {200}
    assert await follow_up(system.billing) >= 4
    assert await balances(call) == {"default:USD": Decimal(25)}
    clock.advance(timedelta(minutes=5))
    await asyncio.gather(*(follow_up(system.billing) for _ in range(4)))
    assert (await call(get_top_up, top_up_id=flow.top_up_id)).status == "succeeded"
    assert await balances(call) == {"default:USD": Decimal(25)}
    assert (await call(verify_ledger)).ok


@pytest.mark.parametrize(("outcome", "credit"), [("succeeded", 10), ("failed", None)])
async def test_a_bank_debit_is_pending_until_the_bank_has_spoken(
    call: Call, system: System, fake: FakeStripe, outcome: str, credit: int | None
) -> None:
    await a_wallet(call)
    flow = await call(generate_topup_flow, customer_id="jane", amount=10)
    fake.pay(flow.redirect_url, "pm_usBankAccount")
    assert (await call(get_top_up, top_up_id=flow.top_up_id)).status == "pending"
    fake.finish_debit(flow.redirect_url, outcome)
    assert await fetch_undelivered(system.billing) > 0
    await follow_up(system.billing)
    assert (await call(get_top_up, top_up_id=flow.top_up_id)).status == outcome
    assert await balances(call) == ({} if credit is None else {"default:USD": Decimal(credit)})


async def test_while_stripe_is_away_starting_fails_clearly_and_what_was_paid_waits(
    call: Call, rest: httpx.AsyncClient, system: System, fake: FakeStripe, clock: FrozenClock
) -> None:
    await a_wallet(call)
    flow = await call(generate_topup_flow, customer_id="jane", amount=10)
    fake.pay(flow.redirect_url)
    told = fake.deliveries(types="checkout.session.completed,payment_intent.succeeded")
    fake.fail("429")
    with pytest.raises(ProviderUnavailable):
        await call(generate_topup_flow, customer_id="jane", amount=10)
    assert await deliver(rest, told) == {200}
    assert await follow_up(system.billing) == 0
    assert (await call(get_top_up, top_up_id=flow.top_up_id)).status == "initiated"
    fake.fail(times=0)
    clock.advance(timedelta(hours=1))
    assert await follow_up(system.billing) > 0
    assert await balances(call) == {"default:USD": Decimal(10)}


async def test_a_lost_answer_makes_no_second_page(call: Call, fake: FakeStripe) -> None:
    await a_wallet(call)
    fake.fail("drop_after", times=1)
    await call(generate_topup_flow, customer_id="jane", amount=10)
    assert fake.requests().count("POST /v1/checkout/sessions") == 1


@pytest.mark.parametrize("named_by", ["us", "the customer"])
async def test_a_page_that_was_never_seen_is_known_by_our_own_word_alone(
    call: Call, rest: httpx.AsyncClient, system: System, fake: FakeStripe, named_by: str
) -> None:
    """A customer chooses `client_reference_id` in a payment link's address, but no metadata: what
    they pay for there would be credited as well."""
    await a_wallet(call)
    fake.fail("drop_after", times=3, only="POST /v1/checkout/sessions")
    with pytest.raises(ProviderUnavailable):
        await call(generate_topup_flow, customer_id="jane", amount=25)
    [page] = fake.pages()
    if named_by == "the customer":
        page = fake.payment_link(25, page["client_reference_id"])
    fake.pay(page["url"])
    assert await deliver(rest, fake.deliveries()) == {200}
    await follow_up(system.billing)
    paid = {"default:USD": Decimal(25)} if named_by == "us" else {}
    assert await balances(call) == paid


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"amount": "0.10"}, AmountOutOfRange),
        ({"amount": "1.001", "currency": "KWD"}, AmountOutOfRange),
        ({"amount": 500, "currency": "ISK"}, UnknownReference),
    ],
)
async def test_what_stripe_cannot_take_is_refused(
    call: Call, fields: dict[str, object], error: type[Exception]
) -> None:
    await a_wallet(call)
    with pytest.raises(error):
        await call(generate_topup_flow, customer_id="jane", **fields)


async def test_a_delivery_that_is_not_stripes_is_refused(
    rest: httpx.AsyncClient, call: Call, fake: FakeStripe
) -> None:
    await a_wallet(call)
    flow = await call(generate_topup_flow, customer_id="jane", amount=10)
    fake.pay(flow.redirect_url)
    [good, *_] = fake.deliveries()
    forged = [{**good, "body": good["body"] + " "}, {**good, "signature": ""}]
    assert await deliver(rest, [*forged, *fake.deliveries("whsec_other")]) == {400}


async def test_no_key_and_no_secret_is_written_anywhere(
    call: Call, rest: httpx.AsyncClient, fake: FakeStripe, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    await a_wallet(call)
    fake.fail("429")
    with pytest.raises(ProviderUnavailable) as refused:
        await call(generate_topup_flow, customer_id="jane", amount=10)
    answer = await rest.post(HOOK, content="{}", headers={"Stripe-Signature": "t=1,v1=00"})
    said = caplog.text + str(refused.value) + answer.text
    assert "req_fake" in said
    for secret in (fake.key, SECRET, OLD_SECRET):
        assert secret not in said
