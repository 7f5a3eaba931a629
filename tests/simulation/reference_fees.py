"""Which account pays what for an event: running counts, and the choice between assets."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from fractions import Fraction
from typing import Any

from tests.simulation import catalogue
from tests.simulation.reference_prices import Refused, entry_for, fee, period_of, volume_of
from tests.simulation.reference_wallet import NONE, Customer, collected_from

Option = tuple[tuple[str, str], Fraction]
"""Name and asset of the account that could pay, and what."""


def options_of(
    customer: Customer,
    key: tuple[str, str],
    price: dict[str, Any],
    data: dict[str, Any],
    moment: datetime,
) -> list[Option]:
    """The fee in each asset in which the price can be paid; a counted usage is counted."""
    volume = volume_of(price, data)
    found = [(item["asset"], entry_for(item["values"], data)) for item in price["pricing"]]
    entries = [(asset, *entry) for asset, entry in found if entry is not None]
    if volume is None or not entries:
        return []
    before, after = (NONE, NONE), (Fraction(1), volume)
    period = period_of(price, moment)
    if period is not None:
        counter = (*key, entries[0][1], period)
        before = customer.counts.get(counter, before)
        after = customer.counts[counter] = (before[0] + 1, before[1] + volume)
    options = []
    for asset, _, values in entries:
        account = collected_from(price), asset
        amount = fee(price, values, before, after, catalogue.SCALES[asset])
        if abs(amount) > customer.account(*account).limit:
            raise Refused("amount_out_of_range")
        options.append((account, amount))
    return options


def chosen(
    customer: Customer, options: list[Option], owed: Counter[tuple[str, str]]
) -> list[Option]:
    """The first listed asset that can cover the fee, else the first listed; a credit needs no
    cover."""
    for account, amount in options:
        if amount <= 0 or customer.account(*account).available - owed[account] >= amount:
            return [(account, amount)]
    return options[:1]
