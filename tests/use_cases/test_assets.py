"""Assets: codes, rates in time, and quotes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import Conflict, InvalidRequest, NotFound, UnknownReference
from credyt_mcp.use_cases.assets import (
    add_asset_rate,
    create_asset,
    get_asset,
    list_assets,
    quote_asset,
)
from tests.conftest import NOW, Call

CREDITS: dict[str, Any] = {
    "code": "credits",
    "name": "Credits",
    "rates": [{"source": "USD", "rate": "0.05"}],
}


async def test_a_quote_divides_money_by_the_rate(call: Call) -> None:
    await call(create_asset, **CREDITS)
    for dollars, bought in ((1, 20), (10, 200), (50, 1000)):
        quote = await call(quote_asset, asset_code="credits", source="usd", amount=dollars)
        assert quote.destination_amount == bought
        assert (quote.rate, quote.inverse_rate) == (Decimal("0.05"), 20)


async def test_a_new_rate_rules_at_once_and_the_past_keeps_its_own(
    call: Call, clock: FrozenClock
) -> None:
    await call(create_asset, **CREDITS)
    clock.advance(timedelta(days=1))
    await call(add_asset_rate, asset_code="credits", source="USD", rate="0.04")
    ask = {"asset_code": "credits", "source": "USD", "amount": 1}
    assert (await call(quote_asset, **ask)).destination_amount == 25
    assert (await call(quote_asset, **ask, exchange_at=NOW)).destination_amount == 20
    schedule = (await call(get_asset, asset_code="credits")).rates[0].schedule
    assert [entry.valid_to for entry in schedule] == [None, NOW + timedelta(days=1)]


async def test_a_rate_with_an_end_only_interrupts_the_one_before(
    call: Call, clock: FrozenClock
) -> None:
    await call(create_asset, **CREDITS)
    sale_ends = NOW + timedelta(days=2)
    await call(add_asset_rate, asset_code="credits", source="USD", rate="0.01", valid_to=sale_ends)
    ask = {"asset_code": "credits", "source": "USD", "amount": 1}
    clock.advance(timedelta(days=1))
    assert (await call(quote_asset, **ask)).destination_amount == 100
    clock.advance(timedelta(days=1))
    assert (await call(quote_asset, **ask)).destination_amount == 20


async def test_rates_planned_for_later_rule_from_their_start(
    call: Call, clock: FrozenClock
) -> None:
    """Quotes look ahead and back; the schedule says what will be in force, however it was built."""
    await call(create_asset, **CREDITS)
    days = [NOW + timedelta(days=day) for day in range(31)]
    for rate, start in (("0.02", 20), ("0.04", 10), ("0.10", 30)):
        await call(
            add_asset_rate, asset_code="credits", source="USD", rate=rate, valid_from=days[start]
        )
    await call(
        add_asset_rate,
        asset_code="credits",
        source="USD",
        rate="0.01",
        valid_from=days[12],
        valid_to=days[14],
    )
    await call(add_asset_rate, asset_code="credits", source="EUR", rate="0.5", valid_from=days[5])
    bought = {0: 20, 9: 20, 10: 25, 11: 25, 12: 100, 13: 100, 14: 25, 19: 25, 20: 50, 30: 10}
    ask = {"asset_code": "credits", "source": "USD", "amount": 1}
    for day, units in bought.items():
        quote = await call(quote_asset, **ask, exchange_at=days[day])
        assert quote.destination_amount == units, day
    dollars, euros = sorted(
        (await call(get_asset, asset_code="credits")).rates, key=lambda rates: -len(rates.schedule)
    )
    assert [(entry.rate, entry.valid_from, entry.valid_to) for entry in dollars.schedule] == [
        (Decimal("0.1"), days[30], None),
        (Decimal("0.02"), days[20], days[30]),
        (Decimal("0.01"), days[12], days[14]),
        (Decimal("0.04"), days[10], days[20]),
        (Decimal("0.05"), NOW, days[10]),
    ]
    assert len(euros.schedule) == 1
    clock.advance(timedelta(days=12))
    assert (await call(quote_asset, **ask)).destination_amount == 100
    with pytest.raises(InvalidRequest, match="no EUR rate"):
        await call(quote_asset, **{**ask, "source": "EUR"}, exchange_at=NOW)


async def test_a_code_is_taken_in_any_case_and_by_every_currency(call: Call) -> None:
    await call(create_asset, **CREDITS)
    for code in ("credits", "CREDITS", "USD", "eur"):
        with pytest.raises(Conflict):
            await call(create_asset, **{**CREDITS, "code": code})
    assert [item.code for item in (await call(list_assets)).items] == ["credits"]


async def test_of_many_who_create_a_code_at_once_one_does(call: Call) -> None:
    answers = await asyncio.gather(
        *(call(create_asset, **CREDITS) for _ in range(8)), return_exceptions=True
    )
    assert sum(isinstance(answer, Conflict) for answer in answers) == 7


async def test_what_cannot_be_quoted_says_why(call: Call) -> None:
    await call(create_asset, code="points", name="Points")
    with pytest.raises(InvalidRequest, match="no USD rate"):
        await call(quote_asset, asset_code="points", source="USD", amount=1)
    with pytest.raises(UnknownReference):
        await call(quote_asset, asset_code="points", source="gold", amount=1)
    with pytest.raises(NotFound):
        await call(quote_asset, asset_code="nothing", source="USD", amount=1)
