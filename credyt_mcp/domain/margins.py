"""What an event earned and cost, cut into cells: each belongs to one price, vendor and model. Pure.

Most events have one fee and one cost, or none. Where there are several, what each fee earned is
divided over the costs, and each cost over the fees, to the unit: whatever figures are grouped by,
they add up to the same sums, and nothing is counted twice or left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from credyt_mcp.domain.assets import currency
from credyt_mcp.domain.money import to_units

Earned = dict[str, int]
"""Ledger units by currency; under the code of a custom asset, usage without a price."""

Fee = tuple[int, Earned]
"""The price of a fee (the database's id) and what the fee earned."""

UNCATEGORIZED = "uncategorized"
DAY = 86_400_000_000
"""Microseconds in a day."""


class VendorCost(NamedTuple):
    """One cost of an event; not `counted` when its id had come with an earlier event.

    `unpriced` is 1 for a model call whose price is not known, and -1 for the price it got later.
    A cost with a `day` of its own belongs there, not on the day of its event.
    """

    vendor: str
    category: str
    currency: str
    units: int
    counted: bool
    unpriced: int = 0
    model: str = ""
    day: int | None = None


class Cell(NamedTuple):
    """Ledger units of one `currency` on one UTC `day` (counted since 1970), with what they may be
    grouped by. `price` is the database's id, 0 where there is none; `product` is the code of what
    a subscription's fee was for, since that has no usage price; `repeated` are costs that an
    earlier event had brought. One cell of an event counts it in `events`.
    """

    day: int
    price: int
    product: str
    vendor: str
    model: str
    category: str
    currency: str
    revenue: int = 0
    costs: int = 0
    repeated: int = 0
    events: int = 0
    unpriced: int = 0


class Tally(NamedTuple):
    """What one event, charge, fee or late cost adds to the rollups; `user_id` and `subject` are
    empty where the app named none, `event_type` where there was no event."""

    tenant_id: int
    customer_id: int
    event_type: str
    user_id: str
    subject: str
    cells: Sequence[Cell]


class Usage(NamedTuple):
    """What the parts of an event belong to; see `Tally`."""

    event_type: str
    user_id: str
    subject: str
    fees: Sequence[Fee]

    def tally(self, tenant_id: int, customer_id: int, cells: Sequence[Cell]) -> Tally:
        event_type, user_id, subject, _ = self
        return Tally(tenant_id, customer_id, event_type, user_id, subject, cells)


def usage_cells(day: int, fees: Sequence[Fee], costs: Sequence[VendorCost]) -> list[Cell]:
    """Of an event; its costs may belong to other days."""
    cells = list(_revenue_cells(day, fees, costs))
    for cost in costs:
        cells += cost_cells(day, fees, cost)
    if cells:
        cells[0] = cells[0]._replace(events=1)
    return cells


def cost_cells(day: int, fees: Sequence[Fee], cost: VendorCost) -> Iterator[Cell]:
    """A cost in proportion to what the event's fees earned in its currency, or in equal parts."""
    shares = fees or ((0, {}),)
    place = ("", cost.vendor, cost.model, cost.category, cost.currency)
    at = day if cost.day is None else cost.day
    first = Cell(at, shares[0][0], *place)
    if not cost.counted:
        yield first._replace(repeated=cost.units)
        return
    if cost.unpriced:
        yield first._replace(unpriced=cost.unpriced)
    if cost.unpriced <= 0:
        parts = split(cost.units, weights(earned.get(cost.currency, 0) for _, earned in shares))
        for (price, _), part in zip(shares, parts, strict=True):
            yield Cell(at, price, *place, costs=part)


def fee_cells(
    day: int, kind: str, earned: Earned, products: Sequence[tuple[str, int]]
) -> Iterator[Cell]:
    """Of a charge or a subscription's fee, in proportion to what it says of `products`."""
    named = products or (("", 1),)
    for code, units in earned.items():
        parts = split(units, weights(weight for _, weight in named))
        for (product, _), part in zip(named, parts, strict=True):
            yield Cell(day, 0, product, "", "", kind, code, part)


def weights(given: Iterable[int]) -> list[int]:
    """`given`, or equal weights where they are no proportion."""
    found = list(given)
    return found if sum(found) > 0 and min(found) >= 0 else [1] * len(found)


def split(total: int, amounts: Sequence[int]) -> list[int]:
    """`total` divided in proportion to `amounts`, to the unit; the parts add up to it."""
    if len(amounts) == 1:
        return [total]
    whole, parts, given, reached = sum(amounts), [], 0, 0
    for amount in amounts:
        reached += amount
        upto = round(Fraction(total * reached, whole)) if whole else 0
        parts.append(upto - given)
        given = upto
    return parts


def vendor_costs(costs: Iterable[dict[str, Any]] | None) -> list[VendorCost]:
    """The costs inside an event, in ledger units."""
    return [_vendor_cost(cost) for cost in costs or ()]


def _revenue_cells(day: int, fees: Sequence[Fee], costs: Sequence[VendorCost]) -> Iterator[Cell]:
    """What each fee earned in proportion to the costs, or in equal parts where they cannot be
    compared: in several currencies, or with one whose price is not known."""
    over = [cost for cost in costs if cost.counted]
    if not over:  # most events: nothing to divide
        for price, earned in fees:
            for code, units in earned.items():
                yield Cell(day, price, "", "", "", "", code, units)
        return
    comparable = len({cost.currency for cost in over}) == 1 and not any(c.unpriced for c in over)
    shares = weights(cost.units if comparable else 1 for cost in over)
    for price, earned in fees:
        for code, units in earned.items():
            for cost, part in zip(over, split(units, shares), strict=True):
                yield Cell(day, price, "", cost.vendor, cost.model, cost.category, code, part)


def _vendor_cost(cost: dict[str, Any]) -> VendorCost:
    asset = currency(cost["currency"])
    assert asset is not None, "costs are in currencies"
    unpriced, booked_at = bool(cost.get("unpriced")), cost.get("booked_at")
    return VendorCost(
        cost["vendor_id"],
        cost.get("category") or UNCATEGORIZED,
        asset.code,
        0 if unpriced else to_units(Decimal(cost["amount"]), asset),
        cost.get("counted", True),
        unpriced=-1 if "corrects" in cost else int(unpriced),
        model=cost["llm"]["model"] if "llm" in cost else "",
        day=None if booked_at is None else booked_at // DAY,
    )
