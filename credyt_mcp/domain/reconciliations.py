"""Where a vendor's bill and what was recorded differ, and why: classes that add up exactly. Pure.

A class is only given what there is evidence for: tokens that were counted on both sides, calls near
midnight, tries that were never recorded. What is billed beyond that is `unattributed`, usage that
nobody recorded; what was recorded and not billed, without a reason, is `unexplained`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

CLASSES = (
    "unattributed",
    "retry",
    "cache_write",
    "unpriced",
    "price_change",
    "rounding",
    "timing",
    "unexplained",
)

Classes = dict[str, int]
"""Ledger units by class; those of nothing are left out."""

NONE = Fraction(0)


@dataclass
class Billed:
    """A bill's sum for one group of a row, in ledger units; `quantity` is None where the bill has
    none. `tolerance` is how far rounding may have moved it."""

    amount: Fraction = NONE
    quantity: Fraction | None = NONE
    tolerance: Fraction = NONE

    def add(self, amount: Fraction, quantity: Fraction | None, tolerance: Fraction) -> None:
        self.amount += amount
        self.tolerance += tolerance
        known = quantity is not None and self.quantity is not None
        self.quantity = (
            (self.quantity or NONE) + quantity if known and quantity is not None else None
        )


@dataclass
class Used:
    """What was recorded of one group of a row.

    `amount` is exact, before an event's rounding; `rates` are what one was charged at. `early` and
    `late` are what calls next to the beginning and the end of the day cost; `unpriced` and
    `untried` count what calls without a price used, and tries that were not recorded would have;
    `retried` is what those would have cost. `repriced` is what all of it costs more by the prices
    of now.
    """

    amount: Fraction = NONE
    quantity: Fraction = NONE
    rates: set[Fraction] = field(default_factory=set)
    early: Fraction = NONE
    late: Fraction = NONE
    unpriced: Fraction = NONE
    untried: Fraction = NONE
    retried: Fraction = NONE
    repriced: Fraction = NONE

    def merge(self, other: Used) -> None:
        self.rates |= other.rates
        for name in (
            *("amount", "quantity", "early", "late"),
            *("unpriced", "untried", "retried", "repriced"),
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class Recorded:
    """What was recorded of a vendor's model on a day, by group and tier (see `part_of`). `units` is
    the sum of the costs as they were booked, `internal` the part that is no customer's. `calls`
    have a price; `unpriced` have none, and of those `uncounted` do not even say how much they
    used."""

    units: int = 0
    internal: int = 0
    calls: int = 0
    unpriced: int = 0
    uncounted: int = 0
    groups: dict[str, Used] = field(default_factory=dict)
    priced_by: set[str] = field(default_factory=set)

    def of(self, group: str) -> Used:
        return self.groups.setdefault(group, Used())

    def merge(self, other: Recorded) -> None:
        for name in ("units", "internal", "calls", "unpriced", "uncounted"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.priced_by |= other.priced_by
        for group, used in other.groups.items():
            self.of(group).merge(used)

    def regroup(self, name_of: Callable[[str], str]) -> None:
        """Tell groups apart no further than a bill does."""
        before, self.groups = self.groups, {}
        for group, used in before.items():
            self.of(name_of(group)).merge(used)


@dataclass
class _Part:
    """One group of a row: `volume` is what is left to be given a class, at `rate` per unit."""

    used: Used
    volume: Fraction
    price: Fraction = NONE
    rounding: Fraction = NONE
    timing: Fraction = NONE
    rate: Fraction | None = None

    def move(self, amount: Fraction) -> None:
        self.timing += amount
        self.volume -= amount


@dataclass
class Row:
    """One vendor, model and day. `billed` is by group."""

    billed: Mapping[str, Billed]
    recorded: Recorded
    parts: dict[str, _Part] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for group in sorted(self.billed.keys() | self.recorded.groups.keys()):
            bill = self.billed.get(group) or Billed(quantity=self._quantity_of_nothing())
            self.parts[group] = _split(bill, self.recorded.groups.get(group) or Used())

    @property
    def billed_units(self) -> int:
        return round(sum((bill.amount for bill in self.billed.values()), NONE))

    @property
    def difference(self) -> int:
        return self.billed_units - self.recorded.units

    def _quantity_of_nothing(self) -> Fraction | None:
        """A bill that counts tokens counted none of a group that it does not name."""
        counted = any(bill.quantity is not None for bill in self.billed.values())
        return NONE if counted else None

    def classes(self) -> Classes:
        """Their sum is the difference, to the unit."""
        found = dict.fromkeys(CLASSES, NONE)
        uncounted = self._worth_of_uncounted()
        for group, part in self.parts.items():
            found["price_change"] += part.price
            found["timing"] += part.timing
            uncounted = _explain(group, part, self.recorded, uncounted, found)
        whole = {name: round(amount) for name, amount in found.items()}
        # What rounding each event, each line of the bill and each class has moved.
        whole["rounding"] = self.difference - sum(
            units for name, units in whole.items() if name != "rounding"
        )
        return {name: units for name, units in whole.items() if units}

    def _worth_of_uncounted(self) -> Fraction | None:
        """What calls that did not say how much they used may have cost: each as much as the others
        of the row. None for any amount, where there are no others."""
        recorded = self.recorded
        if not recorded.uncounted:
            return NONE
        if not recorded.calls:
            return None
        return Fraction(recorded.units * recorded.uncounted, recorded.calls)


def settle_timing(days: Iterable[tuple[int, Row]]) -> None:
    """Move what calls next to midnight explain between a row and that of the next day, which must
    have been billed too. Days of one vendor and model, in order."""
    before: tuple[int, Row] | None = None
    for day, row in days:
        if before is not None and before[0] == day - 1:
            for group, part in row.parts.items():
                if (earlier := before[1].parts.get(group)) is not None:
                    _across_midnight(earlier, part)
        before = day, row


def _across_midnight(first: _Part, second: _Part) -> None:
    if first.volume < 0 < second.volume:
        moved = min(-first.volume, second.volume, first.used.late)
    elif second.volume < 0 < first.volume:
        moved = -min(first.volume, -second.volume, second.used.early)
    else:
        return
    first.move(-moved)
    second.move(moved)


def _split(bill: Billed, used: Used) -> _Part:
    """The difference of a group as what other quantities cost, and what other prices did."""
    gap = bill.amount - used.amount
    average = used.amount / used.quantity if used.quantity else None
    if bill.quantity is None:
        return _split_unseen(bill, used, gap, average)
    missing = bill.quantity - used.quantity
    if not used.quantity:
        return _Part(used, gap, rate=gap / missing if missing else None)
    if not missing:
        near = abs(gap) <= bill.tolerance
        return _Part(used, NONE, *((NONE, gap) if near else (gap, NONE)), rate=average)
    implied, slack = gap / missing, bill.tolerance / abs(missing)
    lowest, highest = min(used.rates, default=NONE), max(used.rates, default=NONE)
    if lowest - slack <= implied <= highest + slack:
        rate = min(max(implied, lowest), highest)
        return _Part(used, rate * missing, rounding=gap - rate * missing, rate=rate)
    rate = bill.amount / bill.quantity if bill.quantity else used.amount / used.quantity
    price = used.quantity * rate - used.amount
    return _Part(used, gap - price, price, rate=rate)


def _split_unseen(bill: Billed, used: Used, gap: Fraction, average: Fraction | None) -> _Part:
    """Without quantities a price has changed as far as today's prices say so."""
    if abs(gap) <= bill.tolerance:
        return _Part(used, NONE, rounding=gap, rate=average)
    price = max(NONE, min(gap, used.repriced)) if gap > 0 else min(NONE, max(gap, used.repriced))
    rest = gap - price
    if abs(rest) <= bill.tolerance:
        return _Part(used, NONE, price, rest, rate=average)
    return _Part(used, rest, price, rate=average)


def _explain(
    group: str,
    part: _Part,
    recorded: Recorded,
    uncounted: Fraction | None,
    found: dict[str, Fraction],
) -> Fraction | None:
    """Give what is left of a part its classes; answers what is left of `uncounted`."""
    rest, used = part.volume, part.used
    if rest <= 0:
        found["unexplained"] += rest
        return uncounted

    def take(name: str, at_most: Fraction) -> None:
        nonlocal rest
        taken = min(rest, at_most)
        found[name] += taken
        rest -= taken

    if part.rate is not None and part.rate > 0:
        take("unpriced", used.unpriced * part.rate)
        take("retry", used.untried * part.rate)
    else:
        take("unpriced", rest if used.unpriced else NONE)
        take("retry", used.retried)
    before = rest
    take("unpriced", rest if uncounted is None else uncounted)
    if uncounted is not None:
        uncounted -= before - rest
    found["cache_write" if group.startswith("cache_write") else "unattributed"] += rest
    return uncounted
