"""Refunds of top-ups: asked for here, or made at the provider's. Pure.

The wallet is debited before the provider is asked, and gets it back if the provider refuses. What
the provider says of a refund is booked once, however often it says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from credyt_mcp import ids
from credyt_mcp.domain.book import Book, Customer, CustomerRef
from credyt_mcp.domain.ledger import Account
from credyt_mcp.domain.money import Asset, from_units
from credyt_mcp.domain.reversals import Bought, Reversal, Room, give_back, room, take
from credyt_mcp.domain.transfers import TopUp
from credyt_mcp.errors import AmountOutOfRange, IdReused, LedgerBroken, QuoteOutdated, WrongState

RefundStatus = Literal["pending", "succeeded", "failed"]


@dataclass(frozen=True)
class RefundSnapshot:
    """The provider's present word on a refund; `key` is ours if we asked for it. Minor units."""

    id: str
    status: RefundStatus
    amount_minor: int
    currency: str
    key: str | None = None
    reason: str | None = None


class Requested(NamedTuple):
    reversal: Reversal
    repeated: bool


@dataclass(frozen=True)
class RefundTopUp:
    """Debit the wallet for a refund of `amount` units of the payment's currency, before the
    provider is asked. `quoted` is what could be refunded when the caller looked."""

    ref: CustomerRef
    bought: Bought
    refund_id: str
    client_id: str
    provider: str
    amount: int
    quoted: int
    include_spent: bool
    reason: str | None
    next_poll_at: int

    @property
    def keys(self) -> list[tuple[int, bytes]]:
        return [(self.ref.tenant_id, key) for key in (self._key, *self.bought.expiry_keys)]

    @property
    def top_up(self) -> tuple[int, str]:
        return self.ref.tenant_id, self.bought.top_up_id

    @property
    def _key(self) -> bytes:
        return ids.text_key("refund", self.client_id)

    def decide(self, book: Book) -> Requested:
        customer = book.customer(self.ref)
        top_up: TopUp = book.top_ups[self.top_up]
        if repeated := self._repeated(book):
            return Requested(repeated, repeated=True)
        if top_up.status != "succeeded":
            raise WrongState(f"top-up '{top_up.public_id}' is {top_up.status}: nothing was paid")
        account = book.wallet_account(customer, self.bought.account_name, self.bought.asset)
        known = book.reversals[self.top_up]
        self._check(room(top_up.paid, top_up.currency, self.bought, known, account), top_up)
        reversal = Reversal(
            tenant_id=customer.tenant_id,
            customer_id=customer.id,
            public_id=self.refund_id,
            top_up_id=top_up.public_id,
            kind="refund",
            origin="api",
            provider=self.provider,
            external_id=None,
            status="pending",
            amount=self.amount,
            created_at=book.now,
            next_poll_at=self.next_poll_at,
            reason=self.reason,
        )
        book.add_reversal(reversal)
        take(book, customer, self.bought, reversal, "refund", self._key)
        tell_refund(book, customer, top_up, reversal, account, "refund.created")
        return Requested(reversal, repeated=False)

    def _repeated(self, book: Book) -> Reversal | None:
        """The refund already made under this id. Raises IdReused if it says otherwise."""
        known = book.transactions.get((self.ref.tenant_id, self._key))
        if known is None:
            return None
        for reversal in book.reversals[self.top_up]:
            if reversal.public_id == known.client_id and reversal.amount == self.amount:
                return reversal
        raise IdReused(f"refund_id '{self.client_id}' was already used for another refund")

    def _check(self, left: Room, top_up: TopUp) -> None:
        currency = top_up.currency
        if self.quoted != left.refundable:
            raise QuoteOutdated(
                f"{from_units(left.refundable, currency):f} {currency.code} can be refunded now, "
                f"not {from_units(self.quoted, currency):f}"
            )
        most = left.left if self.include_spent else left.refundable
        if self.amount > most:
            said = "left of the payment" if self.include_spent else "of it unspent"
            raise AmountOutOfRange(
                "amount", f"is more than the {from_units(most, currency):f} {currency.code} {said}"
            )


def book_refund(
    book: Book,
    customer: Customer,
    bought: Bought,
    provider: str,
    said: RefundSnapshot,
    next_poll_at: int,
) -> None:
    """Book what the provider says of a refund of a top-up; one that is new was made elsewhere, and
    the wallet is debited in full, whatever its balance.

    Raises LedgerBroken where it refunds another amount than we asked for.
    """
    top_up: TopUp = book.top_ups[customer.tenant_id, bought.top_up_id]
    reversal = _found(book, customer, bought, said)
    amount = major_units(said.amount_minor, said.currency, top_up.currency)
    if reversal is None:
        if said.status == "failed":
            return
        reversal = Reversal(
            tenant_id=customer.tenant_id,
            customer_id=customer.id,
            public_id=ids.new_id("rfd"),
            top_up_id=top_up.public_id,
            kind="refund",
            origin="provider",
            provider=provider,
            external_id=said.id,
            status="pending",
            amount=amount,
            created_at=book.now,
            next_poll_at=next_poll_at,
            reason=said.reason,
        )
        book.add_reversal(reversal)
        key = ids.text_key("refund", provider, said.id)
        account = take(book, customer, bought, reversal, "refund", key)
        tell_refund(book, customer, top_up, reversal, account, "refund.created")
    if reversal.amount != amount:
        raise LedgerBroken(f"refund {reversal.public_id} is of another amount than asked")
    _advance(book, customer, bought, reversal, said)


def _found(book: Book, customer: Customer, bought: Bought, said: RefundSnapshot) -> Reversal | None:
    for reversal in book.reversals[customer.tenant_id, bought.top_up_id]:
        same = reversal.external_id == said.id if reversal.external_id else False
        if reversal.kind == "refund" and (same or reversal.public_id == said.key):
            return reversal
    return None


def _advance(
    book: Book, customer: Customer, bought: Bought, reversal: Reversal, said: RefundSnapshot
) -> None:
    """A refund may fail even after it had succeeded: the customer's bank may send it back."""
    if reversal.external_id is None and said.id:
        book.touch(reversal)
        reversal.external_id = said.id
    if said.status in ("pending", reversal.status) or reversal.status == "failed":
        return
    book.touch(reversal)
    reversal.status, reversal.settled_at = said.status, book.now
    top_up: TopUp = book.top_ups[customer.tenant_id, bought.top_up_id]
    account = book.wallet_account(customer, bought.account_name, bought.asset)
    credit = reversal.credit
    if said.status == "failed":
        reversal.reason = said.reason or reversal.reason
        give_back(book, customer, bought, reversal, "refund")
    tell_refund(book, customer, top_up, reversal, account, f"refund.{said.status}", credit)


def tell_refund(
    book: Book,
    customer: Customer,
    top_up: TopUp,
    reversal: Reversal,
    account: Account,
    kind: str,
    credit: int | None = None,
) -> None:
    details = {
        "refund_id": reversal.public_id,
        "top_up_id": top_up.public_id,
        "amount": from_units(reversal.amount, top_up.currency),
        "currency": top_up.currency.code,
        "credit": from_units(reversal.credit if credit is None else credit, account.asset),
        "balance": from_units(account.balance, account.asset),
        "origin": reversal.origin,
    }
    if reversal.reason is not None:
        details["reason"] = reversal.reason
    book.notice(kind, customer.tenant_id, customer.id, details, account)


def major_units(amount_minor: int, code: str, currency: Asset) -> int:
    """A provider's amount in ledger units. Raises LedgerBroken in another currency than paid."""
    if code != currency.code:
        raise LedgerBroken(f"a payment in {currency.code} was refunded in {code}")
    units: int = amount_minor * 10 ** (currency.scale - currency.precision)
    return units
