"""Parcels of credit: which purpose a source gives, and in what order they are used up. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal, NamedTuple

Purpose = Literal["paid", "bundled", "promotion", "adjustment"]
Reason = Literal["gift", "external_topup", "external_refund", "other"]

PURPOSE_OF_REASON: dict[Reason, Purpose] = {
    "gift": "promotion",
    "external_topup": "paid",
    "external_refund": "paid",
    "other": "adjustment",
}
DEFAULT_PRIORITY = 100
"""Lower is used first; entitlements may set their own."""

# Free credit goes first, so that what a customer paid for lasts longest.
_PURPOSE_ORDER: dict[str, int] = {"promotion": 0, "bundled": 1, "paid": 2, "adjustment": 3}


class Basis(NamedTuple):
    """What using one ledger unit of a grant earns: ledger units of `currency`, exactly."""

    currency: str
    worth: Fraction

    def __str__(self) -> str:
        return f"{self.worth} {self.currency}"

    @staticmethod
    @lru_cache(maxsize=10_000)
    def parse(text: str) -> Basis:
        """The basis that `str` wrote, such as `50 USD` or `100/3 EUR`."""
        worth, _, currency = text.partition(" ")
        return Basis(currency, Fraction(worth))


FREE = Basis("USD", Fraction(0))
"""Using what was given away earns nothing."""


@dataclass(eq=False)
class Grant:
    """A parcel in a wallet account; moments are microseconds since 1970 UTC.

    `remaining` is what is left to use, in units of the account's asset. `booked` is False while
    the grant takes effect only later and is not in the balance. Using it earns its `basis`; None
    is its face value, in the account's own asset (see `earnings`).
    """

    id: int | None
    purpose: str
    source: str
    priority: int
    amount: int
    remaining: int
    effective_at: int
    expires_at: int | None
    booked: bool = True
    basis: Basis | None = None

    def expired(self, now: int) -> bool:
        return self.expires_at is not None and self.expires_at <= now


def in_order_of_use(grants: Iterable[Grant]) -> list[Grant]:
    """Lower priority number, then promotion, bundled, paid, others, soonest expiry, oldest."""
    return sorted(grants, key=_order)


def shares(
    grants: Iterable[Grant], units: int, first: Sequence[Grant] = ()
) -> list[tuple[Grant, int]]:
    """How much of `units` (positive) each grant bears, those that come `first` before all others.
    What no grant covers is left out: the caller's balance turns negative by it."""
    taken = []
    grants = in_order_of_use(grants)
    if first:
        grants.sort(key=lambda grant: grant not in first)
    for grant in grants:
        if units <= 0:
            break
        share = min(grant.remaining, units)
        if share > 0:
            taken.append((grant, share))
            units -= share
    return taken


def _order(grant: Grant) -> tuple[int, int, bool, int, int, int]:
    never = grant.expires_at is None
    return (
        grant.priority,
        _PURPOSE_ORDER.get(grant.purpose, 9),
        never,
        grant.expires_at or 0,
        grant.effective_at,
        grant.id or 2**63,
    )
