"""What a product version charges and grants apart from usage, in ledger units. Pure.

A fixed price that lists several assets is charged in the first one.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Literal, NamedTuple

from credyt_mcp.domain.assets import currency
from credyt_mcp.domain.grants import DEFAULT_PRIORITY
from credyt_mcp.domain.money import EXACT, Asset, round_units
from credyt_mcp.domain.periods import Every
from credyt_mcp.domain.prices import Entitlement, FixedPrice, RecurringBilling


class FixedFee(NamedTuple):
    """A fee for being subscribed; with `every` it recurs, without it is charged once."""

    name: str
    account_name: str
    asset: Asset
    units: int
    every: Every | None

    @property
    def by_card(self) -> bool:
        """Whether a payment provider collects it. A custom asset is taken from the wallet."""
        return currency(self.asset.code) is not None


class EntitlementTerms(NamedTuple):
    """Credit granted each period; without `refresh` once, to be used within one period."""

    name: str
    asset: Asset
    units: int
    purpose: str
    priority: int
    every: Every
    refresh: Literal["expire_and_replace", "rollover"] | None
    revenue_basis: Decimal | None

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same entitlement in another version of its product."""
        return self.name, self.asset.code


def fixed_fee(price: FixedPrice, find_asset: Callable[[str], Asset | None]) -> FixedFee:
    """Raises AmountOutOfRange when the sum does not fit."""
    chosen = price.pricing[0]
    asset = find_asset(chosen.asset)
    assert asset is not None, "prices are checked against assets when they are saved"
    with localcontext(EXACT):
        total = sum((value.unit_price * value.quantity for value in chosen.values), Decimal(0))
    every = None
    if isinstance(price.billing_model, RecurringBilling):
        terms = price.billing_model.recurring
        every = Every(terms.interval, terms.interval_count)
    return FixedFee(price.name, price.account_name, asset, round_units(total, asset), every)


def entitled(item: Entitlement, find_asset: Callable[[str], Asset | None]) -> EntitlementTerms:
    """Raises AmountOutOfRange when the amount does not fit."""
    asset = find_asset(item.asset)
    assert asset is not None, "entitlements are checked against assets when they are saved"
    lifecycle = item.lifecycle
    return EntitlementTerms(
        name=item.name,
        asset=asset,
        units=round_units(item.amount, asset),
        purpose=item.purpose,
        priority=DEFAULT_PRIORITY if item.priority is None else item.priority,
        every=Every(lifecycle.duration, lifecycle.duration_count),
        refresh=lifecycle.refresh.strategy if lifecycle.refresh is not None else None,
        revenue_basis=item.accounting.revenue_basis if item.accounting is not None else None,
    )
