"""What usage earns: the worth of the credit it uses up, and the tally that rollups are made of.

Using a grant earns its basis: what was paid for it. A grant without one is worth its face value in
its own asset, which for a currency is revenue; for a custom asset it is usage that nobody can put a
price on, and is kept apart under the asset's code. Nothing is converted between currencies. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from credyt_mcp.domain.assets import Rate, is_currency, rate_at
from credyt_mcp.domain.grants import FREE, Basis, Grant, Reason, in_order_of_use, shares
from credyt_mcp.domain.ledger import Account, Transaction
from credyt_mcp.domain.margins import (
    DAY,
    Earned,
    Fee,
    Tally,
    VendorCost,
    fee_cells,
    split,
    usage_cells,
    vendor_costs,
)
from credyt_mcp.domain.money import FIAT_SCALE, Asset, within_range
from credyt_mcp.ids import client_key

if TYPE_CHECKING:
    from credyt_mcp.domain.book import Book, Event

FindRate = Callable[[int, Asset], Basis | None]
"""What a unit of a tenant's custom asset is sold for now."""

EARNING = (
    "charge",
    "subscription_fee",
    "refund",
    "refund_reversal",
    "dispute_withdrawal",
    "dispute_reinstatement",
)
"""Kinds of ledger transactions that may be revenue, as the fees of events are."""


class Tallies:
    """What a book adds to the rollups, and the cost ids it knows; `undo` takes it back."""

    def __init__(self, undo: list[Callable[[], object]]) -> None:
        self.rows: list[Tally] = []
        self.cost_ids: set[tuple[int, bytes]] = set()
        self.new_cost_ids: list[tuple[int, bytes]] = []
        self.unpriced: list[tuple[Event, dict[str, Any]]] = []
        self.open_costs: set[tuple[int, bytes]] = set()
        self.late_costs: dict[tuple[int, bytes], dict[str, Any]] = {}
        self._undo = undo

    def add(self, tally: Tally) -> None:
        self.rows.append(tally)
        self._undo.append(self.rows.pop)

    def note_unpriced(self, event: Event, cost: dict[str, Any]) -> None:
        """A cost that is still to be priced."""
        self.unpriced.append((event, cost))
        self._undo.append(self.unpriced.pop)

    def price(self, key: tuple[int, bytes], cost: dict[str, Any]) -> None:
        """The price that an unpriced cost got; it is open no longer."""
        self.open_costs.remove(key)
        self.late_costs[key] = cost
        self._undo += [lambda: self.open_costs.add(key), lambda: self.late_costs.pop(key)]

    def is_new_cost(self, tenant_id: int, cost_id: str) -> bool:
        """Whether no event has brought a cost of this id; from here on, one has."""
        key = (tenant_id, client_key(cost_id))
        if key in self.cost_ids:
            return False
        self.cost_ids.add(key)
        self.new_cost_ids.append(key)
        self._undo += [lambda: self.cost_ids.remove(key), self.new_cost_ids.pop]
        return True


def no_rate(tenant_id: int, asset: Asset) -> None:
    """For books that price nothing."""


def revenue_basis(asset: Asset, price: Decimal, code: str = "USD") -> Basis:
    """The basis of credit whose use earns `price` of currency `code` per whole unit of `asset`."""
    per_unit = Fraction(price) * 10**FIAT_SCALE / 10**asset.scale
    return Basis(code, per_unit)


def rate_in_force(
    asset: Asset, by_source: Mapping[str, Iterable[Rate]], moment: datetime
) -> Basis | None:
    """What a unit of a custom asset is sold for: in USD if it is sold for USD, else in the first of
    its currencies by code."""
    for source in sorted(by_source, key=lambda code: (code != "USD", code)):
        price = rate_at(by_source[source], moment)
        if price is not None:
            return revenue_basis(asset, price, source)
    return None


def paid_basis(asset: Asset, paid: int, source: Asset, credited: int) -> Basis | None:
    """The basis of `credited` units that were bought for `paid` units of `source`. A currency is
    worth its face value whatever paid for it."""
    if is_currency(asset.code) or not credited:
        return None
    return Basis(source.code, Fraction(paid, credited))


def adjustment_basis(account: Account, reason: Reason, find_rate: FindRate) -> Basis | None:
    """Of a credit made by hand: what was paid elsewhere is valued at the rate in force, what was
    given away earns nothing. A currency is worth its face value either way."""
    if is_currency(account.asset.code):
        return None
    sold = reason in ("external_topup", "external_refund")
    return find_rate(account.tenant_id, account.asset) if sold else FREE


def worth(account: Account, units: int, find_rate: FindRate) -> Earned | None:
    """What taking `units` out of a wallet account now earns, None for their face value; ask before
    the debit.

    Overdraft is valued at the rate in force when it arises, and not again when it is paid.
    Negative `units` are given back: see `next_basis`. Raises AmountOutOfRange.
    """
    asset = account.asset
    if is_currency(asset.code) and not any(grant.basis for grant in account.grants):
        return None
    in_effect = [grant for grant in account.grants if grant.booked]
    parts = [(grant.basis, share) for grant, share in shares(in_effect, units)]
    overdraft = units - sum(share for _, share in parts)
    if overdraft > 0:
        parts.append((_rate(account, find_rate), overdraft))
    elif units < 0:
        parts.append((next_basis(account, find_rate), units))
    return _sums(parts, asset)


def revalued(
    account: Account,
    instead: Sequence[tuple[Grant, int]],
    overdraft: int,
    basis: Basis | None,
    find_rate: FindRate,
) -> Earned:
    """How the worth of past usage changes when the credit of `basis` that it used up is taken back:
    other grants bear their shares `instead`, and the rest is overdraft at the rate in force."""
    parts = [(grant.basis, share) for grant, share in instead]
    parts.append((_rate(account, find_rate), overdraft))
    parts.append((basis, -sum(share for _, share in parts)))
    return _sums(parts, account.asset)


def _sums(parts: Iterable[tuple[Basis | None, int]], asset: Asset) -> Earned:
    """What shares of credit earn together, each currency rounded once."""
    sums: dict[str, Fraction] = {}
    for basis, share in parts:
        code, each = basis or (asset.code, 1)
        sums[code] = sums.get(code, Fraction(0)) + share * each
    return {code: within_range(round(sum_), asset) for code, sum_ in sums.items() if round(sum_)}


def next_basis(account: Account, find_rate: FindRate) -> Basis | None:
    """The basis of what would be used next. A fee that is paid back takes revenue back at it, and
    the credit it becomes carries it, so that using that earns the same again."""
    in_effect = in_order_of_use(grant for grant in account.grants if grant.booked)
    return in_effect[0].basis if in_effect else _rate(account, find_rate)


def face_value(asset: str, amount: int, stored: Earned | None) -> Earned:
    """What was stored as earned, or the face value where nothing was."""
    if stored is not None:
        return stored
    return {asset: amount} if amount else {}


def unless_face_value(asset: str, amount: int, earned: Earned) -> Earned | None:
    """`earned` as it is stored: absent when it is the face value."""
    return None if earned == face_value(asset, amount, None) else earned


def split_earned(earned: Earned, amounts: Sequence[int]) -> list[Earned]:
    """What fees of `amounts` out of one account earn each, of what they `earned` together."""
    if len(amounts) == 1:
        return [earned]
    parts: list[Earned] = [{} for _ in amounts]
    for code, total in earned.items():
        for part, share in zip(parts, split(total, amounts), strict=True):
            if share:
                part[code] = share
    return parts


def total(parts: Iterable[Earned]) -> Earned:
    sums: Earned = {}
    for part in parts:
        for code, units in part.items():
            sums[code] = sums.get(code, 0) + units
    return sums


def book_usage(book: Book, event: Event, fees: Sequence[Fee], warnings: list[str]) -> None:
    """Tally an event that was recorded; `warnings` grow by what is wrong with its costs."""
    costs: Sequence[VendorCost] = ()
    if event.costs:
        event.costs = [_once(book, event.tenant_id, cost, warnings) for cost in event.costs]
        costs = vendor_costs(event.costs)
        for cost in event.costs:
            if cost.get("unpriced") and cost.get("counted", True):
                book.tallies.note_unpriced(event, cost)
                warnings.append(
                    f"The model call '{cost['id']}' was kept without a price: "
                    f"{cost['llm']['reason']}. PUT /llm-prices and POST /costs/reprice give it one."
                )
    cells = usage_cells(event.occurred_at // DAY, fees, costs)
    if cells:
        who = (event.event_type, event.user_id or "", event.subject or "")
        book.tallies.add(Tally(event.tenant_id, event.customer_id, *who, cells))


def earn(book: Book, transaction: Transaction, earned: Earned | None = None) -> None:
    """Tally a ledger transaction of one of the `EARNING` kinds, before it is recorded; without
    `earned` it is worth its amount."""
    asset, amount = transaction.account.asset.code, transaction.amount
    earned = face_value(asset, amount, earned)
    stored = unless_face_value(asset, amount, earned)
    if stored is not None:
        transaction.details = {**transaction.details, "earned": stored}
    day = (transaction.executed_at or transaction.recorded_at) // DAY
    book.tallies.add(
        transaction_tally(
            transaction.tenant_id,
            transaction.customer_id,
            day,
            transaction.kind,
            earned,
            transaction.details,
        )
    )


def transaction_tally(
    tenant_id: int,
    customer_id: int,
    day: int,
    kind: str,
    earned: Earned,
    details: dict[str, Any],
) -> Tally:
    """`details` may say what `products` a subscription's fee was for, with their shares."""
    products = [(code, weight) for code, weight in details.get("products", ())]
    return Tally(tenant_id, customer_id, "", "", "", [*fee_cells(day, kind, earned, products)])


def _once(book: Book, tenant_id: int, cost: dict[str, Any], warnings: list[str]) -> dict[str, Any]:
    """The cost, marked if another event has brought it before."""
    if book.tallies.is_new_cost(tenant_id, cost["id"]):
        return cost
    warnings.append(
        f"The cost '{cost['id']}' came with an earlier event and is counted there alone; give each "
        "cost an id of its own."
    )
    return {**cost, "counted": False}


def _rate(account: Account, find_rate: FindRate) -> Basis | None:
    if is_currency(account.asset.code):
        return None
    return find_rate(account.tenant_id, account.asset)
