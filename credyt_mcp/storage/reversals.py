"""Refunds and disputes as rows, and what a top-up bought. They change in the lane only, except for
when they are asked after, see paid_book.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import CursorResult
from sqlmodel import Session, col, func, select, update

from credyt_mcp import ids
from credyt_mcp.clock import to_micros
from credyt_mcp.domain.grants import Basis
from credyt_mcp.domain.money import Asset
from credyt_mcp.domain.reversals import Bought, Reversal
from credyt_mcp.storage.ledger_tables import GrantRow, LedgerTransactionRow
from credyt_mcp.storage.payment_tables import TopUpRow
from credyt_mcp.storage.reversal_tables import ReversalRow
from credyt_mcp.storage.tables import CustomerRow


@dataclass(frozen=True)
class Wanted:
    """What a list shows; None is any."""

    kind: str
    top_up_id: str | None = None
    customer_id: str | None = None
    status: str | None = None


class Listed(NamedTuple):
    reversal: ReversalRow
    customer: CustomerRow
    top_up: TopUpRow


def bought(session: Session, top_up: TopUpRow, asset: Asset) -> Bought | None:
    """What the top-up was credited as, or None if it was not."""
    credited = select(GrantRow).join(
        LedgerTransactionRow, col(LedgerTransactionRow.id) == col(GrantRow.transaction_id)
    )
    grant = session.exec(
        credited.where(
            LedgerTransactionRow.tenant_id == top_up.tenant_id,
            LedgerTransactionRow.key == ids.text_key("top_up", top_up.public_id),
            GrantRow.account_id == LedgerTransactionRow.account_id,
        )
    ).first()
    if grant is None:
        return None
    known = of_top_up(session, top_up)
    returned = [back for one in known for back in one.taken.get("returned", ())]
    return Bought(
        top_up_id=top_up.public_id,
        account_name=top_up.account_name,
        asset=asset,
        grant_ids=(grant.id, *returned),
        units=grant.amount,
        basis=None if grant.basis is None else Basis.parse(grant.basis),
        expires_at=None if grant.expires_at is None else to_micros(grant.expires_at),
    )


def of_top_up(session: Session, top_up: TopUpRow) -> list[Reversal]:
    """For looking only."""
    row = ReversalRow
    own = select(row).where(row.tenant_id == top_up.tenant_id, row.top_up_id == top_up.public_id)
    return [_reversal(one) for one in session.exec(own.order_by(col(row.id)))]


def has_open_dispute(session: Session, tenant_id: int, customer_id: int) -> bool:
    """Whether the customer disputes a payment, by our row ids: their card is not to be charged."""
    row = ReversalRow
    frozen = select(row.id).where(
        row.tenant_id == tenant_id,
        row.kind == "dispute",
        row.customer_id == customer_id,
        col(row.settled_at).is_(None),
    )
    return session.exec(frozen.limit(1)).first() is not None


def page(
    session: Session, tenant_id: int, wanted: Wanted, offset: int, limit: int
) -> tuple[list[Listed], int]:
    """Newest first, and how many there are."""
    row = ReversalRow
    where = [col(row.tenant_id) == tenant_id, col(row.kind) == wanted.kind]
    if wanted.top_up_id is not None:
        where.append(col(row.top_up_id) == wanted.top_up_id)
    if wanted.status is not None:
        where.append(col(row.status) == wanted.status)
    if wanted.customer_id is not None:
        names = (CustomerRow.public_id, CustomerRow.external_id)
        named = [col(name) == wanted.customer_id for name in names]
        where.append(named[0] | named[1])
    joined = _whole().where(*where)
    total = session.exec(select(func.count()).select_from(joined.subquery())).one()
    newest = joined.order_by(col(row.id).desc()).offset(offset).limit(limit)
    return [Listed(*found) for found in session.exec(newest)], total


def get(session: Session, tenant_id: int, public_id: str) -> Listed | None:
    row = ReversalRow
    own = _whole().where(row.tenant_id == tenant_id, row.public_id == public_id)
    found = session.exec(own).first()
    return None if found is None else Listed(*found)


def to_poll(session: Session, now: datetime, limit: int) -> Sequence[ReversalRow]:
    """Refunds and disputes whose provider is to be asked by now."""
    row = ReversalRow
    due = select(row).where(col(row.next_poll_at) <= now).order_by(col(row.next_poll_at))
    return session.exec(due.limit(limit)).all()


def claim_poll(session: Session, reversal: ReversalRow, again_at: datetime | None) -> bool:
    """Take on the asking; it is due again then, or (None) never."""
    row = ReversalRow
    claimed = session.exec(
        update(row)
        .where(col(row.id) == reversal.id, col(row.next_poll_at) == reversal.next_poll_at)
        .values(next_poll_at=again_at, polls=col(row.polls) + 1)
    )
    assert isinstance(claimed, CursorResult)
    return claimed.rowcount == 1


def _whole() -> Any:
    return (
        select(ReversalRow, CustomerRow, TopUpRow)
        .join(CustomerRow, col(CustomerRow.id) == col(ReversalRow.customer_id))
        .join(
            TopUpRow,
            (col(TopUpRow.tenant_id) == col(ReversalRow.tenant_id))
            & (col(TopUpRow.public_id) == col(ReversalRow.top_up_id)),
        )
    )


def _reversal(row: ReversalRow) -> Reversal:
    return Reversal(
        tenant_id=row.tenant_id,
        customer_id=row.customer_id,
        public_id=row.public_id,
        top_up_id=row.top_up_id,
        kind="refund" if row.kind == "refund" else "dispute",
        origin="api" if row.origin == "api" else "provider",
        provider=row.provider,
        external_id=row.external_id,
        status=row.status,
        amount=row.amount,
        created_at=to_micros(row.created_at),
        next_poll_at=None,
        reason=row.reason,
        is_out=bool(row.is_out),
        credit=row.credit,
        frozen=row.frozen,
        taken=row.taken,
        movements=row.movements,
        id=row.id,
    )
