"""What vendors billed beside what was recorded, the difference in classes, and its booking."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from itertools import groupby
from typing import Any

import anyio
from sqlmodel import Session

from credyt_mcp.domain.assets import currency as currency_of
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.domain.money import Asset, from_units
from credyt_mcp.domain.reconciliations import Classes, Recorded, Row, settle_timing
from credyt_mcp.domain.true_ups import BookTrueUp, TrueUpPlace
from credyt_mcp.domain.vendor_bills import WHOLE, without_tier
from credyt_mcp.errors import InvalidRequest, UnknownReference
from credyt_mcp.storage import true_ups, vendor_bills, vendors
from credyt_mcp.use_cases import price_table
from credyt_mcp.use_cases.billed_usage import BilledUsage, VendorDay
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.long_work import EVENTS_MAX, Step, patiently
from credyt_mcp.use_cases.reconciliation_fields import (
    BilledPeriod,
    CostsTruedUp,
    DifferenceClasses,
    GroupBy,
    ReconcileCosts,
    Reconciled,
    ReconciledRow,
    Reconciliation,
    TrueUpBooked,
    TrueUpCosts,
    WithoutBill,
)
from credyt_mcp.use_cases.recorded_usage import Place, RecordedUsage
from credyt_mcp.use_cases.recording import INTERNAL, add_internal

EPOCH = date(1970, 1, 1)
DAYS_MAX = 400
NO_BILLS = "No bills are imported yet: `credyt-mcp reconcile FILE`, or POST /vendor-bills."
AT_ONCE = 200

Progress = Callable[[int, int], None]
"""Called when another event was walked, with how many there are."""


@dataclass
class Found:
    """Rows of the days asked for, in the order of vendor, model and day."""

    first: int
    last: int
    rows: list[tuple[Place, Row, VendorDay]] = field(default_factory=list)
    without_bill: list[tuple[Place, Recorded]] = field(default_factory=list)
    booked: dict[Place, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


async def reconcile_costs(billing: Billing, command: ReconcileCosts) -> Reconciliation:
    """Raises InvalidRequest, UnknownReference (vendor), TooMany."""

    def work(step: Step) -> Reconciliation:
        return reconciliation(billing, command, lambda count, _: step(count), EVENTS_MAX)

    return await patiently(work)


def reconciliation(
    billing: Billing, command: ReconcileCosts, progress: Progress, at_most: int | None = None
) -> Reconciliation:
    """The same in the caller's own thread, of any number of events if `at_most` is None."""
    found = compared(billing, command, progress, at_most)
    return _shown(billing, found, command.group_by)


async def true_up_costs(billing: Billing, command: TrueUpCosts) -> CostsTruedUp:
    """Idempotent: what is booked is set to what is billed beyond what was recorded. Usage that was
    only counted, and days of which every bill was withdrawn, are set to nothing."""

    def work(step: Step) -> Found:
        return compared(billing, command, lambda count, _: step(count), EVENTS_MAX)

    return await book_true_ups(billing, await patiently(work), reverse=command.reverse)


async def book_true_ups(billing: Billing, found: Found, *, reverse: bool) -> CostsTruedUp:
    """Set what is booked for the rows found, or take it back."""
    wanted = dict.fromkeys(found.booked, 0)
    if not reverse:
        rows = ((place, row) for place, row, day in found.rows if not day.estimated)
        wanted |= {place: row.difference for place, row in rows}
    places = [(place, units) for place, units in sorted(wanted.items())]
    added: dict[Place, int] = {}
    due = [(place, units) for place, units in places if units or place in found.booked]
    if due:
        await anyio.to_thread.run_sync(add_internal, billing)
    for start in range(0, len(due), AT_ONCE):
        some = due[start : start + AT_ONCE]
        await asyncio.gather(*(_book(billing, place, units, added) for place, units in some))
    return CostsTruedUp(
        period_from=_date(found.first),
        period_to=_date(found.last),
        changed=sum(1 for units in added.values() if units),
        unchanged=sum(1 for place, _ in places if not added.get(place)),
        amounts=_booked(dict(places), added),
        warnings=found.warnings,
    )


async def _book(billing: Billing, place: Place, units: int, added: dict[Place, int]) -> None:
    tenant_id = billing.tenant.id
    ref = CustomerRef(tenant_id, None, INTERNAL)
    of = TrueUpPlace(tenant_id, place.day, place.vendor, place.model, place.currency)
    added[place] = await billing.lane.submit(BookTrueUp(ref, of, _asset(place.currency), units))


def _booked(wanted: dict[Place, int], added: dict[Place, int]) -> list[TrueUpBooked]:
    amounts = []
    for code in sorted({place.currency for place in wanted}):
        asset = _asset(code)
        own = [place for place in wanted if place.currency == code]
        amounts.append(
            TrueUpBooked(
                currency=code,
                added=from_units(sum(added.get(place, 0) for place in own), asset),
                booked=from_units(sum(wanted[place] for place in own), asset),
            )
        )
    return amounts


def compared(
    billing: Billing, command: BilledPeriod, progress: Progress, at_most: int | None
) -> Found:
    """Walk what was recorded and set it against what was billed. Raises InvalidRequest,
    UnknownReference (vendor), TooMany."""
    tenant_id = billing.tenant.id
    with billing.database.read() as session:
        vendor = _vendor(session, tenant_id, command.vendor_id)
        bounds = vendor_bills.bounds(session, tenant_id)
    first, last = _period(billing, command, bounds)
    # A day more on both sides, since calls next to midnight may be on either.
    recorded = RecordedUsage(billing, first - 1, last + 1, vendor)
    recorded.walk(at_most, progress)
    with billing.database.read() as session:
        usage = BilledUsage(billing, session)
        days = usage.days(first - 1, last + 1, vendor)
        recorded.reprice(session, partial(_needs_repricing, days))
        places = _aligned(recorded.places, days)
        booked = true_ups.booked(session, tenant_id, first, last, vendor)
    rows = _rows(places, days)
    found = Found(first, last)
    found.rows = [row for row in rows if first <= row[0].day <= last]
    found.without_bill = [
        (place, of)
        for place, of in sorted(recorded.places.items())
        if (place.vendor, place.day) not in days and first <= place.day <= last
    ]
    found.booked = {
        Place(vendor, day, code, model): units
        for (day, vendor, model, code), units in booked.items()
    }
    found.warnings = _warnings(found, usage, bounds)
    return found


def _needs_repricing(days: dict[tuple[str, int], VendorDay], place: Place) -> bool:
    """Where a bill has no quantities, prices that changed cannot be told from it alone."""
    day = days.get((place.vendor, place.day))
    return day is not None and any(
        bill.quantity is None for groups in day.models.values() for bill in groups.values()
    )


def _aligned(
    recorded: dict[Place, Recorded], days: dict[tuple[str, int], VendorDay]
) -> dict[Place, Recorded]:
    """What was recorded, told apart as the bills of its days are."""
    found: dict[Place, Recorded] = {}
    for place, of in recorded.items():
        day = days.get((place.vendor, place.day))
        if day is None:
            continue
        if day.in_all and place.model:
            place = place._replace(model="")
        elif place.model and "search" in day.models.get((place.currency, ""), {}):
            _move_searches(of, found.setdefault(place._replace(model=""), Recorded()))
        if place in found:
            found[place].merge(of)
        else:
            found[place] = of
    for place, of in found.items():
        day = days[place.vendor, place.day]
        if WHOLE in day.models.get((place.currency, place.model), {}):
            of.regroup(lambda _: WHOLE)
        elif not day.tiers:
            of.regroup(without_tier)
    return found


def _move_searches(of: Recorded, to: Recorded) -> None:
    """Searches are billed apart from the model that asked for them."""
    used = of.groups.pop("search", None)
    if used is not None:
        to.of("search").merge(used)
        units = round(used.amount)
        to.units += units
        of.units -= units


def _rows(
    recorded: dict[Place, Recorded], days: dict[tuple[str, int], VendorDay]
) -> list[tuple[Place, Row, VendorDay]]:
    places = set(recorded)
    for (vendor, day), billed in days.items():
        places |= {Place(vendor, day, code, model) for code, model in billed.models}
    rows = []
    for place in sorted(places, key=_order):
        billed = days[place.vendor, place.day]
        groups = billed.models.get((place.currency, place.model), {})
        rows.append((place, Row(groups, recorded.get(place, Recorded())), billed))
    for _, same in groupby(rows, key=lambda row: row[0]._replace(day=0)):
        settle_timing((place.day, row) for place, row, _ in same)
    return rows


def _order(place: Place) -> tuple[Any, ...]:
    return place.vendor, place.currency, place.model, place.day


def _period(
    billing: Billing, command: BilledPeriod, bounds: tuple[int, int] | None
) -> tuple[int, int]:
    today = (billing.now().date() - EPOCH).days
    billed_from, billed_to = bounds or (today, today)
    last = billed_to if command.period_to is None else (command.period_to - EPOCH).days
    if command.period_from is None:
        first = min(last, max(billed_from, last - DAYS_MAX + 1))
    else:
        first = (command.period_from - EPOCH).days
    if last < first:
        raise InvalidRequest("period_to", "must not be before period_from")
    if last - first >= DAYS_MAX:
        raise InvalidRequest("period_from", f"must be less than {DAYS_MAX} days before period_to")
    return first, last


def _vendor(session: Session, tenant_id: int, name: str | None) -> str | None:
    if name is None:
        return None
    row = vendors.find(session, tenant_id, name)
    row = row or vendors.find(session, tenant_id, price_table.canonical(name))
    if row is None:
        raise UnknownReference("vendor_id", f"there is no vendor '{name}'")
    return row.public_id


def _warnings(found: Found, usage: BilledUsage, bounds: tuple[int, int] | None) -> list[str]:
    said = []
    if bounds is None:
        said.append(NO_BILLS)
    elif not found.rows:
        said.append(f"There are bills of {_date(bounds[0])} to {_date(bounds[1])} only.")
    if usage.not_valued:
        names = ", ".join(f"'{name}'" for name in sorted(usage.not_valued)[:10])
        said.append(
            f"Usage without a bill or a price is in no sum: {names}. Import the bill, or "
            "PUT /llm-prices."
        )
    if any(day.estimated for _, _, day in found.rows):
        said.append("Rows marked `estimated` are counted usage at known prices, not a bill.")
    if any(row.recorded.unpriced for _, row, _ in found.rows):
        said.append("Some recorded calls have no price: GET /costs/unpriced, POST /costs/reprice.")
    places = {place for place, _, _ in found.rows}
    if any(place not in places for place in found.booked):
        said.append("True-ups are booked on days without a bill; booking again takes them back.")
    return said


@dataclass
class _Sums:
    billed: int = 0
    recorded: int = 0
    internal: int = 0
    true_up: int = 0
    calls: int = 0
    unpriced: int = 0
    classes: Classes = field(default_factory=dict)
    priced_by: set[str] = field(default_factory=set)
    estimated: bool = False

    def add(self, row: Row, classes: Classes, true_up: int) -> None:
        self.billed += row.billed_units
        self.recorded += row.recorded.units
        self.internal += row.recorded.internal
        self.true_up += true_up
        self.calls += row.recorded.calls
        self.unpriced += row.recorded.unpriced
        self.priced_by |= row.recorded.priced_by
        for name, units in classes.items():
            self.classes[name] = self.classes.get(name, 0) + units

    def shown(self, code: str) -> dict[str, Any]:
        asset = _asset(code)
        difference = self.billed - self.recorded
        classes = {name: from_units(units, asset) for name, units in self.classes.items() if units}
        return {
            "currency": code,
            "billed": from_units(self.billed, asset),
            "recorded": from_units(self.recorded, asset),
            "difference": from_units(difference, asset),
            "classes": DifferenceClasses(**classes),
            "true_up": from_units(self.true_up, asset),
            "open": from_units(difference - self.true_up, asset),
            "internal": from_units(self.internal, asset),
            "calls": self.calls,
            "unpriced_calls": self.unpriced,
        }


def _shown(billing: Billing, found: Found, group_by: GroupBy) -> Reconciliation:
    rows: dict[tuple[str, str, str | None, int | None], _Sums] = {}
    totals: dict[str, _Sums] = {}
    for place, row, day in found.rows:
        key = (
            place.vendor,
            place.currency,
            None if group_by == "vendor" else place.model,
            place.day if group_by == "day" else None,
        )
        classes, true_up = row.classes(), found.booked.get(place, 0)
        for sums in (rows.setdefault(key, _Sums()), totals.setdefault(place.currency, _Sums())):
            sums.add(row, classes, true_up)
            sums.estimated |= day.estimated
    named = {place.vendor for place, _, _ in found.rows}
    named |= {place.vendor for place, _ in found.without_bill}
    names = billing.vendors.read(billing.tenant.id, named)
    return Reconciliation(
        period_from=_date(found.first),
        period_to=_date(found.last),
        rows=[
            ReconciledRow(
                vendor_id=vendor,
                vendor_external_id=names[vendor][1],
                model=model or None,
                day=None if day is None else _date(day),
                estimated=sums.estimated or None,
                priced_by=sorted(sums.priced_by),
                **sums.shown(code),
            )
            for (vendor, code, model, day), sums in rows.items()
        ],
        totals=[Reconciled(**sums.shown(code)) for code, sums in sorted(totals.items())],
        without_bill=list(_without_bill(found.without_bill, names)),
        warnings=found.warnings,
    )


def _without_bill(
    places: Iterable[tuple[Place, Recorded]], names: dict[str, tuple[str, str | None]]
) -> Iterator[WithoutBill]:
    sums: dict[tuple[str, str], tuple[int, set[int]]] = {}
    for place, recorded in places:
        units, days = sums.get((place.vendor, place.currency), (0, set[int]()))
        sums[place.vendor, place.currency] = units + recorded.units, days | {place.day}
    for (vendor, code), (units, days) in sorted(sums.items()):
        yield WithoutBill(
            vendor_id=vendor,
            vendor_external_id=names[vendor][1],
            currency=code,
            recorded=from_units(units, _asset(code)),
            days=len(days),
        )


def _asset(code: str) -> Asset:
    found = currency_of(code)
    assert found is not None, "costs are in currencies"
    return found


def _date(day: int) -> date:
    return EPOCH + timedelta(days=day)
