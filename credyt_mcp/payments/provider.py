"""What a payment provider must be able to do. The same for Stripe, the sandbox and any other.

A provider keeps its own truth; we ask for it (`fetch`) and never trust a redirect or a callback.
Amounts are integers in the currency's minor unit, as providers count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from credyt_mcp.domain.declines import decline
from credyt_mcp.domain.disputes import DisputeSnapshot
from credyt_mcp.domain.provider_events import ProviderEvent
from credyt_mcp.domain.refunds import RefundSnapshot
from credyt_mcp.errors import NotFound

PaymentStatus = Literal["initiated", "pending", "succeeded", "failed", "expired"]
ChargeStatus = Literal["succeeded", "pending", "failed", "needs_customer"]


@dataclass(frozen=True)
class CheckoutRequest:
    """A one-off payment; `key` makes asking twice the same as asking once.

    With `save_card` the provider keeps the card, for charges of the customer `customer_key` names.
    With `setup` that is all it does: nothing is paid, and the amount is 0.
    """

    key: str
    tenant_id: int
    amount_minor: int
    currency: str
    description: str
    return_url: str
    failure_url: str
    created_at: datetime
    expires_at: datetime
    save_card: bool = False
    customer_key: str | None = None
    setup: bool = False


@dataclass(frozen=True)
class CheckoutRef:
    """A hosted payment page: the provider's id for it, and where to send the customer."""

    id: str
    url: str


@dataclass(frozen=True)
class PaymentSnapshot:
    """The provider's present word on a payment. `card` is the saved one it was made with."""

    status: PaymentStatus
    amount_minor: int
    currency: str
    card: str | None = None


@dataclass(frozen=True)
class ChargeRequest:
    """A charge of a saved card while the customer is away: of `card` and no other, or else of
    `preferred_card`, or else of the newest."""

    key: str
    tenant_id: int
    customer_key: str
    amount_minor: int
    currency: str
    description: str
    card: str | None = None
    preferred_card: str | None = None


@dataclass(frozen=True)
class ChargeSnapshot:
    """What became of a charge; `needs_customer` when no card is saved, or its bank wants to hear
    the customer. `reason` may be shown to people; `code` is one of `domain.declines`,
    `payment` the provider's id of the payment that the charge made."""

    status: ChargeStatus
    amount_minor: int
    currency: str
    reason: str | None = None
    code: str | None = None
    payment: str | None = None


def declined(code: str, amount_minor: int, currency: str) -> ChargeSnapshot:
    """What became of a charge that was refused for that reason."""
    meaning = decline(code)
    status: ChargeStatus = "needs_customer" if meaning.kind == "needs_customer" else "failed"
    return ChargeSnapshot(status, amount_minor, currency, meaning.says, code)


@dataclass(frozen=True)
class SavedCard:
    """A card that the provider keeps; enough to tell it from another, and no more."""

    id: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    created_at: datetime


@dataclass(frozen=True)
class RefundRequest:
    """A refund of the payment `checkout_id`, in part or whole."""

    key: str
    tenant_id: int
    checkout_id: str
    amount_minor: int
    currency: str


class Reversals(NamedTuple):
    """All refunds and disputes of one payment, whoever made them."""

    refunds: tuple[RefundSnapshot, ...] = ()
    disputes: tuple[DisputeSnapshot, ...] = ()


@dataclass(frozen=True)
class PaidFor:
    """The payment of ours (a `CheckoutRequest.key`) that an object of the provider's is for."""

    key: str
    checkout_id: str | None


class PaymentProvider(Protocol):
    """Every method raises ProviderUnavailable when the outcome is not known: ask again later, with
    the same key."""

    name: str

    def create_checkout(self, request: CheckoutRequest) -> CheckoutRef: ...

    def fetch(self, checkout_id: str) -> PaymentSnapshot:
        """Raises NotFound for an id that is not the provider's."""

    def close_checkout(self, checkout_id: str) -> PaymentSnapshot:
        """Close a payment page that is still open; answers how it stands, which may be paid."""

    def charge(self, request: ChargeRequest) -> ChargeSnapshot:
        """Asked again under one key, answers what became of the first charge and makes no other,
        however long ago that was."""

    def call_off(self, tenant_id: int, key: str) -> ChargeSnapshot | None:
        """Make sure that nothing (more) is taken under a charge's key; answers what became of the
        charge if it was made, else None."""

    def cards(self, tenant_id: int, customer_key: str) -> list[SavedCard]:
        """Cards that are kept for a customer, newest first."""

    def remove_card(self, tenant_id: int, customer_key: str, card: str) -> None:
        """Raises NotFound for a card that is not kept for the customer."""

    def refund(self, request: RefundRequest) -> RefundSnapshot:
        """Asked again under one key, answers what became of the first refund and makes no other,
        however long ago that was. A refusal is a refund that `failed`."""

    def reversals(self, checkout_id: str) -> Reversals:
        """Raises NotFound for an id that is not the provider's."""


class EventProvider(PaymentProvider, Protocol):
    """A provider that tells us when something happens."""

    def read_webhook(self, body: bytes, signature: str | None) -> ProviderEvent: ...

    def paid_for(self, event: ProviderEvent) -> PaidFor | None: ...

    def undelivered(self, since: datetime) -> Iterator[ProviderEvent]: ...


@dataclass(frozen=True)
class Providers:
    """Which provider takes the payments of an environment, and which took those of before."""

    sandbox: PaymentProvider
    stripe: EventProvider | None = None
    stripe_environment: Literal["test", "live"] = "test"

    def of(self, environment: str) -> PaymentProvider:
        """Stripe in the environment that its key is for; else the sandbox, which takes nothing in
        live."""
        if self.stripe is not None and environment == self.stripe_environment:
            return self.stripe
        return self.sandbox

    def named(self, name: str, environment: str) -> PaymentProvider:
        """The provider that a payment was begun with. Raises NotFound where it is not configured
        any more."""
        for provider in (self.of(environment), self.sandbox):
            if provider.name == name:
                return provider
        raise NotFound(f"the payment provider '{name}' of this payment is not configured")
