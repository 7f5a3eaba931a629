"""Money of a top-up that goes back to who paid it, by refund or dispute, and the credit that goes
with it. Pure.

Amounts are units of the payment's currency, credit is units of the asset that was bought. Each fact
takes credit along in proportion, so that parts add up to the whole: the top-up's own grant first,
then what of it had expired (that is nobody's credit any more), then other credit, then overdraft.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, NamedTuple

from credyt_mcp import ids
from credyt_mcp.domain.book import Book, Customer
from credyt_mcp.domain.earnings import earn, revalued
from credyt_mcp.domain.grants import DEFAULT_PRIORITY, Basis, Grant, shares
from credyt_mcp.domain.ledger import Account, Entry, Transaction, move
from credyt_mcp.domain.margins import Earned
from credyt_mcp.domain.money import Asset
from credyt_mcp.domain.transfers import TopUp, funding

REVERSAL_OF = {"refund": "refund_reversal", "dispute_withdrawal": "dispute_reinstatement"}
"""Kinds of ledger transactions: what takes credit back, and what returns it."""

DISPUTED = ("inquiry", "open")
"""Statuses of a dispute that is not decided yet."""


@dataclass(frozen=True)
class Bought:
    """What a top-up bought, once and for all; `basis` as in `Grant`. The first of `grant_ids` is of
    the credit, the others of what of it was taken and came back."""

    top_up_id: str
    account_name: str
    asset: Asset
    grant_ids: tuple[int, ...]
    units: int
    basis: Basis | None
    expires_at: int | None

    @property
    def expiry_keys(self) -> list[bytes]:
        """Keys of the transactions by which its credit expired, if it did."""
        return [ids.text_key("expiry", str(grant_id)) for grant_id in self.grant_ids]


@dataclass(eq=False)
class Reversal:
    """A refund, or a dispute, of one top-up. While `is_out`, its `amount` is out of our hands, or
    on its way, and `credit` units were taken from the customer for it; `taken` tells from where,
    and afterwards which grants brought it back.
    An undecided dispute has `frozen` units set aside in `account`. `movements` are the provider's
    ids of the money that a dispute moved. Moments are microseconds; `next_poll_at` is real time.
    """

    tenant_id: int
    customer_id: int
    public_id: str
    top_up_id: str
    kind: Literal["refund", "dispute"]
    origin: Literal["api", "provider"]
    provider: str
    external_id: str | None
    status: str
    amount: int
    created_at: int
    next_poll_at: int | None
    reason: str | None = None
    is_out: bool = False
    credit: int = 0
    frozen: int = 0
    taken: dict[str, Any] = field(default_factory=dict)
    movements: list[str] = field(default_factory=list)
    settled_at: int | None = None
    account: Account | None = None
    id: int | None = None

    @property
    def is_against_us(self) -> bool:
        """Whether it is a dispute that is undecided, or was lost."""
        return self.kind == "dispute" and self.status in (*DISPUTED, "lost")


class Room(NamedTuple):
    """What of a top-up can go back: `refundable` pays for the `credit` that is still unspent and
    not held; `left` is what was paid and not refunded, spent or not. Both in the currency."""

    refundable: int
    credit: int
    left: int


def room(
    paid: int, currency: Asset, bought: Bought, known: Sequence[Reversal], account: Account
) -> Room:
    """Nothing can be refunded while a dispute is open, since it may take the same money."""
    out = sum(one.amount for one in known if one.is_out)
    taken = sum(one.credit for one in known if one.is_out)
    own = own_grants(account, bought, known)
    credit = max(0, min(sum(grant.remaining for grant in own), account.available))
    left = max(0, paid - out)
    if any(one.kind == "dispute" and one.status in DISPUTED for one in known):
        return Room(0, credit, 0)
    worth = (taken + credit) * paid // bought.units - out if bought.units else left
    refundable = max(0, min(worth, left))
    minor_unit: int = 10 ** (currency.scale - currency.precision)
    return Room(refundable - refundable % minor_unit, credit, left)


def credit_for(paid: int, bought: Bought, known: Sequence[Reversal], amount: int) -> int:
    """The credit that goes back with `amount` beside what is out: the parts of a top-up take as
    much as the whole would. More than was paid takes more than was bought."""
    out = sum(one.amount for one in known if one.is_out)
    taken = sum(one.credit for one in known if one.is_out)
    whole: int = round(Fraction((out + amount) * bought.units, paid))
    return max(0, whole - taken)


def own_grants(account: Account, bought: Bought, known: Sequence[Reversal]) -> list[Grant]:
    """What is left of the credit that the top-up bought."""
    own = {bought.grant_ids[0], *(one for back in known for one in back.taken.get("returned", ()))}
    return [one for one in account.grants if one.id in own and one.booked]


def take(
    book: Book, customer: Customer, bought: Bought, reversal: Reversal, kind: str, key: bytes
) -> Account:
    """Take the credit that goes with a reversal's amount, in full whatever the balance."""
    top_up: TopUp = book.top_ups[reversal.tenant_id, reversal.top_up_id]
    known = book.reversals[reversal.tenant_id, reversal.top_up_id]
    account = book.wallet_account(customer, bought.account_name, bought.asset)
    own = own_grants(account, bought, known)
    units = credit_for(top_up.paid, bought, known, reversal.amount)
    lapsed = _lapsed(book, customer.tenant_id, bought, known)
    lapsed = min(lapsed, max(0, units - sum(grant.remaining for grant in own)))
    debit = units - lapsed
    parts = shares([grant for grant in account.grants if grant.booked], debit, own)
    instead = [(grant, share) for grant, share in parts if grant not in own]
    overdraft = debit - sum(share for _, share in parts)
    earned = revalued(account, instead, overdraft, bought.basis, book.find_rate)
    book.touch(reversal)
    reversal.is_out, reversal.credit = True, units
    reversal.taken = {
        "parts": [[*_part(grant, share), int(grant in own)] for grant, share in parts],
        "overdraft": overdraft,
        "lapsed": lapsed,
        "earned": earned,
    }
    entries = [book.debit(account, debit, own)] if debit else []
    entries += _breakage(book, account, -lapsed)
    entries += funding(book, top_up, account.asset, -reversal.amount, -units)
    _record(book, reversal, account, kind, key, -debit, entries, [], earned)
    return account


def give_back(book: Book, customer: Customer, bought: Bought, reversal: Reversal, kind: str) -> int:
    """Undo what `take` did under `kind`: each parcel comes back as it was; answers the units that
    the wallet got."""
    top_up: TopUp = book.top_ups[reversal.tenant_id, reversal.top_up_id]
    account = book.wallet_account(customer, bought.account_name, bought.asset)
    taken = reversal.taken
    grants = [_parcel(book, *part) for part in taken["parts"]]
    if taken["overdraft"]:
        # It had been used before it was taken; if that debt was paid since, it can be used again.
        lives = bought.expires_at is not None and bought.expires_at > book.now
        basis = None if bought.basis is None else str(bought.basis)
        end = bought.expires_at if lives else None
        spent = _parcel(book, "paid", DEFAULT_PRIORITY, taken["overdraft"], basis, end, 1)
        grants.insert(0, spent)
    returned = [grant.id for grant in grants if grant.id is not None]
    entries = [book.credit(account, grant) for grant in grants]
    entries += _breakage(book, account, taken["lapsed"])
    entries += funding(book, top_up, account.asset, reversal.amount, reversal.credit)
    earned = {code: -units for code, units in taken["earned"].items()}
    credited = sum(grant.amount for grant in grants)
    number = str(len(reversal.movements))
    key = ids.text_key(REVERSAL_OF[kind], reversal.public_id, number)
    _record(book, reversal, account, REVERSAL_OF[kind], key, credited, entries, grants, earned)
    book.touch(reversal)
    reversal.is_out, reversal.credit, reversal.taken = False, 0, {"returned": returned}
    return credited


def _lapsed(book: Book, tenant_id: int, bought: Bought, known: Sequence[Reversal]) -> int:
    """What of the top-up's credit expired, and has not gone back yet."""
    expiries = [book.transactions.get((tenant_id, key)) for key in bought.expiry_keys]
    gone: int = sum(one.taken["lapsed"] for one in known if one.is_out)
    return -sum(one.amount for one in expiries if one is not None) - gone


def _breakage(book: Book, account: Account, units: int) -> list[Entry]:
    if not units:
        return []
    return [move(book.business_account(account.tenant_id, "breakage", account.asset), units)]


def _part(grant: Grant, share: int) -> list[Any]:
    basis = None if grant.basis is None else str(grant.basis)
    return [grant.purpose, grant.priority, share, basis, grant.expires_at]


def _parcel(
    book: Book,
    purpose: str,
    priority: int,
    units: int,
    basis: str | None,
    expires_at: int | None,
    is_own: int,
) -> Grant:
    return Grant(
        id=book.take_id() if is_own else None,
        purpose=purpose,
        source="refund",
        priority=priority,
        amount=units,
        remaining=units,
        effective_at=book.now,
        expires_at=expires_at,
        basis=None if basis is None else Basis.parse(basis),
    )


def _record(
    book: Book,
    reversal: Reversal,
    account: Account,
    kind: str,
    key: bytes,
    amount: int,
    entries: list[Entry],
    grants: list[Grant],
    earned: Earned,
) -> None:
    transaction = Transaction(
        tenant_id=reversal.tenant_id,
        kind=kind,
        key=key,
        client_id=reversal.public_id,
        customer_id=reversal.customer_id,
        account=account,
        amount=amount,
        recorded_at=book.now,
        executed_at=book.now,
        details={"top_up_id": reversal.top_up_id},
        entries=entries,
        grants=[(account, grant) for grant in grants],
    )
    earn(book, transaction, earned)
    book.record(transaction)
