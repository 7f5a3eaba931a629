"""What a payment provider must be able to do. The same for Stripe, the sandbox and any other.

A provider keeps its own truth; we ask for it (`fetch`) and never trust a redirect or a callback.
Amounts are integers in the currency's minor unit, as providers count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

PaymentStatus = Literal["initiated", "pending", "succeeded", "failed", "expired"]


@dataclass(frozen=True)
class CheckoutRequest:
    """A one-off payment; `key` makes asking twice the same as asking once."""

    key: str
    tenant_id: int
    amount_minor: int
    currency: str
    description: str
    return_url: str
    failure_url: str
    created_at: datetime
    expires_at: datetime


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


class PaymentProvider(Protocol):
    name: str

    def create_checkout(self, request: CheckoutRequest) -> CheckoutRef: ...

    def fetch(self, checkout_id: str) -> PaymentSnapshot:
        """Raises NotFound for an id that is not the provider's."""
