"""What the book knows of a subscription, and what follows from it: which fees are due, and when.

Pure reckoning. What changes a subscription is in `subscription_life`, and its commands.

A recurring fee is due at a moment unless it was paid for it. That one rule serves the first
payment, renewals, changes of version and a resumed subscription alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from credyt_mcp.domain.book import RateCard
from credyt_mcp.domain.money import Asset, from_units, round_units
from credyt_mcp.domain.periods import Every
from credyt_mcp.domain.terms import EntitlementTerms, FixedFee
from credyt_mcp.errors import InvalidRequest

IN_FORCE = ("active", "action_required")
OPEN_PAYMENT = ("open", "charging")


class Paid(NamedTuple):
    """What was paid for a recurring fee of the period [from_at, to_at)."""

    name: str
    account_name: str
    asset: str
    units: int
    from_at: int
    to_at: int


@dataclass(eq=False)
class Stretch:
    """A subscription's time on one version of one product, in force in [from_at, until_at).

    One that ends where it starts says what the subscription is to be on once it is paid. Fees
    recur at `anchor` and whole intervals later.
    """

    card: RateCard
    from_at: int
    until_at: int | None
    anchor_at: int | None
    paid: list[Paid] = field(default_factory=list)
    id: int | None = None

    @property
    def anchor(self) -> int:
        return self.from_at if self.anchor_at is None else self.anchor_at

    def paid_until(self, fee: FixedFee, moment: int) -> int | None:
        """Until when the fee is paid that recurs, or None if it is due at `moment`."""
        ends = [paid.to_at for paid in self.paid if paid.name == fee.name and paid.to_at > moment]
        return max(ends, default=None)


@dataclass(eq=False)
class Schedule:
    """When an entitlement of a subscription is granted next; None: it was granted for good.

    `ended_at` is set while it rests: the subscription is inactive, or on a version without it.
    """

    product_id: int
    name: str
    asset: str
    every: Every
    anchor_at: int
    next_at: int | None
    ended_at: int | None = None
    id: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.name, self.asset


@dataclass(eq=False)
class Payment:
    """Fees of one moment that a payment provider collects. `public_id` comes with storage.

    While it is open, the customer can pay by a link, and from `next_attempt_at` on the saved card
    is charged; while `charging`, somebody does that, and no link can be paid. What period it pays
    for is known once it is paid.
    """

    kind: str
    period_from: int
    lines: list[list[str | int]]
    amount: int
    currency: Asset
    status: str
    created_at: int
    next_attempt_at: int | None
    public_id: str = ""
    period_to: int | None = None
    settled_at: int | None = None
    reason: str | None = None
    attempt: int = 0
    id: int | None = None


@dataclass(eq=False)
class Subscription:
    """`renews_at` is the moment up to which it is paid, where fees recur. `activated_at` is None
    until it was in force for the first time."""

    id: int
    tenant_id: int
    public_id: str
    customer_id: int
    status: str
    started_at: int
    activated_at: int | None
    renews_at: int | None
    stretches: list[Stretch] = field(default_factory=list)
    schedules: list[Schedule] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)

    @property
    def current(self) -> list[Stretch]:
        """The last stretch of each product: what it is on, was on last, or is to be on."""
        return list({stretch.card.product_id: stretch for stretch in self.stretches}.values())

    @property
    def open_payment(self) -> Payment | None:
        return next((one for one in self.payments if one.status in OPEN_PAYMENT), None)


class Due(NamedTuple):
    stretch: Stretch
    fee: FixedFee


def fees_due(subscription: Subscription, moment: int) -> list[Due]:
    """Recurring fees that are not paid at `moment`; before the first start, those charged once
    as well."""
    return [
        Due(stretch, fee)
        for stretch in subscription.current
        for fee in stretch.card.fees
        if _is_due(subscription, stretch, fee, moment)
    ]


def _is_due(subscription: Subscription, stretch: Stretch, fee: FixedFee, moment: int) -> bool:
    if fee.every is None:
        return subscription.activated_at is None
    return stretch.paid_until(fee, moment) is None


def paid_until(subscription: Subscription, moment: int) -> int | None:
    """When the next recurring fee is due after `moment`, all being paid then; None if none
    recurs."""
    ends = [
        stretch.paid_until(fee, moment)
        for stretch in subscription.current
        for fee in stretch.card.fees
        if fee.every is not None
    ]
    return min((end for end in ends if end is not None), default=None)


def by_card(dues: Iterable[Due]) -> tuple[Asset, int] | None:
    """What a payment provider has to collect, in the currency's minor units; None for nothing.

    Rounded once, half-even. Raises InvalidRequest when the fees are in several currencies.
    """
    fees = [due.fee for due in dues if due.fee.by_card and due.fee.units]
    codes = sorted({fee.asset.code for fee in fees})
    if len(codes) > 1:
        raise InvalidRequest(
            "products",
            f"fixed prices are in {' and '.join(codes)}; one subscription is paid in one currency",
            hint="Subscribe to products in different currencies one by one.",
        )
    if not fees:
        return None
    asset = fees[0].asset
    total = from_units(sum(fee.units for fee in fees), asset)
    minor = round_units(total, asset._replace(scale=asset.precision))
    return (asset, minor) if minor else None


def payment_for(
    kind: str, dues: list[Due], moment: int, now: int, next_attempt_at: int | None
) -> Payment | None:
    """The payment that collects these fees, if a provider has to."""
    owed = by_card(dues)
    if owed is None:
        return None
    asset, minor = owed
    return Payment(
        kind=kind,
        period_from=moment,
        lines=[
            [due.stretch.card.product_code, due.fee.name, due.fee.units]
            for due in dues
            if due.fee.by_card
        ],
        amount=minor * 10 ** (asset.scale - asset.precision),
        currency=asset,
        status="open",
        created_at=now,
        next_attempt_at=next_attempt_at,
    )


def due_moment(subscription: Subscription) -> int | None:
    """When time changes the subscription next. Credit of a period that is not paid waits."""
    if subscription.status == "scheduled":
        return subscription.started_at
    if subscription.status not in IN_FORCE:
        return None
    end = subscription.renews_at
    moments = [
        schedule.next_at
        for schedule in subscription.schedules
        if schedule.ended_at is None
        and schedule.next_at is not None
        and (end is None or schedule.next_at < end)
    ]
    if end is not None and subscription.status == "active" and not subscription.open_payment:
        moments.append(end)
    return min(moments, default=None)


def terms_of(subscription: Subscription, schedule: Schedule) -> EntitlementTerms | None:
    """The entitlement as the version says it that the subscription is on."""
    for stretch in subscription.current:
        if stretch.card.product_id == schedule.product_id:
            return next((t for t in stretch.card.entitlements if t.key == schedule.key), None)
    return None
