"""What can be asked of the billing system in the simulation: plain facts, nothing that runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Cost:
    id: str
    amount: Decimal
    currency: str
    category: str | None
    vendor_external_id: str = "maker"


@dataclass(frozen=True)
class Event:
    id: str
    event_type: str
    occurred_at: datetime | None
    data: dict[str, Any] | None
    costs: tuple[Cost, ...] = ()


@dataclass(frozen=True)
class Submit:
    customer: str
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Adjust:
    customer: str
    id: str
    account_name: str
    asset: str
    amount: Decimal
    reason: str
    effective_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Charge:
    customer: str
    id: str
    account_name: str
    asset: str
    amount: Decimal


@dataclass(frozen=True)
class StartTopUp:
    """`label` is the simulation's own name for it, since its id is the server's to give."""

    label: str
    customer: str
    amount: Decimal
    asset: str
    credit_expires_at: datetime | None


@dataclass(frozen=True)
class PayTopUp:
    label: str
    card: str


@dataclass(frozen=True)
class LookAtTopUp:
    label: str


@dataclass(frozen=True)
class ChangeVersion:
    """Of the customer's subscription to `studio`."""

    customer: str
    version: int


@dataclass(frozen=True)
class ChangeStatus:
    customer: str
    status: str


@dataclass(frozen=True)
class Burst:
    """Requests that arrive at once, in this order."""

    requests: tuple[Submit, ...]


@dataclass(frozen=True)
class Advance:
    step: timedelta


Operation: TypeAlias = (
    Submit
    | Adjust
    | Charge
    | StartTopUp
    | PayTopUp
    | LookAtTopUp
    | ChangeVersion
    | ChangeStatus
    | Burst
    | Advance
)
MOVES_MONEY = (Submit, Adjust, Charge, PayTopUp, Burst)
