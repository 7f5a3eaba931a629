"""A price for a target margin: worked out where revenue follows the price, and then replayed.

Revenue is all but a straight line in a factor on every price, not quite: fees are rounded, clamped,
and paid with credit that was bought at several prices. So what the line says is rounded up, tried,
and corrected until a replay reaches the target.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext

from pydantic import TypeAdapter

from credyt_mcp.domain.assets import currency, is_currency
from credyt_mcp.domain.bill_shock import rounded_up
from credyt_mcp.domain.costs import margin
from credyt_mcp.domain.margins import Earned
from credyt_mcp.domain.money import EXACT, from_units
from credyt_mcp.domain.replays import Outcome
from credyt_mcp.use_cases.product_fields import ShownPrices
from credyt_mcp.use_cases.replay_fields import SuggestedPrice
from credyt_mcp.use_cases.replay_terms import Terms, only_rate, scaled
from credyt_mcp.use_cases.replaying import amounts

TRIES = 6
_PRICES: TypeAdapter[ShownPrices] = TypeAdapter(ShownPrices)

Replayed = Callable[[list[dict[str, object]]], Outcome]
"""What usage comes to under prices in the shape in which rows keep them."""


def suggest(
    terms: Terms, target: Decimal, outcome: Outcome, standing: Earned, replayed: Replayed
) -> SuggestedPrice:
    """`outcome` is what the prices of `terms` came to; `target` is in percent."""
    code, reason = _currency(outcome, standing)
    if reason is not None:
        return SuggestedPrice(target_margin=target, reached=False, reason=reason)
    with localcontext(EXACT):
        needed = Decimal(outcome.costs[code]) / (1 - target / 100)
        factor = _factor(needed, Decimal(1), outcome, standing, code)
        if factor is None or factor <= 0:
            why = (
                "these prices charged nothing that could be raised"
                if factor is None
                else "the rest of the revenue reaches the target, however cheap usage is"
            )
            return SuggestedPrice(target_margin=target, reached=False, reason=why)
        tried = rounded_up(factor)
        for _ in range(TRIES):
            prices = scaled(terms.definitions, tried)
            found = replayed(prices)
            revenue, costs = amounts(found.replayed.revenue, standing, found.costs)[code]
            if margin(revenue, revenue - costs) >= target:
                return _found(terms, target, tried, prices, revenue, revenue - costs, code)
            better = _factor(needed, tried, found, standing, code)
            tried = rounded_up(max(better or tried, tried * Decimal("1.01")))
    why = f"usage at {tried}-fold prices is still not enough: it is paid with credit that earns"
    return SuggestedPrice(target_margin=target, reached=False, reason=f"{why} little or nothing")


def _currency(outcome: Outcome, standing: Earned) -> tuple[str, str | None]:
    """The one currency of revenue and costs, or why there is no answer."""
    codes = amounts(outcome.replayed.revenue, standing, outcome.costs).keys()
    custom = sorted(code for code in codes if not is_currency(code))
    if custom:
        return "", f"{custom[0]} has no rate, so nobody can say what it earns"
    if not any(outcome.costs.values()):
        return "", "no costs were recorded in the stretch"
    if len(codes) > 1:
        return "", f"revenue and costs are in several currencies: {', '.join(sorted(codes))}"
    return next(iter(codes)), None


def _factor(
    needed: Decimal, tried: Decimal, outcome: Outcome, standing: Earned, code: str
) -> Decimal | None:
    """By which the prices would earn what is needed, if `outcome` came of `tried`."""
    own = outcome.own.revenue.get(code, 0)
    others = outcome.replayed.revenue.get(code, 0) - own + standing.get(code, 0)
    return (needed - others) / own * tried if own > 0 else None


def _found(
    terms: Terms,
    target: Decimal,
    factor: Decimal,
    prices: list[dict[str, object]],
    revenue: int,
    net: int,
    code: str,
) -> SuggestedPrice:
    asset = currency(code)
    assert asset is not None
    alone, same = only_rate(prices), only_rate(terms.definitions)
    usage = next(one for one in prices if one["type"] == "usage_based")
    one = {}
    if alone is not None and same is not None:
        (value, name), (before, _) = alone, same
        one = {"price_name": usage["name"], "field": name}
        one |= {"was": Decimal(before[name]), "value": value[name]}
    return SuggestedPrice(
        target_margin=target,
        reached=True,
        factor=None if one else factor,
        margin=margin(revenue, net),
        gross_revenue=from_units(revenue, asset),
        prices=_PRICES.validate_python(prices),
        **one,
    )
