"""Finds what time changed since it was last booked, for each tenant by its clock. Reads only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, literal, text
from sqlmodel import Session, col, func, select

from credyt_mcp.clock import to_micros
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.storage.ledger_tables import AuthorizationRow, GrantRow, LedgerAccountRow
from credyt_mcp.storage.tables import CustomerRow, TenantRow

# In the words of the partial indexes: a bound parameter would hide that they serve.
OPEN_HOLD = text("authorizations.status = 'open'")
UNSPENT = text("grants.remaining > 0")
DEFERRED = text("grants.booked = 0")


def holds(
    session: Session, now: datetime, limit: int, tenant_id: int | None = None
) -> list[CustomerRef]:
    """Customers with an authorization that has expired, at most `limit`; `now` is real time, and
    without a tenant all are looked at."""
    return _customers(session, [_due_holds(now, tenant_id)], limit)


def credit(
    session: Session, now: datetime, limit: int, tenant_id: int | None = None
) -> list[CustomerRef]:
    """Customers with a grant that has expired or taken effect."""
    return _customers(session, _due_credit(now, tenant_id), limit)


def next_hold(session: Session, tenant_id: int) -> datetime | None:
    """When the tenant's next authorization expires, unless it is released before."""
    expires_at = col(AuthorizationRow.expires_at)
    return session.scalar(
        select(func.min(expires_at)).where(AuthorizationRow.tenant_id == tenant_id, OPEN_HOLD)
    )


def next_credit(session: Session, tenant_id: int) -> datetime | None:
    """When the tenant's next grant expires or takes effect."""
    own = GrantRow.tenant_id == tenant_id
    expires_at, effective_at = col(GrantRow.expires_at), col(GrantRow.effective_at)
    moments = (
        session.scalar(select(func.min(expires_at)).where(own, UNSPENT)),
        session.scalar(select(func.min(effective_at)).where(own, DEFERRED, UNSPENT)),
    )
    return min((moment for moment in moments if moment is not None), default=None)


def _due_holds(now: datetime, tenant_id: int | None) -> Select[Any]:
    held = select(AuthorizationRow.customer_id).join(
        TenantRow, col(AuthorizationRow.tenant_id) == col(TenantRow.id)
    )
    return _of(held, tenant_id).where(OPEN_HOLD, col(AuthorizationRow.expires_at) <= _present(now))


def _due_credit(now: datetime, tenant_id: int | None) -> list[Select[Any]]:
    given = (
        select(LedgerAccountRow.customer_id)
        .join(GrantRow, col(GrantRow.account_id) == col(LedgerAccountRow.id))
        .join(TenantRow, col(GrantRow.tenant_id) == col(TenantRow.id))
    )
    return [
        _of(given, tenant_id).where(UNSPENT, col(GrantRow.expires_at) <= _present(now)),
        _of(given, tenant_id).where(DEFERRED, UNSPENT, col(GrantRow.effective_at) <= _present(now)),
    ]


def _present(now: datetime) -> ColumnElement[int]:
    return literal(to_micros(now)) + col(TenantRow.clock_offset)


def _of(found: Select[Any], tenant_id: int | None) -> Select[Any]:
    return found if tenant_id is None else found.where(col(TenantRow.id) == tenant_id)


def _customers(session: Session, found: list[Select[Any]], limit: int) -> list[CustomerRef]:
    due = {one for query in found for one in session.scalars(query.distinct().limit(limit))}
    customers = session.exec(select(CustomerRow).where(col(CustomerRow.id).in_(due)))
    return [CustomerRef(row.tenant_id, row.public_id) for row in customers][:limit]
