"""A year, and the months in which its last credit expires, against a table made by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from tests.processes.harness import serving, verify_by_command
from tests.samples import unit_price
from tests.scenarios.lives import Life, Row, uses

DAY = 24 * 3600


async def _opens(life: Life) -> None:
    product = {"name": "Studio", "code": "studio", "publish": True, "prices": [unit_price("0.5")]}
    await life.ask("POST", "/products", **product)
    credit = {"asset": "USD", "amount": 5}
    wallet = {"external_id": "jane", "products": ["studio"], "starting_credit": credit}
    await life.ask("POST", "/wallets", **wallet)
    await life.ask("PATCH", "/customers/jane/wallet/default:USD", low_balance_threshold=3)


async def _is_given_two_gifts(life: Life) -> None:
    await life.gift(10, expires_at=life.on("03-01", hour=0))
    dates = {"effective_at": life.on("02-01", hour=0), "expires_at": life.on("04-01", hour=0)}
    await life.gift(6, **dates)


async def _is_given_a_month(life: Life) -> None:
    await life.gift(30, expires_at=life.on("07-01", hour=0))


def tops_up(amount: int) -> Callable[[Life], Awaitable[None]]:
    return lambda life: life.top_up(amount)


def holds(amount: int, seconds: int) -> Callable[[Life], Awaitable[None]]:
    return lambda life: life.hold(amount, seconds)


PREPAID = [
    Row("01-01", {"USD": "5"}, _opens),
    Row("01-02", {"USD": "15"}, _is_given_two_gifts),
    # What expires first is used first.
    Row("01-15", {"USD": "11"}, uses(8)),
    Row("01-20", {"USD": "9"}, holds(2, seconds=900)),
    Row("01-21", {"USD": "11"}),
    # The second gift takes effect.
    Row("02-01", {"USD": "17"}),
    Row("02-10", {"USD": "7"}, uses(20)),
    # Of the first gift nothing is left to expire; of the second, 2.
    Row("03-01", {"USD": "7"}),
    Row("04-01", {"USD": "5"}),
    Row("04-02", {"USD": "2.5"}, uses(5)),  # low
    Row("05-10", {"USD": "22.5"}, tops_up(20)),
    Row("05-11", {"USD": "17.5"}, uses(10)),
    Row("06-01", {"USD": "47.5"}, _is_given_a_month),
    Row("06-15", {"USD": "7.5"}, holds(40, seconds=20 * DAY)),
    # The gift expires under the hold, which stands; then the hold does.
    Row("07-01", {"USD": "-22.5"}),
    Row("07-06", {"USD": "17.5"}),
    Row("08-01", {"USD": "-2.5"}, uses(40)),  # low; usage is billed in full
    Row("09-01", {"USD": "7.5"}, tops_up(10)),
    Row("12-31", {"USD": "7.5"}),
    # Bought credit lasts for a year. What was bought in May is used up.
    Row("1-05-20", {"USD": "7.5"}),
    Row("1-09-02", {"USD": "0"}),  # low
]


async def test_a_year_of_prepaid_credit(rest: httpx.AsyncClient) -> None:
    life = Life([rest])
    await life.begin("01-01", hour=0)
    await life.live(PREPAID)
    notices = (await life.ask("GET", "/notices?limit=100"))["items"]
    noticed = [one["created_at"][:10] for one in notices if one["kind"] == "balance.low"]
    lows = ("1-08-31" if _leaps(life.year + 1) else "1-09-01", "08-01", "04-02")
    assert noticed == [life.on(day)[:10] for day in lows]
    assert (await life.ask("GET", "/ledger/verify"))["ok"]


@pytest.mark.slow
async def test_a_year_of_prepaid_credit_with_two_processes(
    database_url: str, tmp_path: Path
) -> None:
    with serving(database_url, tmp_path, processes=2) as [first, second]:
        async with first.client() as here, second.client() as there:
            life = Life([here, there])
            await life.begin("01-01", hour=0)
            await life.live(PREPAID)
            verified = await life.ask("GET", "/ledger/verify")
    # Four gifts with the first credit, two top-ups, one activation, three expiries.
    assert verified["checked"]["ledger_transactions"] == 10
    verify_by_command(database_url, tmp_path)


def _leaps(year: int) -> bool:
    """Whether 365 days from a September before end a day early."""
    return year % 4 == 0
