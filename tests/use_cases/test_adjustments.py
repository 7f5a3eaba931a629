"""Adjustments and charges: counted once, exact, and spent in the right order."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import (
    AmountOutOfRange,
    IdReused,
    InvalidRequest,
    NotFound,
    UnknownReference,
)
from credyt_mcp.use_cases.adjustments import create_adjustment, create_charge
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.wallets import get_account, get_transaction, list_grants
from tests.conftest import NOW, Call
from tests.samples import a_wallet, balances, credits_asset

DAY = timedelta(days=1)
USD = "default:USD"


async def adjust(call: Call, transaction_id: str, amount: str | int, **more: Any) -> Any:
    fields = {"customer_id": "jane", "asset": "USD", "reason": "other", **more}
    return await call(create_adjustment, transaction_id=transaction_id, amount=amount, **fields)


async def charge(call: Call, transaction_id: str, amount: str | int, **more: Any) -> Any:
    fields = {"customer_id": "jane", "asset": "USD", **more}
    return await call(create_charge, transaction_id=transaction_id, amount=amount, **fields)


async def left(call: Call, account_id: str = USD) -> dict[str, Decimal]:
    """What is left of each grant, by purpose."""
    page = await call(list_grants, customer_id="jane", account_id=account_id)
    return {grant.purpose: grant.available for grant in page.items if grant.available}


async def test_every_digit_of_an_amount_is_kept(call: Call) -> None:
    await a_wallet(call)
    await adjust(call, "1", "12345678.123456789")
    await adjust(call, "2", "-0.000000001")
    assert await balances(call) == {USD: Decimal("12345678.123456788")}


async def test_a_repeat_answers_the_same_and_moves_nothing(call: Call, clock: FrozenClock) -> None:
    await a_wallet(call)
    first = await adjust(call, "1", 25, reason="gift", expires_at=NOW + DAY)
    assert (first.id, first.created_at) == ("1", NOW)
    clock.advance(timedelta(days=400))  # past the credit's own expiry as well
    again = await adjust(call, "1", "25.00", reason="gift", expires_at=NOW + DAY)
    assert again == first
    assert await balances(call) == {USD: 0}


async def test_equal_ids_at_the_same_time_count_once(call: Call) -> None:
    await a_wallet(call)
    answers = await asyncio.gather(*(adjust(call, "1", 5) for _ in range(20)))
    charges = await asyncio.gather(*(charge(call, "2", 2) for _ in range(20)))
    assert len({answer.created_at for answer in answers}) == 1
    assert len(charges) == 20
    assert await balances(call) == {USD: 3}


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 6},
        {"asset": "EUR"},
        {"reason": "gift"},
        {"customer_id": "joe"},
        {"account_name": "other"},
    ],
)
async def test_an_id_used_for_something_else_is_refused(call: Call, change: dict[str, Any]) -> None:
    await a_wallet(call)
    await a_wallet(call, who="joe")
    await adjust(call, "1", 5)
    with pytest.raises(IdReused, match="'1'"):
        await adjust(call, **{"transaction_id": "1", "amount": 5, **change})
    with pytest.raises(IdReused):
        await charge(call, "1", 5)
    assert (await balances(call), await balances(call, "joe")) == ({USD: 5}, {})


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"customer_id": "nobody"}, NotFound, "nobody"),
        ({"asset": "gold"}, UnknownReference, "asset: there is no asset 'gold'"),
        ({"amount": "0.0000000001"}, AmountOutOfRange, "at most 9 decimals"),
        ({"amount": "9223372037"}, AmountOutOfRange, "must be at most"),
        ({"amount": "1e300"}, AmountOutOfRange, "must be at most"),
        ({"amount": 0}, ValidationError, "must not be 0"),
        ({"amount": -1, "effective_at": NOW + DAY}, InvalidRequest, "effective_at"),
        ({"amount": -1, "expires_at": NOW + DAY}, InvalidRequest, "expires_at"),
        ({"expires_at": NOW}, InvalidRequest, "expires_at"),
        ({"expires_at": NOW + DAY, "effective_at": NOW + DAY}, InvalidRequest, "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-12:00"}, ValidationError, "expires_at"),
        ({"effective_at": "0001-01-01T00:00:00+12:00"}, ValidationError, "effective_at"),
        ({"account_name": "a:b"}, ValidationError, "account_name"),
        ({"reason": "because"}, ValidationError, "reason"),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_written(
    call: Call, fields: dict[str, Any], error: type[Exception], said: str
) -> None:
    await a_wallet(call)
    with pytest.raises(error, match=said):
        await adjust(call, **{"transaction_id": "1", "amount": 5, **fields})
    assert await balances(call) == {}


async def test_an_asset_and_an_account_are_the_same_in_any_case(call: Call) -> None:
    await credits_asset(call)
    await a_wallet(call)
    await adjust(call, "1", 5, asset="CREDITS", account_name="Bonus")
    await adjust(call, "2", 5, asset="credits", account_name="bonus")
    assert await balances(call) == {"Bonus:credits": 10}
    account = await call(get_account, customer_id="jane", account_id="bonus:Credits")
    assert (account.id, account.name, account.asset) == ("Bonus:credits", "Bonus", "credits")


async def test_a_debit_may_go_below_zero_and_the_next_credit_pays_the_debt_first(
    call: Call,
) -> None:
    await a_wallet(call)
    await adjust(call, "1", -30, reason="external_refund")
    assert await balances(call) == {USD: -30}
    await adjust(call, "2", 20, reason="gift")
    assert (await balances(call), await left(call)) == ({USD: -10}, {})
    await adjust(call, "3", 100, reason="external_topup")
    assert (await balances(call), await left(call)) == ({USD: 90}, {"paid": 90})
    assert (await call(verify_ledger)).ok


async def test_free_credit_is_spent_before_paid_and_the_soonest_to_expire_first(
    call: Call,
) -> None:
    await a_wallet(call)
    await adjust(call, "paid", 10, reason="external_topup")
    await adjust(call, "late", 10, reason="gift", expires_at=NOW + 9 * DAY)
    await adjust(call, "soon", 10, reason="gift", expires_at=NOW + 2 * DAY)
    await adjust(call, "never", 10, reason="gift")
    await charge(call, "c1", 15)
    page = await call(list_grants, customer_id="jane", account_id=USD)
    assert [(grant.expires_at, grant.available) for grant in page.items] == [
        (None, 10),
        (NOW + 2 * DAY, 0),
        (NOW + 9 * DAY, 5),
        (None, 10),
    ]
    assert [grant.amount for grant in page.items] == [10, 10, 10, 10]
    await charge(call, "c2", 20)
    assert await left(call) == {"paid": 5}
    assert (await call(verify_ledger)).ok


async def test_reasons_become_purposes(call: Call) -> None:
    await a_wallet(call)
    for reason, purpose in (
        ("gift", "promotion"),
        ("external_topup", "paid"),
        ("external_refund", "paid"),
        ("other", "adjustment"),
    ):
        await adjust(call, reason, 1, reason=reason)
        page = await call(list_grants, customer_id="jane", account_id=USD, limit=1)
        assert (page.items[0].purpose, page.items[0].source) == (purpose, "adjustment")


async def test_spending_leaves_credit_that_takes_effect_later_alone(
    call: Call, clock: FrozenClock
) -> None:
    await a_wallet(call)
    await adjust(call, "later", 100, reason="gift", effective_at=NOW + DAY)
    await adjust(call, "paid", 50, reason="external_topup")
    await charge(call, "c1", 60)
    account = await call(get_account, customer_id="jane", account_id=USD)
    assert (account.available, account.pending_in) == (-10, 100)
    clock.advance(DAY)
    assert (await balances(call), await left(call)) == ({USD: 90}, {"promotion": 90})
    await charge(call, "c2", 0)
    assert (await balances(call), await left(call)) == ({USD: 90}, {"promotion": 90})
    assert (await call(verify_ledger)).ok


async def test_credit_that_would_not_fit_later_is_refused_now(
    call: Call, clock: FrozenClock
) -> None:
    await a_wallet(call)
    await adjust(call, "1", "9000000000", effective_at=NOW + DAY)
    for effective_at in (NOW, NOW + 2 * DAY):
        with pytest.raises(AmountOutOfRange):
            await adjust(call, "2", "9000000000", effective_at=effective_at)
    clock.advance(3 * DAY)
    await charge(call, "3", 1)
    assert await balances(call) == {USD: Decimal("8999999999")}


async def test_ids_of_our_own_bookings_are_not_the_callers(call: Call, clock: FrozenClock) -> None:
    await a_wallet(call)
    await adjust(call, "1", 5, effective_at=NOW + DAY, expires_at=NOW + 2 * DAY)
    page = await call(list_grants, customer_id="jane", account_id=USD)
    number = page.items[0].id.removeprefix("grt_")
    clock.advance(3 * DAY)
    for kind in ("activation", "expiry"):
        await charge(call, f"{kind}:{number}", 1)
    assert await balances(call) == {USD: -2}
    assert (await call(verify_ledger)).ok


async def test_a_transaction_is_read_by_the_callers_id(call: Call, clock: FrozenClock) -> None:
    await a_wallet(call)
    await a_wallet(call, who="joe")
    await adjust(
        call, "refund 1", -3, reason="external_refund", description="sorry", metadata={"psp": "x"}
    )
    ask = {"customer_id": "jane"}
    read = await call(get_transaction, **ask, transaction_id="refund 1")
    assert (read.type, read.account_id, read.asset, read.amount) == ("adjustment", USD, "USD", -3)
    assert (read.description, read.metadata) == ("sorry", {"psp": "x"})
    assert (read.reason, read.created_at, read.executed_at) == ("external_refund", NOW, NOW)
    await charge(call, "c1", "4.5", subject="order_9", unit_price="1.5", input_units=3)
    read = await call(get_transaction, **ask, transaction_id="c1")
    assert (read.type, read.amount, read.subject) == ("fee", Decimal("4.5"), "order_9")
    assert (read.unit_price, read.input_units) == (Decimal("1.5"), 3)
    for other in ({"customer_id": "joe", "transaction_id": "c1"}, {**ask, "transaction_id": "x"}):
        with pytest.raises(NotFound, match="transaction"):
            await call(get_transaction, **other)
    await adjust(call, "later", 1, effective_at=NOW + DAY)
    assert (await call(get_transaction, **ask, transaction_id="later")).executed_at is None
    clock.advance(2 * DAY)
    for _ in range(2):
        read = await call(get_transaction, **ask, transaction_id="later")
        assert (read.created_at, read.executed_at) == (NOW, NOW + DAY)
        await charge(call, "touch", 0)
