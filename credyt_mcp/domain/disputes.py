"""Disputes of top-ups, as the customer's bank decides them. Pure.

While a dispute is open, the credit that the disputed money bought is frozen: it stays in the
balance and is not available. It is debited when the provider's money is withdrawn, and comes back
when that is reinstated. Each movement of money counts once, by the provider's id of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from credyt_mcp import ids
from credyt_mcp.domain.auto_top_ups import freeze, thaw
from credyt_mcp.domain.book import Book, Customer, CustomerRef
from credyt_mcp.domain.ledger import Account
from credyt_mcp.domain.money import from_units, within_range
from credyt_mcp.domain.refunds import RefundSnapshot, book_refund, major_units
from credyt_mcp.domain.reversals import DISPUTED, Bought, Reversal, credit_for, give_back, take
from credyt_mcp.domain.transfers import TopUp

FROZEN = "A payment is disputed."
"""Why a customer's automatic top-ups are stopped."""

DisputeStatus = Literal["inquiry", "open", "won", "lost", "closed"]


class Movement(NamedTuple):
    """Disputed money that the provider took from the business, or brought back."""

    id: str
    kind: Literal["withdrawn", "reinstated"]


@dataclass(frozen=True)
class DisputeSnapshot:
    """The provider's present word on a dispute, with its movements in order. Minor units."""

    id: str
    status: DisputeStatus
    amount_minor: int
    currency: str
    movements: tuple[Movement, ...] = ()
    reason: str | None = None


@dataclass(frozen=True)
class BookReversals:
    """Book what the provider says of the refunds and disputes of one top-up: each change once,
    however often it is told."""

    ref: CustomerRef
    bought: Bought
    provider: str
    refunds: tuple[RefundSnapshot, ...]
    disputes: tuple[DisputeSnapshot, ...]
    next_poll_at: int

    @property
    def keys(self) -> list[tuple[int, bytes]]:
        return [(self.ref.tenant_id, key) for key in self.bought.expiry_keys]

    @property
    def top_up(self) -> tuple[int, str]:
        return self.ref.tenant_id, self.bought.top_up_id

    @property
    def on_auto_top_ups(self) -> bool:
        """A card whose payment is disputed is not charged again by itself."""
        return bool(self.disputes)

    def decide(self, book: Book) -> list[Reversal]:
        customer = book.customer(self.ref)
        for refund in self.refunds:
            book_refund(book, customer, self.bought, self.provider, refund, self.next_poll_at)
        for dispute in self.disputes:
            self._book_dispute(book, customer, dispute)
        return book.reversals[self.top_up]

    def _book_dispute(self, book: Book, customer: Customer, said: DisputeSnapshot) -> None:
        top_up: TopUp = book.top_ups[self.top_up]
        account = book.wallet_account(customer, self.bought.account_name, self.bought.asset)
        dispute = self._found(book, customer, top_up, account, said)
        for movement in said.movements:
            if movement.id in dispute.movements:
                continue
            _freeze(book, account, dispute, 0)
            book.touch(dispute)
            dispute.movements = [*dispute.movements, movement.id]
            self._move(book, customer, dispute, movement)
            _tell(book, customer, top_up, dispute, account, f"dispute.funds_{movement.kind}")
        decided = said.status not in DISPUTED and dispute.status != said.status
        book.touch(dispute)
        dispute.status = said.status
        self._freeze_what_is_open(book, top_up, account, dispute)
        if decided:
            dispute.settled_at = book.now
            if not book.disputes_against(customer):
                thaw(book, customer)
            _tell(book, customer, top_up, dispute, account, "dispute.closed")

    def _freeze_what_is_open(
        self, book: Book, top_up: TopUp, account: Account, dispute: Reversal
    ) -> None:
        is_open = dispute.status in DISPUTED and not dispute.is_out
        known = book.reversals[self.top_up]
        credit = credit_for(top_up.paid, self.bought, known, dispute.amount) if is_open else 0
        _freeze(book, account, dispute, credit)

    def _found(
        self,
        book: Book,
        customer: Customer,
        top_up: TopUp,
        account: Account,
        said: DisputeSnapshot,
    ) -> Reversal:
        for known in book.reversals[self.top_up]:
            if known.kind == "dispute" and known.external_id == said.id:
                return known
        dispute = Reversal(
            tenant_id=customer.tenant_id,
            customer_id=customer.id,
            public_id=ids.new_id("dsp"),
            top_up_id=top_up.public_id,
            kind="dispute",
            origin="provider",
            provider=self.provider,
            external_id=said.id,
            status=said.status if said.status in DISPUTED else "open",
            amount=major_units(said.amount_minor, said.currency, top_up.currency),
            created_at=book.now,
            next_poll_at=self.next_poll_at,
            reason=said.reason,
            account=account,
        )
        book.add_reversal(dispute)
        if said.status not in ("won", "closed"):
            freeze(book, customer, FROZEN)
        self._freeze_what_is_open(book, top_up, account, dispute)
        _tell(book, customer, top_up, dispute, account, "dispute.opened")
        return dispute

    def _move(self, book: Book, customer: Customer, dispute: Reversal, movement: Movement) -> None:
        """Movements alternate; one that says what is so already moves nothing."""
        if movement.kind == "withdrawn" and not dispute.is_out:
            key = ids.text_key("dispute", self.provider, movement.id)
            take(book, customer, self.bought, dispute, "dispute_withdrawal", key)
        elif movement.kind == "reinstated" and dispute.is_out:
            give_back(book, customer, self.bought, dispute, "dispute_withdrawal")


def _freeze(book: Book, account: Account, dispute: Reversal, credit: int) -> None:
    """Set aside so much for the dispute, also where the account has not so much."""
    if dispute.frozen == credit:
        return
    book.touch(account)
    book.touch(dispute)
    account.held = within_range(account.held + credit - dispute.frozen, account.asset)
    dispute.frozen = credit


def _tell(
    book: Book, customer: Customer, top_up: TopUp, dispute: Reversal, account: Account, kind: str
) -> None:
    details: dict[str, Any] = {
        "dispute_id": dispute.public_id,
        "top_up_id": top_up.public_id,
        "status": dispute.status,
        "amount": from_units(dispute.amount, top_up.currency),
        "currency": top_up.currency.code,
        "frozen": from_units(dispute.frozen, account.asset),
        "balance": from_units(account.balance, account.asset),
    }
    if dispute.reason is not None:
        details["reason"] = dispute.reason
    book.notice(kind, customer.tenant_id, customer.id, details, account)
