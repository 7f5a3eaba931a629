"""What a payment provider must be able to do. The same for Stripe, the sandbox and any other.

A provider keeps its own truth; we ask for it (`fetch`) and never trust a redirect or a callback.
Amounts are integers in the currency's minor unit, as providers count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from credyt_mcp.domain.provider_events import ProviderEvent

PaymentStatus = Literal["initiated", "pending", "succeeded", "failed", "expired"]
ChargeStatus = Literal["succeeded", "pending", "failed", "needs_customer"]


@dataclass(frozen=True)
class CheckoutRequest:
    """A one-off payment; `key` makes asking twice the same as asking once.

    With `save_card` the provider keeps the card, for charges of the customer `customer_key` names.
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
    automatic_tax: bool = False
    """The provider adds the tax that is due; it is not part of `amount_minor`."""
    invoice: bool = False
    """The provider makes a paid invoice for the customer."""


@dataclass(frozen=True)
class CheckoutRef:
    """A hosted payment page: the provider's id for it, and where to send the customer."""

    id: str
    url: str


@dataclass(frozen=True)
class PaymentSnapshot:
    """The provider's present word on a payment."""

    status: PaymentStatus
    amount_minor: int
    currency: str


@dataclass(frozen=True)
class ChargeRequest:
    """A charge of the saved card while the customer is away."""

    key: str
    tenant_id: int
    customer_key: str
    amount_minor: int
    currency: str
    description: str


@dataclass(frozen=True)
class ChargeSnapshot:
    """What became of a charge; `needs_customer` when no card is saved, or its bank wants to hear
    the customer. `reason` may be shown to people."""

    status: ChargeStatus
    amount_minor: int
    currency: str
    reason: str | None = None


@dataclass(frozen=True)
class PageRef:
    """A payment page that an event told of, and where it is."""

    provider: str
    account: str
    id: str


@dataclass(frozen=True)
class PaidFor:
    """The payment of ours (a `CheckoutRequest.key`) that an object of the provider's is for."""

    key: str
    checkout_id: str | None


class PaymentProvider(Protocol):
    """Every method raises ProviderUnavailable when the outcome is not known: ask again later, with
    the same key."""

    name: str

    @property
    def page_origins(self) -> Sequence[str]:
        """Where its payment pages are, as far as that is known before."""

    @property
    def account(self) -> str:
        """The provider's id of the account that takes the money; empty where it has but one."""

    def check_amount(self, amount_minor: int, currency: str) -> None:
        """Raises AmountOutOfRange or UnknownReference for what could never be paid."""

    def limits(self, currency: str) -> tuple[int, int | None]:
        """The least and the most that it takes at once, in minor units."""

    def create_checkout(self, request: CheckoutRequest) -> CheckoutRef: ...

    def fetch(self, checkout_id: str) -> PaymentSnapshot:
        """Raises NotFound for an id that is not the provider's."""

    def close_checkout(self, checkout_id: str) -> PaymentSnapshot:
        """Close a payment page that is still open; answers how it stands, which may be paid."""

    def charge(self, request: ChargeRequest) -> ChargeSnapshot:
        """Asked again under one key, answers what became of the first charge and makes no other,
        however long ago that was."""


class EventProvider(PaymentProvider, Protocol):
    """A provider that tells us when something happens."""

    def read_webhook(self, body: bytes, signature: str | None) -> ProviderEvent: ...

    def paid_for(self, event: ProviderEvent) -> PaidFor | None:
        """Raises NotFound while there is no such object, or none that the key may see."""

    def undelivered(self, since: datetime) -> Iterator[ProviderEvent]: ...
