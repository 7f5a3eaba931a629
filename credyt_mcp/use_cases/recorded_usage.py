"""What was recorded of each vendor, model and day, told apart as bills tell it apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from sqlmodel import Session

from credyt_mcp.clock import DAY, SECOND, from_micros
from credyt_mcp.domain.assets import currency
from credyt_mcp.domain.llm_pricing import Unpriced
from credyt_mcp.domain.llm_shapes import read_usage
from credyt_mcp.domain.llm_usage import Count, Reading, Unreadable
from credyt_mcp.domain.money import FIAT_SCALE, to_units
from credyt_mcp.domain.reconciliations import Recorded
from credyt_mcp.domain.vendor_bills import part_of
from credyt_mcp.errors import InvalidRequest, TooMany
from credyt_mcp.storage.recorded_costs import CostedEvent, RecordedCosts
from credyt_mcp.use_cases import price_table
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.llm_costs import price
from credyt_mcp.use_cases.recording import INTERNAL

NANOS = 10**FIAT_SCALE
ALL = 2**62
EDGE = 3600 * SECOND
"""Calls so near midnight may be on the other day of a bill: it counts them when they end."""
_MAY_HAVE_FAILED = ("failed", "aborted", "unknown", None)


class Place(NamedTuple):
    """What a row of a reconciliation is of; `day` counts since 1970, `vendor` is a public id."""

    vendor: str
    day: int
    currency: str
    model: str


class _Lines(NamedTuple):
    """Lines of calls that had one rate; of them only the sum is kept. `at` is when in the day."""

    place: Place
    token_class: str
    rate: Decimal
    per: int
    tier: str | None
    at: tuple[bool, bool]


class RecordedUsage:
    """Walks the costs of days `first` to `last`, counted since 1970. Use it in one thread."""

    def __init__(self, billing: Billing, first: int, last: int, vendor: str | None) -> None:
        self._billing = billing
        self._days = first, last
        self._vendor = vendor
        self.places: dict[Place, Recorded] = {}
        self._lines: dict[_Lines, Count] = {}
        self._samples: dict[_Lines, tuple[dict[str, Any], int]] = {}

    def walk(self, at_most: int | None, step: Callable[[int, int], None]) -> None:
        """`step` is told that another event was walked, and how many there are. Raises TooMany if
        there are more than `at_most`."""
        billing = self._billing
        max_age = billing.settings.event_max_age_days
        with RecordedCosts(billing.database, billing.tenant.id, *self._days, max_age) as costs:
            total = costs.count(ALL if at_most is None else at_most + 1)
            if at_most is not None and total > at_most:
                raise TooMany(
                    "period_from",
                    f"there are more than {at_most} events with costs to walk",
                    hint="Name fewer days, or use the command line: `credyt-mcp reconcile`.",
                )
            internal = costs.internal(INTERNAL)
            for event in costs.events():
                step(1, total)
                self._add_event(event, event.customer_id == internal)
        self._sum_up()

    def reprice(self, session: Session, wanted: Callable[[Place], bool]) -> None:
        """Note what the usage of `wanted` places costs more by the prices of now."""
        for lines, (cost, moment) in self._samples.items():
            if not wanted(lines.place):
                continue
            try:
                now = price(session, self._billing.tenant.id, cost, from_micros(moment))
            except (Unpriced, InvalidRequest):
                continue
            for line in now["llm"]["lines"]:
                if line["class"] == lines.token_class:
                    more = Fraction(line["rate"]) * NANOS / line["per"] - _each(lines)
                    used = self.places[lines.place].of(part_of(lines.token_class, lines.tier))
                    used.repriced += Fraction(self._lines[lines]) * more

    def _add_event(self, event: CostedEvent, internal: bool) -> None:
        counted = [cost for cost in event.costs if cost.get("counted", True)]
        calls = [cost for cost in counted if "llm" in cost]
        untried = dict(_untried(calls))
        for cost in counted:
            moment = cost.get("booked_at", event.occurred_at)
            place = self._place(cost, moment // DAY)
            if place is None:
                continue
            recorded = self.places.setdefault(place, Recorded())
            if cost.get("unpriced"):
                _add_unpriced(recorded, cost)
                continue
            asset = currency(cost["currency"])
            assert asset is not None, "costs are in currencies"
            units = to_units(Decimal(cost["amount"]), asset)
            recorded.units += units
            recorded.internal += units if internal else 0
            recorded.calls += 1
            if "llm" in cost:
                missing = untried.get(cost["id"], 0)
                self._add_call(place, recorded, cost, moment, missing)
            else:
                recorded.of("other").amount += units

    def _place(self, cost: dict[str, Any], day: int) -> Place | None:
        first, last = self._days
        vendor = cost["vendor_id"]
        if not first <= day <= last or self._vendor not in (None, vendor):
            return None
        model = ""
        if "llm" in cost:
            model = price_table.model_name(cost["llm"]["provider"], cost["llm"]["model"])
        return Place(vendor, day, cost["currency"], model)

    def _add_call(
        self, place: Place, recorded: Recorded, cost: dict[str, Any], moment: int, missing: int
    ) -> None:
        llm = cost["llm"]
        recorded.priced_by.add(llm["priced_by"])
        since_midnight, tier = moment % DAY, llm.get("tier")
        at = (since_midnight < EDGE, since_midnight >= DAY - EDGE or bool(llm.get("batch")))
        for line in llm["lines"]:
            lines = _Lines(place, line["class"], line["rate"], line["per"], tier, at)
            count = line["count"]
            self._lines[lines] = self._lines.get(lines, 0) + count
            if lines not in self._samples:
                self._samples[lines] = cost, moment
            if missing:
                used = recorded.of(part_of(lines.token_class, tier))
                used.untried += Fraction(count) * missing
                used.retried += Fraction(count) * _each(lines) * missing

    def _sum_up(self) -> None:
        for lines, count in self._lines.items():
            used = self.places[lines.place].of(part_of(lines.token_class, lines.tier))
            each = _each(lines)
            amount = Fraction(count) * each
            early, late = lines.at
            used.amount += amount
            used.quantity += Fraction(count)
            used.rates.add(each)
            used.early += amount if early else 0
            used.late += amount if late else 0


def _each(lines: _Lines) -> Fraction:
    """What one of them cost, in ledger units."""
    each: Fraction = Fraction(lines.rate) * NANOS / lines.per
    return each


def _add_unpriced(recorded: Recorded, cost: dict[str, Any]) -> None:
    recorded.unpriced += 1
    llm = cost["llm"]
    try:
        reading = read_usage(llm.get("usage"), llm["provider"], llm["model"])
    except (Unreadable, InvalidRequest):
        reading = Reading({})
    if not reading.classes:
        recorded.uncounted += 1
    tier = "batch" if llm.get("batch") else llm.get("service_tier") or reading.tier
    for name, count in reading.classes.items():
        recorded.of(part_of(name, tier)).unpriced += Fraction(count)


def _untried(calls: list[dict[str, Any]]) -> Iterator[tuple[str, int]]:
    """By cost id, how many earlier tries of a call the event does not bring."""
    latest_first = sorted(calls, key=lambda cost: -int(cost["llm"].get("attempt", 1)))
    taken: set[str] = set()
    for cost in latest_first:
        llm, attempt = cost["llm"], int(cost["llm"].get("attempt", 1))
        if attempt == 1 or cost["id"] in taken:
            continue
        brought: set[int] = set()
        for other in latest_first:
            try_no = int(other["llm"].get("attempt", 1))
            if (
                try_no < attempt
                and try_no not in brought
                and other["id"] not in taken
                and other["llm"].get("outcome") in _MAY_HAVE_FAILED
                and other["llm"]["model"] == llm["model"]
            ):
                brought.add(try_no)
                taken.add(other["id"])
        yield cost["id"], attempt - 1 - len(brought)
