"""Refunds asked for here: what is unspent goes back once, or comes back if it is refused."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import (
    AmountOutOfRange,
    IdReused,
    NotFound,
    QuoteOutdated,
    WrongState,
)
from credyt_mcp.payments.sandbox import SandboxProvider
from credyt_mcp.use_cases.authorizations import authorize_usage
from credyt_mcp.use_cases.open_payments import follow_up
from credyt_mcp.use_cases.refunds import list_refunds, quote_refund, refund_top_up
from credyt_mcp.use_cases.top_ups import get_top_up, start_top_up
from tests.conftest import Call
from tests.refunds.shop import FAILING, PENDING, Shop
from tests.samples import credits_asset


async def refund(call: Call, top_up_id: str, **how: Any) -> Any:
    """A refund of what is quoted, or `how`."""
    quote = await call(quote_refund, top_up_id=top_up_id)
    return await call(refund_top_up, top_up_id=top_up_id, **{"quoted": quote.refundable, **how})


async def test_what_is_unspent_goes_back_and_no_more(call: Call, shop: Shop) -> None:
    top_up = await shop.top_up(10)
    await shop.spend("e1")
    quote = await call(quote_refund, top_up_id=top_up)
    assert (quote.paid, quote.left, quote.refundable, quote.credit) == (10, 10, 6, 6)
    refunded = await refund(call, top_up)
    assert (refunded.status, refunded.amount, refunded.credit, refunded.origin) == (
        *("succeeded", 6, 6),
        "api",
    )
    assert await shop.has() == (0, 0)
    assert (await call(get_top_up, top_up_id=top_up)).refunded == 6
    quote = await call(quote_refund, top_up_id=top_up)
    assert (quote.refunded, quote.left, quote.refundable) == (6, 4, 0)
    with pytest.raises(WrongState):
        await refund(call, top_up)
    await shop.books_are_right()


async def test_what_is_held_is_not_refunded(call: Call, shop: Shop) -> None:
    top_up = await shop.top_up(10)
    await call(authorize_usage, id="a1", customer_id="jane", asset="USD", amount=7)
    assert (await call(quote_refund, top_up_id=top_up)).refundable == 3
    await refund(call, top_up)
    assert await shop.has() == (0, 7)
    await shop.books_are_right()


async def test_parts_add_up_to_the_whole(call: Call, shop: Shop) -> None:
    await credits_asset(call)
    top_up = await shop.top_up(10, destination={"asset": "credits", "exchange_rate": "0.03"})
    bought, _ = await shop.has("default:credits")
    for part in ("3.33", "3.33", "3.34"):
        await refund(call, top_up, amount=part)
    assert await shop.has("default:credits") == (0, 0)
    assert bought > 333
    assert (await call(quote_refund, top_up_id=top_up)).refundable == 0
    assert sum(one.credit for one in (await call(list_refunds)).items) == bought
    await shop.books_are_right()


async def test_a_stale_quote_is_refused_and_so_is_too_much(call: Call, shop: Shop) -> None:
    top_up = await shop.top_up(10)
    quote = await call(quote_refund, top_up_id=top_up)
    await shop.spend("e1")
    with pytest.raises(QuoteOutdated, match="6 USD can be refunded now, not 10"):
        await call(refund_top_up, top_up_id=top_up, quoted=quote.refundable)
    with pytest.raises(AmountOutOfRange, match="6 USD of it unspent"):
        await call(refund_top_up, top_up_id=top_up, quoted=6, amount="6.01")
    with pytest.raises(AmountOutOfRange, match="10 USD left of the payment"):
        await call(refund_top_up, top_up_id=top_up, quoted=6, amount=11, include_spent=True)
    with pytest.raises(AmountOutOfRange):
        await call(refund_top_up, top_up_id=top_up, quoted=6, amount="0.001")
    assert await shop.has() == (6, 0)
    assert (await call(list_refunds)).total_count == 0


async def test_spent_credit_goes_back_only_when_that_is_said(call: Call, shop: Shop) -> None:
    top_up = await shop.top_up(10)
    await shop.spend("e1")
    refunded = await refund(call, top_up, amount=10, include_spent=True)
    assert (refunded.status, refunded.credit) == ("succeeded", 10)
    assert await shop.has() == (-4, 0)
    await shop.books_are_right()


async def test_a_repeat_is_the_same_refund_and_its_id_is_no_other_ones(
    call: Call, shop: Shop
) -> None:
    top_up, other = await shop.top_up(10), await shop.top_up(5)
    first = await refund(call, top_up, amount=4, refund_id="r1")
    again = [
        call(refund_top_up, top_up_id=top_up, quoted=10, amount=4, refund_id="r1") for _ in range(5)
    ]
    assert {one.id for one in await asyncio.gather(*again)} == {first.id}
    for top_up_id, amount in ((top_up, 5), (other, 4)):
        with pytest.raises(IdReused):
            await call(refund_top_up, top_up_id=top_up_id, quoted=10, amount=amount, refund_id="r1")
    assert await shop.has() == (11, 0)


async def test_many_at_once_refund_what_was_paid_once(call: Call, shop: Shop) -> None:
    top_up = await shop.top_up(10)
    asked = [call(refund_top_up, top_up_id=top_up, quoted=10, amount=10) for _ in range(20)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    made = [one for one in answers if not isinstance(one, Exception)]
    assert len(made) == 1
    assert {type(one) for one in answers if isinstance(one, Exception)} == {QuoteOutdated}
    assert await shop.has() == (0, 0)
    await shop.books_are_right()


async def test_what_the_provider_refuses_is_put_back_as_it_was(
    call: Call, shop: Shop, clock: FrozenClock
) -> None:
    top_up = await shop.top_up(10, FAILING)
    refunded = await refund(call, top_up)
    assert (refunded.status, refunded.credit) == ("failed", 0)
    assert await shop.has() == (10, 0)
    assert (await call(get_top_up, top_up_id=top_up)).refunded is None
    clock.advance(timedelta(days=366))
    assert await shop.has() == (0, 0), "it expires when it would have"
    await shop.books_are_right()


@pytest.mark.parametrize(
    ("step", "status", "left"), [("succeed", "succeeded", 0), ("fail", "failed", 10)]
)
async def test_a_refund_that_takes_days_is_asked_after(
    call: Call, shop: Shop, system: System, clock: FrozenClock, step: Any, status: str, left: int
) -> None:
    top_up = await shop.top_up(10, PENDING)
    assert (await refund(call, top_up)).status == "pending"
    assert await shop.has() == (0, 0)
    # The provider decides, and tells nobody.
    provider, tenant_id = system.billing.payments, system.billing.tenant.id
    assert isinstance(provider, SandboxProvider)
    [(_, [there])] = await asyncio.to_thread(provider.payments, tenant_id)
    await asyncio.to_thread(provider.step, tenant_id, there.id, step)
    assert await follow_up(system.billing) == 0
    clock.advance(timedelta(minutes=2))
    assert await follow_up(system.billing) == 1
    assert await shop.has() == (left, 0)
    assert [one.status for one in (await call(list_refunds)).items] == [status]
    await shop.books_are_right()


async def test_what_was_never_paid_or_is_not_ours_is_refused(call: Call, shop: Shop) -> None:
    started = await call(start_top_up, customer_id="jane", amount=5, currency="USD")
    with pytest.raises(WrongState):
        await call(quote_refund, top_up_id=started.id)
    with pytest.raises(NotFound):
        await call(refund_top_up, top_up_id="top_nobody", quoted=1)


async def test_over_rest(call: Call, shop: Shop, rest: httpx.AsyncClient) -> None:
    top_up = await shop.top_up("12.34")
    quote = (await rest.get(f"/top-ups/{top_up}/refund-quote")).json()
    assert quote["refundable"] == 12.34
    made = await rest.post(
        f"/top-ups/{top_up}/refunds",
        json={"quoted": quote["refundable"], "amount": 2.34, "reason": "asked for"},
    )
    assert (made.status_code, made.json()["amount"]) == (201, 2.34)
    stale = await rest.post(f"/top-ups/{top_up}/refunds", json={"quoted": 12.34})
    assert (stale.status_code, stale.json()["code"]) == (409, "quote_outdated")
    listed = (await rest.get("/refunds", params={"top_up_id": top_up})).json()
    assert [one["reason"] for one in listed["items"]] == ["asked for"]
    assert (await rest.get("/refunds", params={"customer_id": "nobody"})).json()["items"] == []
    assert Decimal(str((await rest.get(f"/top-ups/{top_up}")).json()["refunded"])) == Decimal(
        "2.34"
    )
