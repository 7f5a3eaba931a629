"""Double entry: accounts, entries, and the rules that build balanced transactions. Pure.

A transaction's entries sum to zero per asset. A conversion (USD pays for credits) is one
transaction through the two sides of a trading account. Nothing is ever changed or removed: a
correction is a new transaction.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from credyt_mcp.domain.grants import Grant
from credyt_mcp.domain.money import Asset, within_range
from credyt_mcp.errors import LedgerBroken

AccountKind = Literal[
    "wallet", "revenue", "funding", "promotion", "bundled", "adjustment", "breakage", "trading"
]
BUSINESS = 0
"""The `customer_id` of accounts on the tenant's own side."""


@dataclass(eq=False)
class Account:
    """One place in the ledger for one asset. Only wallet accounts have a live balance.

    `held` is the sum of open authorizations, which may take what is available down to
    -`overdraft_limit`; with `hard_limit` usage may not go further either. What is available
    falling below `top_up_below` begins an automatic top-up; None while nobody waits for that.
    """

    id: int | None
    tenant_id: int
    customer_id: int
    kind: AccountKind
    name: str
    asset: Asset
    balance: int = 0
    held: int = 0
    overdraft_limit: int = 0
    hard_limit: bool = False
    low_threshold: int | None = None
    low_noticed: bool = False
    top_up_below: int | None = None
    grants: list[Grant] = field(default_factory=list)

    @property
    def label(self) -> str:
        """The id a caller sees, `default:USD`."""
        return f"{self.name}:{self.asset.code}"

    @property
    def available(self) -> int:
        """Units that can be spent: the balance without what is held."""
        return self.balance - self.held

    @property
    def pending(self) -> int:
        """Credit that takes effect later and is not in the balance yet."""
        return sum(grant.remaining for grant in self.grants if not grant.booked)


class Entry(NamedTuple):
    """One leg: `amount` units into (positive) or out of (negative) `account`."""

    account: Account
    amount: int
    balance_after: int | None


@dataclass(eq=False)
class Transaction:
    """A balanced set of entries with what it was for. Moments are microseconds since 1970.

    `account` is the customer's where there is one, else the tenant's own that gains.
    """

    tenant_id: int
    kind: str
    key: bytes
    client_id: str
    customer_id: int
    account: Account
    amount: int
    recorded_at: int
    executed_at: int | None
    description: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    grants: list[tuple[Account, Grant]] = field(default_factory=list)
    id: int | None = None


def move(account: Account, units: int) -> Entry:
    """The entry that moves `units` into `account`, whose balance changes if it keeps one.

    Raises AmountOutOfRange when the balance would not fit 64 bits.
    """
    if account.customer_id == BUSINESS:
        return Entry(account, units, None)
    account.balance = within_range(account.balance + units, account.asset)
    return Entry(account, units, account.balance)


def must_balance(entries: list[Entry]) -> list[Entry]:
    """`entries` unchanged. Raises LedgerBroken unless they sum to zero for every asset."""
    sums: dict[str, int] = defaultdict(int)
    for entry in entries:
        sums[entry.account.asset.code] += entry.amount
    if any(sums.values()):
        raise LedgerBroken("a transaction's entries do not sum to zero")
    return entries
