"""What vendors billed on each day, put together from the bills and exports that count for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from sqlmodel import Session

from credyt_mcp.clock import DAY, from_micros
from credyt_mcp.domain.llm_pricing import Unpriced, base_line
from credyt_mcp.domain.money import FIAT_SCALE
from credyt_mcp.domain.reconciliations import Billed
from credyt_mcp.domain.vendor_bills import (
    COST,
    DECIMALS_MAX,
    REQUESTS,
    WHOLE,
    part_of,
    without_tier,
)
from credyt_mcp.storage import vendor_bills
from credyt_mcp.storage.bill_tables import BilledDayRow
from credyt_mcp.use_cases import price_table
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.llm_costs import CURRENCY, rates_of

NANOS = 10**FIAT_SCALE
_AS_CLASS = {
    "input": "input_uncached",
    "cache_read": "input_cached_read",
    "cache_write": "cache_write_other",
    "output": "output_text",
    "search": "web_searches",
}
"""What a group is priced as where an export does not say it more exactly."""

Groups = dict[str, Billed]


@dataclass
class VendorDay:
    """By currency and model. `in_all`: the bill is one sum for all models. `tiers`: the vendor's
    bills tell tiers apart."""

    models: dict[tuple[str, str], Groups] = field(default_factory=dict)
    in_all: bool = False
    tiers: bool = False
    estimated: bool = False

    def of(self, currency: str, model: str) -> Groups:
        return self.models.setdefault((currency, model), {})


class BilledUsage:
    """Vendors' days from `first` to `last`, counted since 1970, by vendor (public id) and day."""

    def __init__(self, billing: Billing, session: Session) -> None:
        self._billing, self._session = billing, session
        self.not_valued: set[str] = set()

    def days(self, first: int, last: int, vendor: str | None) -> dict[tuple[str, int], VendorDay]:
        rows = vendor_bills.in_force(self._session, self._billing.tenant.id, first, last, vendor)
        by_day: dict[tuple[str, int], list[BilledDayRow]] = {}
        for row in rows:
            by_day.setdefault((row.vendor, row.day), []).append(row)
        tiers = {row.vendor for row in rows if row.kind == COST and _tells_tiers(row)}
        found = {place: self._day(of_day, place[0] in tiers) for place, of_day in by_day.items()}
        return {place: day for place, day in found.items() if day is not None}

    def _day(self, rows: list[BilledDayRow], tiers: bool) -> VendorDay | None:
        costs = [row for row in rows if row.kind == COST]
        usage = [row for row in rows if row.kind != COST]
        if not costs:
            return self._valued(usage)
        day = VendorDay(tiers=tiers)
        for row in costs:
            for model, name, tier, code, amount, quantity, lines in row.lines:
                if name == REQUESTS:
                    continue
                part = part_of(name, tier if tiers else None)
                bill = day.of(code, model).setdefault(part, Billed())
                tolerance = Fraction(lines * 10 ** (DECIMALS_MAX - row.decimals), 2)
                counted = None if quantity is None else Fraction(Decimal(quantity))
                bill.add(Fraction(Decimal(amount)) * NANOS, counted, tolerance)
        day.in_all = bool(day.models) and all(
            model == "" and set(groups) <= {WHOLE} for (_, model), groups in day.models.items()
        )
        _take_quantities(day, usage)
        for groups in day.models.values():
            if WHOLE in groups:
                _as_one(groups)
        return day

    def _valued(self, rows: list[BilledDayRow]) -> VendorDay | None:
        """Usage without a bill, by the prices that are known now; None if none of it has any."""
        day = VendorDay(estimated=True, tiers=any(map(_tells_tiers, rows)))
        valued = not any(row.lines for row in rows)
        for row in rows:
            for model, name, tier, _, _, quantity, _ in row.lines:
                if name == REQUESTS or not quantity:
                    continue
                amount = self._worth(row, model, name, tier, Decimal(quantity))
                if amount is None:
                    continue
                valued = True
                groups = day.of(CURRENCY, model)
                part = part_of(name, tier if day.tiers else None)
                bill = groups.setdefault(part, Billed())
                bill.add(amount, Fraction(Decimal(quantity)), Fraction(1, 2))
        return day if valued else None

    def _worth(
        self, row: BilledDayRow, model: str, name: str, tier: str, quantity: Decimal
    ) -> Fraction | None:
        known = self._billing.vendors.read(row.tenant_id, {row.vendor})[row.vendor]
        provider = price_table.canonical(known[1] or "")
        moment = from_micros(row.day * DAY + DAY // 2)
        try:
            rates = rates_of(self._session, row.tenant_id, provider, model, moment, tier or None)
            line = base_line(_AS_CLASS.get(name, name), quantity, rates)
        except Unpriced:
            self.not_valued.add(model or provider)
            return None
        worth: Fraction = Fraction(line.quantity) * Fraction(line.rate) * NANOS / line.per
        return worth


def _take_quantities(day: VendorDay, usage: list[BilledDayRow]) -> None:
    """An export of usage counts all of a model's tokens; lines of a bill need not. One that mixes
    tiers says nothing of a bill that does not."""
    mixed = day.tiers and not any(map(_tells_tiers, usage))
    counted: dict[str, dict[str, Fraction]] = {}
    for row in usage:
        for model, name, tier, _, _, quantity, _ in row.lines:
            if name != REQUESTS and quantity is not None:
                groups = counted.setdefault(model, {})
                group = part_of(name, tier if day.tiers else None)
                groups[group] = groups.get(group, Fraction(0)) + Fraction(Decimal(quantity))
    for (_, model), bills in day.models.items():
        if mixed and any(without_tier(group) != group for group in bills):
            continue
        for group, bill in bills.items():
            if model in counted and group != WHOLE:
                bill.quantity = counted[model].get(group, Fraction(0))


def _tells_tiers(row: BilledDayRow) -> bool:
    return any(tier for _, _, tier, *_ in row.lines)


def _as_one(groups: Groups) -> None:
    """One line that tells nothing apart hides what the others tell."""
    total = Billed(quantity=None)
    for bill in groups.values():
        total.add(bill.amount, None, bill.tolerance)
    groups.clear()
    groups[WHOLE] = total
