"""Money facts that are not usage: adjustments, charges, and top-ups that were paid. Pure.

Each is a command: `ref` names the wallet, `keys` the ids that must not have been used before,
`decide` changes a book or raises a CredytError and changes nothing that is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from credyt_mcp import ids
from credyt_mcp.domain.auto_top_ups import settled
from credyt_mcp.domain.book import Book, Customer, CustomerRef
from credyt_mcp.domain.earnings import adjustment_basis, earn, paid_basis, worth
from credyt_mcp.domain.external_payments import (
    ExternalPayment,
    ExternalReference,
    refunded_grant,
    remember,
    told_before,
)
from credyt_mcp.domain.grants import (
    DEFAULT_PRIORITY,
    PURPOSE_OF_REASON,
    Grant,
    Purpose,
    Reason,
)
from credyt_mcp.domain.ledger import Account, AccountKind, Entry, Transaction, move
from credyt_mcp.domain.money import Asset, from_units, within_range
from credyt_mcp.errors import IdReused

_FUNDING_SIDE: dict[Reason, AccountKind] = {
    "gift": "promotion",
    "external_topup": "funding",
    "external_refund": "funding",
    "other": "adjustment",
}
_SAID = ("reason", "provider", "external_reference", "refund_of")
"""Details in which a repeat is equal."""


@dataclass(frozen=True)
class Recorded:
    """A transaction in the book; `repeated` when it had been recorded before."""

    transaction: Transaction
    repeated: bool


@dataclass(frozen=True)
class Adjust:
    """An operator's credit (positive `amount` units) or debit (negative)."""

    ref: CustomerRef
    transaction_id: str
    account_name: str
    asset: Asset
    amount: int
    reason: Reason
    description: str | None
    effective_at: int | None
    expires_at: int | None
    details: dict[str, Any] = field(default_factory=dict)
    purpose: Purpose | None = None
    external: ExternalReference | None = None

    @property
    def keys(self) -> list[tuple[int, bytes]]:
        return [(self.ref.tenant_id, ids.client_key(self.transaction_id))]

    @property
    def external_keys(self) -> list[tuple[int, bytes]]:
        return [] if self.external is None else self.external.keys

    def decide(self, book: Book) -> Recorded | ExternalPayment:
        customer = book.customer(self.ref)
        details = {"reason": self.reason, **self.details}
        if self.effective_at is not None:
            details["effective_at"] = self.effective_at
        if self.expires_at is not None:
            details["expires_at"] = self.expires_at
        account = book.wallet_account(customer, self.account_name, self.asset)
        draft = _draft(book, self, "adjustment", customer, account, details)
        if self.external and (
            told := told_before(book, customer, self.external, account, self.amount)
        ):
            return told
        if repeated := _repeated(book, draft):
            return repeated
        recorded, grant = self._record(book, customer, account, draft)
        if self.external:
            remember(book, self.external, draft, grant)
        return recorded

    def _record(
        self, book: Book, customer: Customer, account: Account, draft: Transaction
    ) -> tuple[Recorded, Grant | None]:
        grant: Grant | None = None
        effective_at = self.effective_at if self.effective_at is not None else book.now
        side = _FUNDING_SIDE[self.reason]
        business = book.business_account(customer.tenant_id, side, self.asset)
        if self.amount > 0:
            grant = Grant(
                id=book.take_id() if self.external else None,
                purpose=self.purpose or PURPOSE_OF_REASON[self.reason],
                source="adjustment",
                priority=DEFAULT_PRIORITY,
                amount=self.amount,
                remaining=self.amount,
                effective_at=effective_at,
                expires_at=self.expires_at,
                booked=effective_at <= book.now,
                basis=adjustment_basis(account, self.reason, book.find_rate),
            )
            draft.grants.append((account, grant))
            if not grant.booked:
                draft.executed_at = None
                within_range(account.balance + account.pending + self.amount, self.asset)
                book.touch(account)
                account.grants = [*account.grants, grant]
                book.record(draft)
                return Recorded(draft, repeated=False), grant
            entry = book.credit(account, grant)
        else:
            own: list[Grant] = []
            if self.external:
                own = refunded_grant(book, customer, self.external, account, -self.amount)
            entry = book.debit(account, -self.amount, own)
        draft.entries = [entry, move(business, -self.amount)]
        book.record(draft)
        return Recorded(draft, repeated=False), grant


@dataclass(frozen=True)
class Charge:
    """An ad-hoc debit of `amount` units (positive), billed in full whatever the balance."""

    ref: CustomerRef
    transaction_id: str
    account_name: str
    asset: Asset
    amount: int
    description: str | None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def keys(self) -> list[tuple[int, bytes]]:
        return [(self.ref.tenant_id, ids.client_key(self.transaction_id))]

    def decide(self, book: Book) -> Recorded:
        customer = book.customer(self.ref)
        account = book.wallet_account(customer, self.account_name, self.asset)
        draft = _draft(book, self, "charge", customer, account, self.details)
        if repeated := _repeated(book, draft):
            return repeated
        revenue = book.business_account(customer.tenant_id, "revenue", self.asset)
        if self.amount:
            earn(book, draft, worth(account, self.amount, book.find_rate))
            draft.entries = [book.debit(account, self.amount), move(revenue, self.amount)]
        book.record(draft)
        return Recorded(draft, repeated=False)


@dataclass(eq=False)
class TopUp:
    """A payment under way, as the book needs it; amounts in units of their assets."""

    id: int
    tenant_id: int
    public_id: str
    account_name: str
    status: str
    paid: int
    currency: Asset
    credit_expires_at: int | None
    settled_at: int | None = None
    exchange_rate: str | None = None
    provider_ref: str | None = None


@dataclass(frozen=True)
class SettleTopUp:
    """Close a top-up as its provider says, crediting the wallet if it was paid: exactly once,
    however often this is asked. `credited` units are what `paid` bought; `card` is the provider's
    id of a card that was saved with the payment, `payment` that of a charge without a page."""

    ref: CustomerRef
    public_id: str
    status: str
    destination: Asset
    credited: int
    card: str | None = None
    payment: str | None = None

    on_auto_top_ups = True

    @property
    def keys(self) -> list[tuple[int, bytes]]:
        return []

    @property
    def top_up(self) -> tuple[int, str]:
        return self.ref.tenant_id, self.public_id

    def decide(self, book: Book) -> str:
        top_up: TopUp = book.top_ups[self.top_up]
        # A payment that arrives after we called the link expired is still the customer's money.
        if top_up.status == "succeeded" or top_up.status == self.status:
            return top_up.status
        if top_up.status in ("failed", "expired") and self.status != "succeeded":
            return top_up.status
        book.touch(top_up)
        top_up.status, top_up.settled_at = self.status, book.now
        if self.status == "succeeded":
            top_up.provider_ref = self.payment or top_up.provider_ref
            account = self._credit(book, top_up)
            credited = from_units(self.credited, account.asset)
            self._tell(book, top_up, {"credited": credited}, account)
        elif self.status == "failed":
            self._tell(book, top_up, {})
        settled(book, top_up.tenant_id, top_up.public_id, top_up.status, self.card)
        return top_up.status

    def _tell(
        self, book: Book, top_up: TopUp, more: dict[str, Any], account: Account | None = None
    ) -> None:
        customer = book.customer(self.ref)
        paid = from_units(top_up.paid, top_up.currency)
        details = {"top_up_id": top_up.public_id, "amount": paid, "currency": top_up.currency.code}
        book.notice(
            f"top_up.{top_up.status}", customer.tenant_id, customer.id, details | more, account
        )

    def _credit(self, book: Book, top_up: TopUp) -> Account:
        customer = book.customer(self.ref)
        account = book.wallet_account(customer, top_up.account_name, self.destination)
        grant = Grant(
            id=None,
            purpose="paid",
            source="top_up",
            priority=DEFAULT_PRIORITY,
            amount=self.credited,
            remaining=self.credited,
            effective_at=book.now,
            expires_at=top_up.credit_expires_at,
            basis=paid_basis(account.asset, top_up.paid, top_up.currency, self.credited),
        )
        transaction = Transaction(
            tenant_id=top_up.tenant_id,
            kind="top_up",
            key=ids.text_key("top_up", top_up.public_id),
            client_id=top_up.public_id,
            customer_id=customer.id,
            account=account,
            amount=self.credited,
            recorded_at=book.now,
            executed_at=book.now,
            entries=[
                book.credit(account, grant),
                *funding(book, top_up, account.asset, top_up.paid, self.credited),
            ],
            grants=[(account, grant)],
        )
        book.record(transaction)
        return account


def funding(book: Book, top_up: TopUp, asset: Asset, paid: int, credited: int) -> list[Entry]:
    """The business side of `credited` units of `asset` bought for `paid` of the top-up's currency;
    both are negative where money goes back."""
    tenant, currency = top_up.tenant_id, top_up.currency
    entries = [move(book.business_account(tenant, "funding", currency), -paid)]
    if currency.code != asset.code:
        entries += [
            move(book.business_account(tenant, "trading", currency), paid),
            move(book.business_account(tenant, "trading", asset), -credited),
        ]
    return entries


def _draft(
    book: Book,
    command: Adjust | Charge,
    kind: str,
    customer: Customer,
    account: Account,
    details: dict[str, Any],
) -> Transaction:
    return Transaction(
        tenant_id=customer.tenant_id,
        kind=kind,
        key=ids.client_key(command.transaction_id),
        client_id=command.transaction_id,
        customer_id=customer.id,
        account=account,
        amount=command.amount,
        recorded_at=book.now,
        executed_at=book.now,
        description=command.description,
        details=details,
    )


def _repeated(book: Book, draft: Transaction) -> Recorded | None:
    """The transaction already recorded under this id. Raises IdReused if it says otherwise."""
    known = book.transactions.get((draft.tenant_id, draft.key))
    if known is None:
        return None
    same = (
        known.kind == draft.kind
        and known.customer_id == draft.customer_id
        and known.account is draft.account
        and known.amount == draft.amount
        and all(known.details.get(name) == draft.details.get(name) for name in _SAID)
    )
    if not same:
        raise IdReused(
            f"transaction_id '{draft.client_id}' was already used for another {known.kind}"
        )
    return Recorded(known, repeated=True)
