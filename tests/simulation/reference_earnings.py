"""What the simulated business earned and paid: one fact per event, charge and cost, no rollups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from tests.simulation import catalogue, operations
from tests.simulation.reference_prices import rounded
from tests.simulation.reference_wallet import NONE, Account

Amounts = dict[str, tuple[Fraction, Fraction]]
"""Revenue and cost by currency; what is neither is left out."""


@dataclass(frozen=True)
class Fact:
    customer: str
    day: date
    currency: str
    revenue: Fraction = NONE
    cost: Fraction = NONE
    category: str | None = None
    event: str | None = None


def sold_for(asset: str) -> Fraction | None:
    """USD per unit, of an asset that is not worth its face value."""
    rate = catalogue.CREDIT_RATES.get(asset)
    return None if rate is None else Fraction(rate)


def earned(account: Account, asset: str, amount: Fraction) -> dict[str, Fraction]:
    """What taking `amount` out of an account earns, to the nano."""
    usd, face = account.value(amount, sold_for(asset))
    sums = Counter({"USD": rounded(usd, 9)})
    sums[asset] += face
    return dict(sums)


def costs_of(event: operations.Event, known: set[str]) -> list[tuple[operations.Cost, bool]]:
    """Each cost with whether it counts; `known` grows. An id twice in one event is one cost."""
    once = {cost.id: cost for cost in reversed(event.costs)}
    in_order = [cost for cost in event.costs if once[cost.id] is cost]
    counted = [(cost, cost.id not in known) for cost in in_order]
    known.update(once)
    return counted


def amounts(facts: Iterable[Fact]) -> Amounts:
    sums: Amounts = {}
    for fact in facts:
        revenue, cost = sums.get(fact.currency, (NONE, NONE))
        sums[fact.currency] = revenue + fact.revenue, cost + fact.cost
    return {code: both for code, both in sums.items() if any(both)}


def shown(stats: dict[str, Any] | None) -> Amounts:
    """The same, of an answer of the real system, whose own arithmetic is checked here."""
    found: Amounts = {}
    for one in [stats, *(stats.get("other_currencies") or ())] if stats else ():
        revenue, cost = Fraction(one["gross_revenue"]), Fraction(one["total_costs"])
        net = revenue - cost
        assert Fraction(one["net_revenue"]) == net
        margin = net * 100 / abs(revenue) if revenue else Fraction(-100 if net < 0 else 0)
        assert Fraction(one["margin"]) == rounded(margin, 4)
        found[one["currency"]] = revenue, cost
    for one in (stats or {}).get("unpriced") or ():
        found[one["asset"]] = Fraction(one["amount"]), NONE
    return {code: both for code, both in found.items() if any(both)}
