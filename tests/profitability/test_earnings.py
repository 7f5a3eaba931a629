"""What usage earns: the worth of the very credit that it used up."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.use_cases.adjustments import create_adjustment, create_charge
from credyt_mcp.use_cases.assets import add_asset_rate, create_asset
from credyt_mcp.use_cases.authorizations import authorize_usage, capture_authorization
from credyt_mcp.use_cases.checkouts import pay_checkout
from credyt_mcp.use_cases.events import get_event, record_event
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.stats import get_customer_stats
from credyt_mcp.use_cases.top_ups import start_top_up
from tests.conftest import NOW, Call
from tests.samples import a_product, a_wallet, credits_asset, unit_price


async def buy(call: Call, dollars: Any, **destination: Any) -> None:
    """Credits for jane, paid on the checkout page."""
    top_up = await call(
        start_top_up,
        customer_id="jane",
        amount=dollars,
        currency=destination.pop("currency", "USD"),
        destination={"asset": "credits", **destination},
    )
    page = top_up.redirect_url.rpartition("/")[2]
    await call(pay_checkout, checkout_id=page, card_number="4242424242424242")


async def adjust(call: Call, amount: Any, reason: str, asset: str = "credits", **more: Any) -> None:
    fields = {"transaction_id": f"{reason} {amount}", "asset": asset, "reason": reason, **more}
    await call(create_adjustment, customer_id="jane", amount=amount, **fields)


async def use(call: Call, event_id: str, event_type: str = "image", **more: Any) -> Any:
    """The profit of an event of jane's, as it reads back."""
    await call(record_event, customer_id="jane", id=event_id, event_type=event_type, **more)
    return (await call(get_event, event_id=event_id)).stats


async def revenue(call: Call, **period: Any) -> Decimal:
    stats = await call(get_customer_stats, customer_id="jane", **period)
    assert stats.currency == "USD"
    assert (await call(verify_ledger)).problems == []
    return Decimal(stats.gross_revenue)


@pytest.fixture
async def jane(call: Call) -> None:
    """Images cost 30 credits, at 0.05 USD each."""
    await credits_asset(call)
    await a_product(call, unit_price(30, "credits"))
    await a_wallet(call, "studio")


@pytest.mark.usefixtures("jane")
async def test_credit_bought_at_two_prices_earns_each_of_them(
    call: Call, clock: FrozenClock
) -> None:
    await buy(call, 2)  # 40 credits at 0.05
    clock.advance(timedelta(days=1))
    await buy(call, 2, exchange_rate="0.04")  # 50 credits
    assert (await use(call, "1")).gross_revenue == Decimal("1.5")
    assert (await use(call, "2")).gross_revenue == Decimal("1.3")  # 10 at 0.05, 20 at 0.04
    assert (await use(call, "3")).gross_revenue == Decimal("1.2")
    assert await revenue(call) == 4  # all that was paid, once all is used


@pytest.mark.usefixtures("jane")
async def test_a_price_that_does_not_divide_is_earned_to_the_last_nano(call: Call) -> None:
    await buy(call, 10, exchange_rate="0.07")  # 142.857143 credits: none is worth 0.07 exactly
    stats = [(await use(call, str(n))).gross_revenue for n in range(4)]
    # 30 * 10 / 142.857143, four times
    assert stats == [Decimal("2.099999998")] * 4
    await call(
        create_charge, customer_id="jane", transaction_id="r", asset="credits", amount="22.857143"
    )
    assert await revenue(call) == 10


@pytest.mark.usefixtures("jane")
async def test_what_was_given_away_earns_nothing_and_goes_first(call: Call) -> None:
    await buy(call, 2)
    await adjust(call, 50, "gift")
    assert (await use(call, "1")).gross_revenue == 0
    assert (await use(call, "2")).gross_revenue == Decimal("0.5")
    await adjust(call, 40, "other")
    assert (await use(call, "3")).gross_revenue == Decimal("1.5")
    assert (await use(call, "4")).gross_revenue == 0
    assert await revenue(call) == 2


@pytest.mark.usefixtures("jane")
async def test_a_payment_taken_elsewhere_is_worth_the_rate_of_its_day(
    call: Call, clock: FrozenClock
) -> None:
    await adjust(call, 60, "external_topup")
    clock.advance(timedelta(days=1))
    await call(add_asset_rate, asset_code="credits", source="USD", rate="0.5")
    assert (await use(call, "1")).gross_revenue == Decimal("1.5")
    assert (await use(call, "2")).gross_revenue == Decimal("1.5")
    assert (await use(call, "3")).gross_revenue == 15  # overdraft: the rate of today
    await adjust(call, 100, "external_topup")  # pays the overdraft, which earned already
    assert await revenue(call) == 18
    assert (await use(call, "4")).gross_revenue == 15


async def test_overdraft_without_a_rate_is_listed_as_unpriced(call: Call) -> None:
    await call(create_asset, code="credits", name="Credits")
    await a_product(call, unit_price(30, "credits"), unit_price(2, event_type="page"))
    await a_wallet(call, "studio", credit={"asset": "credits", "amount": 20})
    stats = await use(call, "1")
    assert (stats.gross_revenue, stats.currency) == (0, "USD")
    assert [(one.asset, one.amount) for one in stats.unpriced] == [("credits", 10)]
    await use(call, "2", "page")
    stats = await call(get_customer_stats, customer_id="jane")
    assert stats.gross_revenue == 2
    assert [(one.asset, one.amount) for one in stats.unpriced] == [("credits", 10)]
    assert (await call(verify_ledger)).ok


@pytest.mark.usefixtures("jane")
async def test_credit_bought_for_euros_earns_euros(call: Call) -> None:
    await call(add_asset_rate, asset_code="credits", source="EUR", rate="0.1")
    await buy(call, 4, currency="EUR")  # 40 credits
    stats = await use(call, "1")
    assert (stats.gross_revenue, stats.currency, stats.other_currencies) == (3, "EUR", None)
    stats = await use(call, "2")  # 10 at 0.10 EUR, and 20 of overdraft at 0.05 USD
    assert (stats.gross_revenue, stats.currency) == (1, "USD")
    assert [(one.gross_revenue, one.currency) for one in stats.other_currencies] == [(1, "EUR")]
    assert await revenue(call) == 1


@pytest.mark.usefixtures("jane")
async def test_charges_and_captured_amounts_are_revenue_too(call: Call) -> None:
    await buy(call, 1)
    await adjust(call, 5, "gift")
    fields = {"customer_id": "jane", "asset": "credits", "amount": 15}
    for _ in range(2):
        await call(create_charge, transaction_id="c", **fields)
    assert await revenue(call) == Decimal("0.5")
    await call(authorize_usage, id="hold", **{**fields, "amount": 10})
    for _ in range(2):
        await call(capture_authorization, authorization_id="hold", amount=8)
    assert await revenue(call) == Decimal("0.9")
    charge = {"customer_id": "jane", "transaction_id": "usd", "asset": "USD", "amount": 3}
    await call(create_charge, **charge)
    assert await revenue(call) == Decimal("3.9")


async def test_a_fee_that_is_paid_back_takes_its_revenue_back(call: Call) -> None:
    """With the fourth image all four become cheaper."""
    await credits_asset(call)
    bulk = unit_price(
        0, "credits", pricing_model="bulk", tiering={"basis": "unit", "period": "monthly"}
    )
    tiers = [{"up_to": 3, "unit_price": 20}, {"unit_price": 10}]
    bulk["pricing"][0]["values"] = tiers
    await a_product(call, bulk)
    await a_wallet(call, "studio")
    await buy(call, 10, exchange_rate="0.1")
    for number in range(3):
        assert (await use(call, str(number))).gross_revenue == 2
    assert (await use(call, "3")).gross_revenue == -2
    assert await revenue(call) == 4
    for number in range(4, 10):  # the six that are left of what was paid, the 20 paid back included
        assert (await use(call, str(number))).gross_revenue == 1
    assert await revenue(call) == 10


@pytest.mark.usefixtures("jane")
async def test_credit_that_expires_is_not_revenue(call: Call, clock: FrozenClock) -> None:
    ends = NOW + timedelta(days=2)
    await adjust(call, 60, "external_topup", expires_at=ends)
    await use(call, "1")
    clock.advance(timedelta(days=3))
    assert await revenue(call) == Decimal("1.5")
    await adjust(call, 60, "external_topup", transaction_id="later")
    assert (await use(call, "2")).gross_revenue == Decimal("1.5")


async def test_a_currency_is_worth_its_face_whoever_gave_it(call: Call) -> None:
    await a_product(call, unit_price("0.75"))
    await a_wallet(call, "studio", credit=1)
    for number in range(3):  # a gift, some of both, all overdraft
        assert (await use(call, str(number))).gross_revenue == Decimal("0.75")
    assert await revenue(call) == Decimal("2.25")


@pytest.mark.usefixtures("jane")
async def test_several_fees_out_of_one_account_share_what_it_earns(call: Call) -> None:
    more = [unit_price(price, "credits", "both") | {"name": name} for name, price in PARTS]
    await a_product(call, *more, code="more")
    await a_wallet(call, "more")
    await buy(call, "0.1", exchange_rate="0.01")  # 10 credits, of 49 that are charged
    stats = await use(call, "1", "both")
    assert stats.gross_revenue == Decimal("2.05")  # 10 at 0.01, 39 at 0.05
    assert await revenue(call) == Decimal("2.05")


PARTS = [("A", 7), ("B", 21), ("C", 21)]


@pytest.mark.usefixtures("jane")
async def test_a_refused_request_earns_nothing(
    call: Call, rest: httpx.AsyncClient, system: System
) -> None:
    await buy(call, 2)
    bad = {"id": "late", "event_type": "image", "occurred_at": "2020-01-01T00:00:00Z"}
    cost = {"id": "k", "vendor_external_id": "maker", "amount": 1}
    await rest.post("/vendors", json={"name": "Maker", "external_id": "maker"})
    good = {
        "id": "1",
        "event_type": "image",
        "occurred_at": NOW.isoformat(),
        "costs": [cost],
    }
    body = {"customer_external_id": "jane", "events": [good, bad]}
    assert (await rest.post("/events", json=body)).status_code == 422
    assert await revenue(call) == 0
    body = {"customer_external_id": "jane", "events": [good]}
    for _ in range(3):
        assert (await rest.post("/events", json=body)).status_code == 204
    stats = await call(get_customer_stats, customer_id="jane")
    assert (stats.gross_revenue, stats.total_costs) == (Decimal("1.5"), 1)
    assert system.billing.lane.alive
