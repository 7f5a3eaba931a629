"""How much dearer a customer's bill gets under other prices. Pure.

A bill is what usage was charged, whatever the credit behind it was bought for. Fees in a custom
asset that is sold count in the currency it is sold for, at one rate before and after, so that only
prices make a difference; an asset that is not sold is a bill of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal, localcontext
from fractions import Fraction
from heapq import heappush, heappushpop
from typing import Generic, TypeVar

from credyt_mcp.domain.assets import is_currency
from credyt_mcp.domain.grants import Basis
from credyt_mcp.domain.money import EXACT

STEPS = (Decimal(5), Decimal(10), Decimal(20), Decimal(50), Decimal(100))
"""Rises in percent at which customers are counted."""
DECIMALS = 4

FIRST_BILL = None
"""The rise of who paid nothing before: more than any percentage."""

Rise = Decimal | None
T = TypeVar("T")


def rise(billed: int, replayed: int) -> Rise:
    """In percent of what was billed, rounded half-even; negative when it gets cheaper."""
    if billed <= 0:
        return FIRST_BILL if replayed > max(billed, 0) else Decimal(0)
    with localcontext(EXACT):
        percent = Decimal(replayed - billed) * 100 / billed
        return round(percent, DECIMALS).normalize() + 0


def largest_rise(
    billed: Mapping[str, int],
    replayed: Mapping[str, int],
    basis_of: Callable[[str], Basis | None],
) -> Rise:
    """Of a customer's bills, from fees by asset; `basis_of` says what a custom asset is sold
    for."""
    before, after = _bills(billed, basis_of), _bills(replayed, basis_of)
    rises = [rise(before.get(code, 0), after.get(code, 0)) for code in before.keys() | after.keys()]
    return max(rises, key=order, default=Decimal(0))


def order(one: Rise) -> Decimal:
    return Decimal("Infinity") if one is FIRST_BILL else one


@dataclass
class Shock:
    """Customers counted by how much dearer it gets for them; `limit` is in percent."""

    limit: Decimal
    customers: int = 0
    dearer: int = 0
    cheaper: int = 0
    first_bills: int = 0
    over: dict[Decimal, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.over = dict.fromkeys(sorted({*STEPS, self.limit}), 0)

    @property
    def over_limit(self) -> int:
        return self.over[self.limit]

    def add(self, one: Rise) -> None:
        self.customers += 1
        self.first_bills += one is FIRST_BILL
        self.dearer += order(one) > 0
        self.cheaper += order(one) < 0
        for step in self.over:
            self.over[step] += order(one) > step

    def shares(self) -> Iterator[tuple[Decimal, int, Decimal]]:
        """For each rise how many customers are over it, and what percentage of all that is."""
        for step, over in self.over.items():
            yield step, over, share(over, self.customers)


def share(part: int, whole: int) -> Decimal:
    """In percent."""
    if not whole:
        return Decimal(0)
    with localcontext(EXACT):
        return round(Decimal(part * 100) / whole, DECIMALS).normalize() + 0


class Largest(Generic[T]):
    """The few with the largest keys of however many there are."""

    def __init__(self, count: int) -> None:
        self._count, self._heap, self._seen = count, list[tuple[Decimal, int, T]](), 0

    def add(self, key: Decimal, item: T) -> None:
        self._seen += 1
        entry = (key, -self._seen, item)
        if len(self._heap) < self._count:
            heappush(self._heap, entry)
        else:
            heappushpop(self._heap, entry)

    def __iter__(self) -> Iterator[T]:
        """Largest first, of equal ones the one added first."""
        return (item for _, _, item in sorted(self._heap, key=lambda one: one[:2], reverse=True))


def rounded_up(value: Decimal, digits: int = 3) -> Decimal:
    """To so many significant digits, never down: a price to be read by people."""
    if not value:
        return value
    with localcontext(EXACT) as context:
        step = Decimal(1).scaleb(value.adjusted() - digits + 1)
        context.rounding = ROUND_CEILING
        return value.quantize(step).normalize() + 0


def _bills(fees: Mapping[str, int], basis_of: Callable[[str], Basis | None]) -> dict[str, int]:
    sums: dict[str, Fraction] = {}
    for code, units in fees.items():
        basis = None if is_currency(code) else basis_of(code)
        billed_in, worth = (code, Fraction(1)) if basis is None else basis
        sums[billed_in] = sums.get(billed_in, Fraction(0)) + units * worth
    return {code: round(units) for code, units in sums.items()}
