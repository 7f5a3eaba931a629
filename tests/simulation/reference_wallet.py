"""The wallet half of the reference model: an account is its grants and what it owes, no balance."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any

from tests.simulation import catalogue
from tests.simulation.reference_prices import Refused

ORDER = ["promotion", "bundled", "paid", "adjustment"]
NONE = Fraction(0)


@dataclass
class Grant:
    """`side` is the business account it was funded from; `worth` what using a unit earns in USD,
    None its face value."""

    number: int
    purpose: str
    side: str
    amount: Fraction
    effective_at: datetime
    expires_at: datetime | None
    left: Fraction = NONE
    started: bool = False
    priority: int = 100
    worth: Fraction | None = None

    @property
    def rank(self) -> tuple[Any, ...]:
        """Lower priority, promotion before bundled before paid, soonest expiry, oldest."""
        never = self.expires_at is None
        expires = self.effective_at if self.expires_at is None else self.expires_at
        return self.priority, ORDER.index(self.purpose), never, expires, self.effective_at

    def spent_before(self) -> tuple[Any, ...]:
        return *self.rank, self.number


@dataclass
class Account:
    """`statement` lists what moved, the balance after it, and the other side of the books."""

    limit: Fraction
    grants: list[Grant] = field(default_factory=list)
    owed: Fraction = NONE
    statement: list[tuple[Fraction, Fraction, str]] = field(default_factory=list)

    @property
    def available(self) -> Fraction:
        return sum((grant.left for grant in self.grants), -self.owed)

    @property
    def pending(self) -> Fraction:
        return sum((grant.amount for grant in self.grants if not grant.started), NONE)

    def add(self, grant: Grant, now: datetime) -> None:
        if self.available + self.pending + grant.amount > self.limit:
            raise Refused("amount_out_of_range")
        self.grants.append(grant)
        if grant.effective_at <= now:
            self._start(grant)

    def take(self, amount: Fraction, side: str) -> None:
        if self.available - amount < -self.limit:
            raise Refused("amount_out_of_range")
        rest = amount
        for grant in sorted(self.grants, key=Grant.spent_before):
            share = min(grant.left, rest)
            grant.left, rest = grant.left - share, rest - share
        self.owed += rest
        self.statement.append((-amount, self.available, side))

    def value(self, amount: Fraction, overdraft: Fraction | None) -> tuple[Fraction, Fraction]:
        """What using `amount` earns, in USD and at face value; a unit of overdraft earns that of
        `overdraft`, and one paid back what the next one to be used would."""
        rest, parts = amount, []
        spent = [g for g in sorted(self.grants, key=Grant.spent_before) if g.left]
        for grant in spent if amount > 0 else spent[:1]:
            share = min(grant.left, rest)
            parts.append((grant.worth, share))
            rest -= share
        parts.append((overdraft, rest))
        usd = sum((worth * share for worth, share in parts if worth is not None), NONE)
        return usd, sum((share for worth, share in parts if worth is None), NONE)

    def next_worth(self, overdraft: Fraction | None) -> Fraction | None:
        spent = [g for g in sorted(self.grants, key=Grant.spent_before) if g.left]
        return spent[0].worth if spent else overdraft

    def let_pass(self, now: datetime) -> None:
        """Start and end grants in the order in which it happened."""
        while True:
            due = [(g.effective_at, 0, g.number, g) for g in self.grants if not g.started]
            due += [(g.expires_at, 1, g.number, g) for g in self.grants if g.left and g.expires_at]
            if not due or min(due)[0] > now:
                return
            _, ends, _, grant = min(due)
            if ends:
                lost, grant.left = grant.left, NONE
                self.statement.append((-lost, self.available, "breakage"))
            else:
                self._start(grant)

    def _start(self, grant: Grant) -> None:
        paid_back = min(self.owed, grant.amount)
        self.owed -= paid_back
        grant.started, grant.left = True, grant.amount - paid_back
        self.statement.append((grant.amount, self.available, grant.side))


@dataclass
class Stretch:
    """Subscribed to a version of a product in [starts, ends)."""

    product: str
    version: int
    starts: datetime
    ends: datetime | None = None

    @property
    def prices(self) -> list[dict[str, Any]]:
        return catalogue.PRODUCTS[self.product][self.version - 1]

    def holds(self, moment: datetime) -> bool:
        return self.starts <= moment and (self.ends is None or moment < self.ends)


@dataclass
class Customer:
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)
    stretches: list[Stretch] = field(default_factory=list)
    counts: dict[tuple[Any, ...], tuple[Fraction, Fraction]] = field(default_factory=dict)

    def account(self, name: str, asset: str) -> Account:
        limit = Fraction(2**63 - 1, 10 ** catalogue.SCALES[asset])
        return self.accounts.setdefault((name, asset), Account(limit))

    def put_on(self, product: str, version: int, now: datetime) -> None:
        self.stretches.append(Stretch(product, version, now))
        for price in self.stretches[-1].prices:
            for pricing in price["pricing"]:
                self.account(collected_from(price), pricing["asset"])

    def last_on(self, product: str) -> Stretch:
        return [stretch for stretch in self.stretches if stretch.product == product][-1]


def collected_from(price: dict[str, Any]) -> str:
    address: str = price.get("collection", {}).get("address", "default")
    return address
