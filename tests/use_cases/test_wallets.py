"""Wallets look at the clock: a read equals what will be booked, before it is."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import select

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import NotFound
from credyt_mcp.storage.ledger_tables import LedgerAccountRow
from credyt_mcp.use_cases.adjustments import create_adjustment, create_charge
from credyt_mcp.use_cases.assets import create_asset
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.wallets import get_account, get_wallet, list_grants
from tests.conftest import NOW, Call
from tests.samples import a_product, a_wallet, balances, unit_price

DAY = timedelta(days=1)
USD = "default:USD"


async def credit(call: Call, name: str, amount: str | int, **more: Any) -> None:
    fields = {"customer_id": "jane", "asset": "USD", "reason": "gift", **more}
    await call(create_adjustment, transaction_id=name, amount=amount, **fields)


async def debit(call: Call, name: str, amount: str | int) -> None:
    """A charge; of nothing, it only has the lane book what time did."""
    await call(create_charge, customer_id="jane", transaction_id=name, asset="USD", amount=amount)


async def grants(call: Call, **more: Any) -> list[Any]:
    page = await call(list_grants, customer_id="jane", account_id=USD, **more)
    items: list[Any] = page.items
    return items


def booked(system: System) -> dict[tuple[str, str], int]:
    """The balances as they are stored, by name and asset: what nobody but the lane may change."""
    with system.billing.database.read() as session:
        rows = session.exec(select(LedgerAccountRow).where(LedgerAccountRow.kind == "wallet"))
        return {(row.name, row.asset): row.balance for row in rows}


async def test_a_customer_without_subscription_has_no_accounts(call: Call) -> None:
    made = await a_wallet(call)
    for name in (made.customer_id, "jane"):
        assert (await call(get_wallet, customer_id=name)).accounts == []
    with pytest.raises(NotFound, match="nobody"):
        await call(get_wallet, customer_id="nobody")
    with pytest.raises(NotFound, match="USD"):
        await call(get_account, customer_id="jane", account_id=USD)


async def test_an_account_is_found_in_any_case(call: Call) -> None:
    await call(create_asset, code="Gems", name="Gems", precision=0)
    await a_product(call, unit_price(1, "gems"))
    await a_wallet(call, "studio")
    for name in ("default:Gems", "DEFAULT:gems"):
        account = await call(get_account, customer_id="jane", account_id=name)
        assert account.model_dump() == {
            "id": "default:Gems",
            "name": "default",
            "asset": "Gems",
            "available": 0,
            "pending_in": 0,
            "pending_out": 0,
            "overdraft_limit": 0,
            "hard_limit": False,
        }
    with pytest.raises(NotFound, match="default:USD"):
        await call(get_account, customer_id="jane", account_id=USD)


async def test_expired_credit_is_gone_at_once_and_booked_as_breakage_later(
    call: Call, clock: FrozenClock, system: System
) -> None:
    await a_wallet(call)
    await credit(call, "a", 10, expires_at=NOW + DAY)
    await credit(call, "b", 5)
    clock.advance(DAY - timedelta(microseconds=1))
    assert await balances(call) == {USD: 15}
    clock.advance(timedelta(microseconds=1))
    assert booked(system) == {("default", "USD"): 15_000_000_000}
    for _ in range(2):
        assert await balances(call) == {USD: 5}
        assert [grant.available for grant in await grants(call)] == [5, 0]
        assert [grant.available for grant in await grants(call, exclude_expired=True)] == [5]
        await debit(call, "touch", 0)
    assert booked(system) == {("default", "USD"): 5_000_000_000}
    assert (await call(verify_ledger)).ok


async def test_credit_of_later_is_pending_until_it_takes_effect(
    call: Call, clock: FrozenClock
) -> None:
    await a_wallet(call)
    await credit(call, "a", 10, effective_at=NOW + DAY, expires_at=NOW + 3 * DAY)
    seen = []
    for _ in range(4):
        account = await call(get_account, customer_id="jane", account_id=USD)
        left = [grant.available for grant in await grants(call)]
        seen.append((account.available, account.pending_in, *left))
        clock.advance(DAY)
    assert seen == [(0, 10, 0), (10, 0, 10), (10, 0, 10), (0, 0, 0)]


async def test_credit_that_takes_effect_pays_the_debt_first_and_only_the_rest_can_expire(
    call: Call, clock: FrozenClock
) -> None:
    await a_wallet(call)
    await credit(call, "a", 10, effective_at=NOW + DAY, expires_at=NOW + 2 * DAY)
    await debit(call, "d", 4)
    clock.advance(DAY)
    assert await balances(call) == {USD: 6}
    clock.advance(DAY)
    assert await balances(call) == {USD: 0}
    await debit(call, "touch", 0)
    assert await balances(call) == {USD: 0}
    assert (await call(verify_ledger)).ok


async def test_grants_are_listed_newest_first_and_narrowed(call: Call) -> None:
    await a_wallet(call)
    await credit(call, "a", 1, expires_at=NOW + DAY)
    await credit(call, "b", 2, reason="external_topup", expires_at=NOW + 2 * DAY)
    await credit(call, "c", 3, effective_at=NOW + DAY)

    async def amounts(**more: Any) -> list[Decimal]:
        return [grant.amount for grant in await grants(call, **more)]

    assert await amounts() == [3, 2, 1]
    assert await amounts(offset=1, limit=1) == [2]
    assert await amounts(purpose="promotion") == [3, 1]
    assert await amounts(effective_from=NOW + DAY) == [3]
    assert await amounts(effective_to=NOW + DAY) == [2, 1]
    assert await amounts(expired_from=NOW + DAY, expired_to=NOW + 2 * DAY) == [1]
    newest = (await grants(call))[0]
    assert newest.id.startswith("grt_")
    shown = newest.model_dump()
    assert shown["expires_at"] is None
    assert (shown["priority"], shown["source"]) == (100, "adjustment")
    page = await call(list_grants, customer_id="jane", account_id=USD, limit=1)
    assert (page.total_count, page.limit, page.offset) == (3, 1, 0)


@pytest.mark.parametrize("seed", range(3))
async def test_what_is_read_is_what_is_booked_next(
    call: Call, clock: FrozenClock, system: System, seed: int
) -> None:
    """Any sequence of credits and debits with dates: read, book, read again."""
    choose = random.Random(seed)
    await a_wallet(call)
    for step in range(40):
        now = clock.now()
        amount = Decimal(choose.randint(1, 10**6)).scaleb(-4)
        if choose.random() < 0.5:
            starts = choose.choice([None, now + choose.randint(1, 4) * DAY])
            ends = choose.choice([None, (starts or now) + choose.randint(1, 4) * DAY])
            reason = choose.choice(["gift", "external_topup", "other"])
            await credit(
                call, f"{step}", str(amount), reason=reason, effective_at=starts, expires_at=ends
            )
        else:
            await debit(call, f"{step}", str(amount * choose.choice([1, 3])))
        clock.advance(choose.choice([timedelta(0), DAY / 2, DAY]))
        read = await call(get_account, customer_id="jane", account_id=USD)
        live = sum(grant.available for grant in await grants(call, limit=100))
        assert live == max(Decimal(0), read.available)
        await debit(call, f"touch {step}", 0)
        assert await call(get_account, customer_id="jane", account_id=USD) == read
        [account] = (await call(get_wallet, customer_id="jane")).accounts
        stored = booked(system)["default", "USD"]
        assert Decimal(stored).scaleb(-9) == account.available == read.available
    assert (await call(verify_ledger)).ok
