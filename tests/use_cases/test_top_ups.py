"""Top-ups: paid once on the checkout page, however often anybody asks."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import AmountOutOfRange, InvalidRequest, UnknownReference
from credyt_mcp.use_cases.assets import add_asset_rate
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.top_ups import get_top_up, start_top_up
from credyt_mcp.use_cases.topup_flows import generate_topup_flow
from tests.conftest import NOW, Call
from tests.samples import a_wallet, balances, credits_asset

GOOD, NO_FUNDS = "4242 4242 4242 4242", "4000 0000 0000 9995"


async def pay(web: httpx.AsyncClient, link: str, card: str = GOOD) -> httpx.Response:
    return await web.post(httpx.URL(link).path, data={"card_number": card})


async def test_a_paid_top_up_credits_the_wallet_once(call: Call, rest: httpx.AsyncClient) -> None:
    await a_wallet(call)
    flow = await call(generate_topup_flow, customer_id="jane", amount="25.5")
    assert (await call(get_top_up, top_up_id=flow.top_up_id)).status == "initiated"
    answers = await asyncio.gather(*(pay(rest, flow.redirect_url) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {303}
    assert (await call(get_top_up, top_up_id=flow.top_up_id)).status == "succeeded"
    assert await balances(call) == {"default:USD": Decimal("25.5")}
    assert (await call(verify_ledger)).ok


async def test_a_declined_card_leaves_the_link_open(call: Call, rest: httpx.AsyncClient) -> None:
    await a_wallet(call)
    flow = await call(generate_topup_flow, customer_id="jane", amount=10)
    declined = await pay(rest, flow.redirect_url, NO_FUNDS)
    assert declined.status_code == 402
    assert "insufficient funds" in declined.text
    assert await balances(call) == {}
    assert (await pay(rest, flow.redirect_url)).status_code == 303
    assert await balances(call) == {"default:USD": Decimal(10)}


async def test_an_expired_link_cannot_be_paid(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock
) -> None:
    await a_wallet(call)
    flow = await call(generate_topup_flow, customer_id="jane", amount=10)
    clock.advance(timedelta(hours=1))
    assert (await pay(rest, flow.redirect_url)).status_code == 409
    assert "expired" in (await rest.get(httpx.URL(flow.redirect_url).path)).text
    assert (await call(get_top_up, top_up_id=flow.top_up_id)).status == "expired"
    assert await balances(call) == {}


async def test_credits_are_bought_at_the_rate_in_force_when_the_link_was_made(
    call: Call, rest: httpx.AsyncClient
) -> None:
    await credits_asset(call)
    await a_wallet(call)
    flow = await call(generate_topup_flow, customer_id="jane", amount=10, asset="credits")
    assert (flow.credits, flow.asset) == (200, "credits")
    await call(add_asset_rate, asset_code="credits", source="USD", rate="0.10")
    await pay(rest, flow.redirect_url)
    assert await balances(call) == {"default:credits": Decimal(200)}
    assert (await call(verify_ledger)).ok


@pytest.mark.parametrize(("override", "bought"), [("0.02", 500), (None, 250)])
async def test_a_top_up_may_have_a_rate_of_its_own_as_the_price_of_one_unit(
    call: Call,
    rest: httpx.AsyncClient,
    clock: FrozenClock,
    override: str | None,
    bought: int,
) -> None:
    await credits_asset(call)
    await a_wallet(call)
    later = NOW + timedelta(days=1)
    await call(add_asset_rate, asset_code="credits", source="USD", rate="0.04", valid_from=later)
    clock.advance(timedelta(days=1))
    destination = {"asset": "CREDITS", "exchange_rate": override}
    top_up = await call(
        start_top_up, customer_id="jane", amount=10, currency="usd", destination=destination
    )
    shown = (await call(get_top_up, top_up_id=top_up.id)).destination
    assert shown.exchange_rate == Decimal(override or "0.04")
    await pay(rest, top_up.redirect_url)
    assert await balances(call) == {"default:credits": bought}
    assert (await call(verify_ledger)).ok


async def test_after_paying_the_browser_goes_back_to_the_app(
    call: Call, rest: httpx.AsyncClient
) -> None:
    await a_wallet(call)
    back = "https://app.example/account?paid=1"
    flow = await call(generate_topup_flow, customer_id="jane", amount=1, return_url=back)
    page = await rest.get(httpx.URL(flow.redirect_url).path)
    assert "form-action 'self' https://app.example" in page.headers["content-security-policy"]
    assert (await pay(rest, flow.redirect_url)).headers["location"] == back


@pytest.mark.parametrize(
    ("change", "error", "field"),
    [
        ({"customer_id": "nobody"}, UnknownReference, "customer_id"),
        ({"currency": "gold"}, UnknownReference, "currency"),
        ({"asset": "gold"}, UnknownReference, "destination.asset"),
        ({"asset": "EUR"}, InvalidRequest, "destination.asset"),
        ({"amount": "1.234"}, AmountOutOfRange, "amount"),
        ({"currency": "JPY", "amount": "1.5"}, AmountOutOfRange, "amount"),
        ({"amount": "1e13"}, AmountOutOfRange, "amount"),
        ({"return_url": "http://app.example"}, InvalidRequest, "return_url"),
        ({"return_url": "javascript:alert(1)"}, InvalidRequest, "return_url"),
    ],
)
async def test_what_cannot_be_paid_is_refused_by_name(
    call: Call, change: dict[str, Any], error: type[InvalidRequest], field: str
) -> None:
    await a_wallet(call)
    with pytest.raises(error) as refused:
        await call(generate_topup_flow, **{"customer_id": "jane", "amount": 1, **change})
    assert list(refused.value.errors) == [field]


async def test_topped_up_credit_expires_after_a_year(
    call: Call, rest: httpx.AsyncClient, clock: FrozenClock
) -> None:
    await a_wallet(call)
    flow = await call(generate_topup_flow, customer_id="jane", amount=10)
    await pay(rest, flow.redirect_url)
    clock.advance(timedelta(days=365) - timedelta(microseconds=1))
    assert await balances(call) == {"default:USD": Decimal(10)}
    clock.advance(timedelta(microseconds=1))
    assert clock.now() == NOW + timedelta(days=365)
    assert await balances(call) == {"default:USD": Decimal(0)}
