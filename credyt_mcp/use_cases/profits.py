"""How revenue and cost read: one currency first, the others beside it, nothing converted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated

from pydantic import Field

from credyt_mcp.domain.assets import currency
from credyt_mcp.domain.costs import main_currency, profit
from credyt_mcp.domain.money import Asset, from_units
from credyt_mcp.use_cases.context import Number, Result

Amounts = Mapping[str, tuple[int, int]]
"""Revenue and cost in ledger units, by currency or code of a custom asset."""


class CurrencyProfit(Result):
    gross_revenue: Number
    total_costs: Number
    net_revenue: Number
    margin: Annotated[Number, Field(description="net as a percentage of gross revenue")]
    currency: str


class UnpricedUsage(Result):
    """Usage beyond a customer's credit, in an asset that had no rate to value it at."""

    asset: str
    amount: Number


class Profitability(CurrencyProfit):
    """In USD, unless all amounts are in one other currency."""

    other_currencies: list[CurrencyProfit] | None = None
    unpriced: list[UnpricedUsage] | None = None
    unpriced_calls: Annotated[
        int | None, Field(description="model calls whose cost is not in here, see /costs/unpriced")
    ] = None


def profitability(
    amounts: Amounts, find_asset: Callable[[str], Asset | None], unpriced_calls: int = 0
) -> Profitability:
    """`find_asset` is asked for custom assets."""
    money = {code: both for code, both in amounts.items() if currency(code) is not None}
    first = main_currency(money)
    unpriced = [
        UnpricedUsage(asset=code, amount=from_units(amounts[code][0], _known(find_asset(code))))
        for code in sorted(amounts.keys() - money.keys())
        if amounts[code][0]
    ]
    others = [_profit(code, money[code]) for code in sorted(money.keys() - {first})]
    return Profitability(
        **_profit(first, money.get(first, (0, 0))).model_dump(),
        other_currencies=others or None,
        unpriced=unpriced or None,
        unpriced_calls=unpriced_calls or None,
    )


def added(parts: Iterable[tuple[str, int, int]]) -> dict[str, tuple[int, int]]:
    """Amounts from (code, revenue, cost) parts."""
    sums: dict[str, tuple[int, int]] = {}
    for code, revenue, costs in parts:
        earned, spent = sums.get(code, (0, 0))
        sums[code] = earned + revenue, spent + costs
    return sums


def _profit(code: str, amounts: tuple[int, int]) -> CurrencyProfit:
    return CurrencyProfit(**profit(*amounts, _known(currency(code)))._asdict())


def _known(asset: Asset | None) -> Asset:
    assert asset is not None, "amounts are in assets that exist"
    return asset
