"""Payments that somebody else's system collects and tells us of as adjustments, and their refunds.
Pure.

The provider's own reference counts once, whatever transaction id it comes with. A refund names the
payment it is of, and never gives back more than that.
"""

from __future__ import annotations

from dataclasses import dataclass

from credyt_mcp import ids
from credyt_mcp.domain.book import Book, Customer
from credyt_mcp.domain.grants import Grant
from credyt_mcp.domain.ledger import Account, Transaction
from credyt_mcp.domain.money import from_units
from credyt_mcp.errors import AmountOutOfRange, IdReused, UnknownReference


@dataclass(frozen=True)
class ExternalReference:
    """Who collected, how they call this fact, and the payment of theirs that it refunds."""

    tenant_id: int
    provider: str
    reference: str
    refund_of: str | None = None

    @property
    def key(self) -> tuple[int, bytes]:
        return self.tenant_id, external_key(self.provider, self.reference)

    @property
    def original_key(self) -> tuple[int, bytes] | None:
        if self.refund_of is None:
            return None
        return self.tenant_id, external_key(self.provider, self.refund_of)

    @property
    def keys(self) -> list[tuple[int, bytes]]:
        return [self.key] if self.original_key is None else [self.key, self.original_key]


@dataclass(eq=False)
class ExternalPayment:
    """A fact that was told. `transaction_key` is of its ledger transaction; amounts are units of
    the account's asset; `grant_id` is of the credit that a payment became."""

    tenant_id: int
    key: bytes
    transaction_key: bytes
    client_id: str
    customer_id: int
    account: str
    amount: int
    recorded_at: int
    refunded: int = 0
    grant_id: int | None = None
    is_new: bool = False


def external_key(provider: str, reference: str) -> bytes:
    return ids.text_key("external", provider.casefold(), reference)


def told_before(
    book: Book, customer: Customer, external: ExternalReference, account: Account, amount: int
) -> ExternalPayment | None:
    """The fact as it was told before. Raises IdReused if it was told otherwise."""
    known = book.externals.get(external.key)
    if known is None:
        return None
    if (known.customer_id, known.account, known.amount) != (customer.id, account.label, amount):
        raise IdReused(
            f"external_reference '{external.reference}' of {external.provider} was already used "
            f"for another amount, account or customer"
        )
    return known


def refunded_grant(
    book: Book, customer: Customer, external: ExternalReference, account: Account, units: int
) -> list[Grant]:
    """What is left of the credit of the payment that `units` are refunded of, now that they are.

    Raises UnknownReference for a payment that this wallet account did not get, AmountOutOfRange for
    more than is left of it.
    """
    if external.original_key is None:
        return []
    original = book.externals.get(external.original_key)
    if (
        original is None
        or original.amount <= 0
        or (original.customer_id, original.account) != (customer.id, account.label)
    ):
        raise UnknownReference(
            "refund_of",
            f"{account.label} of this customer got no payment '{external.refund_of}' of "
            f"{external.provider}",
        )
    left = original.amount - original.refunded
    if units > left:
        said = f"{from_units(left, account.asset):f} {account.asset.code}"
        raise AmountOutOfRange("amount", f"only {said} is left of that payment to refund")
    book.touch(original)
    original.refunded += units
    return [one for one in account.grants if one.id == original.grant_id and one.booked]


def remember(
    book: Book,
    external: ExternalReference,
    transaction: Transaction,
    grant: Grant | None,
) -> None:
    payment = ExternalPayment(
        tenant_id=external.tenant_id,
        key=external.key[1],
        transaction_key=transaction.key,
        client_id=transaction.client_id,
        customer_id=transaction.customer_id,
        account=transaction.account.label,
        amount=transaction.amount,
        recorded_at=transaction.recorded_at,
        grant_id=None if grant is None else grant.id,
        is_new=True,
    )
    book.add_external(payment)
