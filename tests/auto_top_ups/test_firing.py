"""When an automatic top-up begins: once, in time, within its caps."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import (
    AmountOutOfRange,
    InvalidRequest,
    NotFound,
    UnknownReference,
    WrongState,
)
from credyt_mcp.use_cases.adjustments import create_adjustment, create_charge
from credyt_mcp.use_cases.assets import add_asset_rate
from credyt_mcp.use_cases.authorizations import (
    authorize_usage,
    capture_authorization,
    release_authorization,
)
from credyt_mcp.use_cases.auto_top_ups import set_auto_top_up, stop_auto_top_up
from credyt_mcp.use_cases.automatic_charges import charge_due
from credyt_mcp.use_cases.clocks import advance_clock
from credyt_mcp.use_cases.events import record_event
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.refunds import refund_top_up
from credyt_mcp.use_cases.sweeping import sweep
from credyt_mcp.use_cases.top_ups import get_top_up
from tests.auto_top_ups.cards import NO_FUNDS, TERMS, USD, a_card, a_rule, rule, told
from tests.conftest import Call
from tests.refunds.shop import Shop
from tests.samples import a_product, a_wallet, balances, credits_asset, unit_price


async def spend(call: Call, amount: int | str, name: str = "c1") -> None:
    await call(create_charge, customer_id="jane", transaction_id=name, asset="USD", amount=amount)


async def has(call: Call) -> Decimal:
    return (await balances(call))["default:USD"]


async def test_falling_below_the_threshold_charges_the_card_and_credits_the_wallet(
    call: Call, rest: httpx.AsyncClient, system: System
) -> None:
    await a_rule(call, rest)
    await spend(call, 5)
    assert await charge_due(system.billing) == 0
    await spend(call, "0.01", "c2")
    await charge_due(system.billing)
    assert await has(call) == Decimal("24.99")
    standing = await rule(call)
    assert (standing.status, standing.top_up_id) == ("active", None)
    assert (standing.last_charge.status, standing.last_charge.available) == (
        "succeeded",
        Decimal("4.99"),
    )
    top_up = await call(get_top_up, top_up_id=standing.last_charge.top_up_id)
    assert (top_up.status, top_up.amount) == ("succeeded", 20)
    [paid] = await told(system, "top_up")
    assert (paid["kind"], paid["top_up_id"]) == ("top_up.succeeded", top_up.id)
    assert (await call(verify_ledger)).ok


async def test_fifty_captures_at_once_make_one_top_up(
    call: Call, rest: httpx.AsyncClient, system: System
) -> None:
    await a_rule(call, rest)
    for number in range(50):
        await call(authorize_usage, id=f"a{number}", customer_id="jane", amount="0.1")
    ready = asyncio.Barrier(50)

    async def capture(number: int) -> None:
        await ready.wait()
        await call(capture_authorization, authorization_id=f"a{number}", amount="0.19")

    await asyncio.gather(*(capture(number) for number in range(50)))
    await asyncio.gather(*(charge_due(system.billing) for _ in range(4)))
    assert await has(call) == Decimal(10) - Decimal("9.5") + 20
    assert len(await told(system, "top_up")) == 1
    assert (await call(verify_ledger)).ok


async def test_what_is_held_is_not_available(
    call: Call, rest: httpx.AsyncClient, system: System
) -> None:
    await a_rule(call, rest)
    await call(authorize_usage, id="a1", customer_id="jane", amount=6)
    await charge_due(system.billing)
    assert await has(call) == 24
    await call(release_authorization, authorization_id="a1")
    assert await has(call) == 30


async def test_a_rule_set_while_the_balance_is_low_acts_at_once(
    call: Call, rest: httpx.AsyncClient, system: System
) -> None:
    await a_rule(call, rest, threshold=50)
    await charge_due(system.billing)
    # Under the threshold still, it charged again: 10 + 20 + 20.
    assert await has(call) == 50


async def test_credit_that_expires_makes_room_for_a_top_up(
    call: Call, rest: httpx.AsyncClient, system: System, clock: FrozenClock
) -> None:
    await a_rule(call, rest)
    ends = clock.now() + timedelta(days=1)
    gift = {"transaction_id": "g", "asset": "USD", "amount": 7, "reason": "gift"}
    await call(create_adjustment, customer_id="jane", **gift, expires_at=ends)
    await spend(call, 3)
    await spend(call, 6, "c2")
    assert await charge_due(system.billing) == 0
    clock.advance(timedelta(days=2))
    await sweep(system.billing)
    assert len(await told(system, "top_up")) == 0
    await spend(call, 4, "c3")
    await charge_due(system.billing)
    assert await has(call) == 10 + 7 - 3 - 6 - 4 + 20


async def test_caps_hold_over_a_month_of_the_test_clock(
    call: Call, rest: httpx.AsyncClient, system: System
) -> None:
    """Jane spends $30 a day; two top-ups of $20 a day are agreed, and $500 a month."""
    start = datetime(2026, 5, 1, 1, tzinfo=UTC)
    await call(advance_clock, to=start)
    await a_rule(call, rest, daily_count=2, monthly_limit=500)
    for day in range(31):
        for part in range(3):
            await spend(call, 10, f"c{day}-{part}")
            await charge_due(system.billing)
        await call(advance_clock, advance_by="P1D")
    paid = [one for one in await told(system, "top_up") if one["kind"] == "top_up.succeeded"]
    by_day = Counter(one["occurred_at"][:10] for one in paid)
    in_may = sum(count for day, count in by_day.items() if day.startswith("2026-05"))
    assert max(by_day.values()) == 2
    assert in_may == 500 // 20
    # On the first of June there was room again, without any usage, up to the cap of the day.
    assert by_day["2026-06-01"] == 2
    capped = [one for one in await told(system) if one["kind"] == "auto_top_up.capped"]
    assert capped[-1]["until"].startswith("2026-06-02")
    assert len({one["until"] for one in capped}) == len(capped)
    assert (await rule(call)).reason is not None
    assert (await call(verify_ledger)).ok


async def test_switched_off_it_charges_nothing_and_what_waits_is_called_off(
    call: Call, rest: httpx.AsyncClient, system: System
) -> None:
    await a_rule(call, rest, NO_FUNDS)
    await spend(call, 6)
    await charge_due(system.billing)
    assert (await rule(call)).last_charge.status == "open"  # to be tried again
    stopped = await call(stop_auto_top_up, **USD)
    assert (stopped.status, stopped.top_up_id, stopped.last_charge.status) == (
        "off",
        None,
        "failed",
    )
    await spend(call, 1, "c2")
    await call(advance_clock, advance_by="P10D")
    assert await has(call) == 3
    top_up = await call(get_top_up, top_up_id=stopped.last_charge.top_up_id)
    assert top_up.status == "expired"


async def test_a_dispute_freezes_it_until_it_is_won(
    call: Call, rest: httpx.AsyncClient, system: System
) -> None:
    made, shop = await a_rule(call, rest), Shop(call, rest)
    dispute = await shop.dispute(await shop.top_up(10))
    await spend(call, 16)
    await charge_due(system.billing)
    frozen = await rule(call)
    assert (frozen.status, frozen.reason) == ("frozen", "A payment is disputed.")
    assert [one["kind"] for one in await told(system)] == ["auto_top_up.frozen"]
    with pytest.raises(WrongState, match="frozen"):
        await call(set_auto_top_up, **USD, **TERMS)
    await shop.step(dispute, "win")
    await charge_due(system.billing)
    assert await has(call) == 24
    assert made.status == (await rule(call)).status == "active"
    await shop.books_are_right()


async def test_every_dispute_must_be_won_before_it_goes_on(
    call: Call, rest: httpx.AsyncClient
) -> None:
    await a_rule(call, rest)
    shop = Shop(call, rest)
    disputes = [await shop.dispute(await shop.top_up(amount)) for amount in (10, 11)]
    await shop.step(disputes[0], "win")
    assert (await rule(call)).status == "frozen"
    await shop.step(disputes[1], "win")
    assert (await rule(call)).status == "active"


async def test_after_a_lost_dispute_it_can_be_agreed_to_anew(
    call: Call, rest: httpx.AsyncClient
) -> None:
    await a_rule(call, rest)
    shop = Shop(call, rest)
    dispute = await shop.dispute(await shop.top_up(10))
    await call(stop_auto_top_up, **USD)
    with pytest.raises(WrongState, match="disputed"):
        await call(set_auto_top_up, **USD, **TERMS)
    await shop.step(dispute, "lose")
    assert (await rule(call)).status == "off"
    assert (await call(set_auto_top_up, **USD, **TERMS)).status == "active"


async def test_what_it_took_can_be_refunded_and_disputed_like_any_payment(
    call: Call, rest: httpx.AsyncClient, system: System
) -> None:
    await a_rule(call, rest)
    await spend(call, 6)
    await charge_due(system.billing)
    top_up_id, shop = (await rule(call)).last_charge.top_up_id, Shop(call, rest)
    refund = await call(refund_top_up, top_up_id=top_up_id, quoted=20, amount=5)
    assert (refund.status, await has(call)) == ("succeeded", 19)
    dispute = await shop.dispute(top_up_id, amount=15)
    assert await shop.has() == (4, 15)
    assert (await rule(call)).status == "frozen"
    await shop.step(dispute, "lose")
    assert await has(call) == 4
    await shop.books_are_right()


async def test_credits_are_bought_at_the_rate_in_force_when_the_card_is_charged(
    call: Call, rest: httpx.AsyncClient, system: System
) -> None:
    await credits_asset(call)
    await a_product(call, unit_price(10, asset="credits"))
    await a_wallet(call, "studio", credit={"asset": "credits", "amount": 100})
    await a_card(call, rest)
    account = {"customer_id": "jane", "account_id": "default:credits"}
    await call(set_auto_top_up, **account, **TERMS | {"threshold": 95})
    await call(add_asset_rate, asset_code="credits", source="USD", rate="0.10")
    await call(record_event, customer_id="jane", id="e1", event_type="image")
    await charge_due(system.billing)
    assert await balances(call) == {"default:credits": 90 + 200}
    assert (await call(verify_ledger)).ok


@pytest.mark.parametrize(
    ("change", "error", "field"),
    [
        ({"amount": "20.001"}, AmountOutOfRange, "amount"),
        ({"currency": "gold"}, UnknownReference, "currency"),
        ({"currency": "EUR"}, InvalidRequest, "currency"),
        ({"payment_method_id": "pm_none"}, UnknownReference, "payment_method_id"),
        ({"daily_limit": 19}, InvalidRequest, "daily_limit"),
    ],
)
async def test_terms_that_could_not_be_kept_are_refused_by_name(
    call: Call, rest: httpx.AsyncClient, change: dict[str, Any], error: Any, field: str
) -> None:
    await a_wallet(call, credit=10)
    await a_card(call, rest)
    with pytest.raises(error) as refused:
        await call(set_auto_top_up, **USD, **TERMS | change)
    assert list(refused.value.errors) == [field]
    with pytest.raises(NotFound):
        await rule(call)


async def test_without_consent_or_a_card_there_is_no_rule(
    call: Call, rest: httpx.AsyncClient
) -> None:
    await a_wallet(call, credit=10)
    with pytest.raises(InvalidRequest, match="no saved card"):
        await call(set_auto_top_up, **USD, **TERMS)
    await a_card(call, rest)
    path = "/customers/jane/wallet/default:USD/auto-top-up"
    answer = await rest.put(path, json={"threshold": 5, "amount": 20})
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["consent"])
    answer = await rest.put(path, json=TERMS)
    assert answer.status_code == 200
    given = answer.json()["consent"]
    assert (given["text"], given["recorded_by"][:4]) == (TERMS["consent"]["text"], "apk_")
    assert given["given_at"] == "2026-03-10T12:00:00Z"
    stopped = await rest.delete(path)
    assert (stopped.json()["status"], (await rest.get(path)).json()["status"]) == ("off", "off")
