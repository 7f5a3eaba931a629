"""Payments that wait at a provider's page, of every kind: which to ask after, and when. What they
come to is booked in the lane."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import CursorResult
from sqlmodel import Session, col, select, update

from credyt_mcp.storage.payment_tables import SubscriptionPaymentRow, TopUpRow

KINDS: tuple[type[TopUpRow] | type[SubscriptionPaymentRow], ...] = (
    TopUpRow,
    SubscriptionPaymentRow,
)


class OpenPayment(NamedTuple):
    row: TopUpRow | SubscriptionPaymentRow

    @property
    def waits(self) -> bool:
        """Whether it can still be paid on a page."""
        if isinstance(self.row, TopUpRow):
            return self.row.status in ("initiated", "pending")
        return self.row.status == "open"


def to_poll(
    session: Session, now: datetime, limit: int, without: Iterable[str] = ()
) -> list[OpenPayment]:
    """Those whose provider is to be asked by now, at most `limit` of each kind; not those at the
    accounts in `without`."""
    found = list[OpenPayment]()
    for kind in KINDS:
        at = col(kind.next_poll_at)
        asked = col(kind.provider_account).not_in(without)
        due = session.exec(select(kind).where(at <= now, asked).order_by(at).limit(limit))
        found += [OpenPayment(row) for row in due]  # type: ignore[arg-type]
    return found


def claim_poll(session: Session, payment: OpenPayment, again_at: datetime | None) -> bool:
    """Take on the asking; it is due again then, or (None) never."""
    kind, row = type(payment.row), payment.row
    claimed = session.exec(
        update(kind)
        .where(col(kind.id) == row.id, col(kind.next_poll_at) == row.next_poll_at)
        .values(next_poll_at=again_at, polls=col(kind.polls) + 1)
    )
    assert isinstance(claimed, CursorResult)
    return claimed.rowcount == 1


def leave(session: Session, payment: OpenPayment) -> None:
    """Its page is closed: it is not asked after again."""
    kind = type(payment.row)
    closed = (
        col(kind.id) == payment.row.id,
        col(kind.provider_ref) == payment.row.provider_ref,
    )
    session.exec(update(kind).where(*closed).values(next_poll_at=None))
