"""Finds what time changed since it was last booked, for each tenant by its clock. Reads only.

First the tenants for whom something is due, by one look at each one's next moment; then, tenant by
tenant, what it is. A join of all tenants' grants with their clocks would be planned as a scan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ScalarSelect, Select, literal, or_, text, type_coerce
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col, func, select

from credyt_mcp.clock import from_micros, to_micros
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.storage.cost_rule_tables import SharedCostRow
from credyt_mcp.storage.ledger_tables import AuthorizationRow, GrantRow, LedgerAccountRow
from credyt_mcp.storage.payment_tables import SubscriptionPaymentRow
from credyt_mcp.storage.tables import CustomerRow, TenantRow
from credyt_mcp.storage.types import Micros

# In the words of the partial indexes: a bound parameter would hide that they serve.
OPEN_HOLD = text("authorizations.status = 'open'")
UNSPENT = text("grants.live = 1")
DEFERRED = text("grants.booked = 0")
UNSETTLED = text("shared_costs.allocation IS NULL")

EXPIRING_BEFORE = timedelta(days=7)
"""Credit that lives no longer than this would be expiring all its life, and is not told of."""
_BEFORE = EXPIRING_BEFORE // timedelta(microseconds=1)
_LIFE = type_coerce(col(GrantRow.expires_at), BigInteger) - type_coerce(
    col(GrantRow.effective_at), BigInteger
)
_UNTOLD = (UNSPENT, GrantRow.booked == 1, GrantRow.expiring_noticed == 0, _LIFE > _BEFORE)

TenantId = int | Mapped[int]
Next = Callable[[TenantId], ScalarSelect[Any]]


def holds(
    session: Session, now: datetime, limit: int, tenant_id: int | None = None
) -> list[CustomerRef]:
    """Customers with an authorization that has expired, at most `limit`; `now` is real time, and
    without a tenant all are looked at."""
    found = list[CustomerRef]()
    for tenant, present in presents(session, now, tenant_id, _next_expiry_of_hold):
        due = select(AuthorizationRow.customer_id).where(
            AuthorizationRow.tenant_id == tenant,
            OPEN_HOLD,
            col(AuthorizationRow.expires_at) <= present,
        )
        found += _customers(session, due, limit - len(found))
    return found


def credit(
    session: Session, now: datetime, limit: int, tenant_id: int | None = None
) -> list[CustomerRef]:
    """Customers with a grant that has expired or taken effect, likewise."""
    found = list[CustomerRef]()
    for tenant, present in presents(session, now, tenant_id, _next_expiry, _next_start):
        own = (
            select(LedgerAccountRow.customer_id)
            .join(GrantRow, col(GrantRow.account_id) == col(LedgerAccountRow.id))
            .where(GrantRow.tenant_id == tenant, UNSPENT)
        )
        expired = own.where(col(GrantRow.expires_at) <= present)
        started = own.where(DEFERRED, col(GrantRow.effective_at) <= present)
        for due in (expired, started):
            found += _customers(session, due, limit - len(found))
    return list(dict.fromkeys(found))


def untold(
    session: Session, now: datetime, limit: int, tenant_id: int | None = None
) -> list[tuple[int, CustomerRef]]:
    """Grants that will expire within `EXPIRING_BEFORE` and nobody was told of, likewise, each with
    its customer."""
    found = list[tuple[int, CustomerRef]]()
    for tenant, present in presents(session, now, tenant_id, _next_telling):
        rows = session.exec(
            select(GrantRow.id, CustomerRow.public_id)
            .join(LedgerAccountRow, col(LedgerAccountRow.id) == col(GrantRow.account_id))
            .join(CustomerRow, col(CustomerRow.id) == col(LedgerAccountRow.customer_id))
            .where(
                GrantRow.tenant_id == tenant,
                *_UNTOLD,
                col(GrantRow.expires_at) <= present + EXPIRING_BEFORE,
            )
            .order_by(col(GrantRow.expires_at), col(GrantRow.id))
            .limit(limit - len(found))
        )
        found += [(grant, CustomerRef(tenant, public_id)) for grant, public_id in rows]
    return found


def subscribers(
    session: Session, now: datetime, limit: int, tenant_id: int | None = None
) -> list[CustomerRef]:
    """Customers with a subscription that time changes, likewise."""
    found = list[CustomerRef]()
    for tenant, present in presents(session, now, tenant_id, _next_change):
        own = select(CustomerRow.id).where(
            CustomerRow.tenant_id == tenant, col(CustomerRow.next_due_at) <= present
        )
        found += _customers(session, own, limit - len(found))
    return found


def charges(session: Session, now: datetime, limit: int, tenant_id: int | None = None) -> list[str]:
    """Payments of subscriptions for which a saved card is to be charged, likewise; at most `limit`
    of each tenant, so that one whose provider is away keeps no other waiting."""
    found = list[str]()
    for tenant, present in presents(session, now, tenant_id, _next_attempt):
        at = col(SubscriptionPaymentRow.next_attempt_at)
        own = select(SubscriptionPaymentRow.public_id).where(
            SubscriptionPaymentRow.tenant_id == tenant, at <= present
        )
        found += session.exec(own.order_by(at).limit(limit))
    return found


def mark_told(session: Session, grant_id: int) -> bool:
    """Whether the grant was not marked before; its customer must be locked."""
    row = session.exec(select(GrantRow).where(GrantRow.id == grant_id)).one()
    before, row.expiring_noticed = row.expiring_noticed, 1
    session.add(row)
    return not before


def next_hold(session: Session, tenant_id: int) -> datetime | None:
    """When the tenant's next authorization expires, unless it is closed before."""
    return _earliest(session, tenant_id, _next_expiry_of_hold)


def next_credit(session: Session, tenant_id: int) -> datetime | None:
    """When the tenant's next grant expires or takes effect."""
    return _earliest(session, tenant_id, _next_expiry, _next_start)


def next_telling(session: Session, tenant_id: int) -> datetime | None:
    """When the tenant is next to be told of credit that will expire."""
    return _earliest(session, tenant_id, _next_telling)


def next_subscription(session: Session, tenant_id: int) -> datetime | None:
    """When a subscription of the tenant next changes, or a saved card is charged for one."""
    return _earliest(session, tenant_id, _next_change, _next_attempt)


def next_settlement(session: Session, tenant_id: int) -> datetime | None:
    """When a cost is next to be settled between the tenant's customers."""
    return _earliest(session, tenant_id, next_shared_cost)


def presents(
    session: Session, now: datetime, tenant_id: int | None, *kinds: Next
) -> Iterator[tuple[int, datetime]]:
    """Tenants for whom something of these kinds is due, each with its present."""
    present = literal(to_micros(now)) + col(TenantRow.clock_offset)
    due = select(TenantRow.id, present).where(
        or_(*(following(col(TenantRow.id)) <= present for following in kinds))
    )
    if tenant_id is not None:
        due = due.where(TenantRow.id == tenant_id)
    for tenant, micros in session.exec(due).all():
        yield tenant, from_micros(micros)


def _next_expiry_of_hold(tenant: TenantId) -> ScalarSelect[Any]:
    own = col(AuthorizationRow.tenant_id) == tenant
    return select(func.min(AuthorizationRow.expires_at)).where(own, OPEN_HOLD).scalar_subquery()


def _next_expiry(tenant: TenantId) -> ScalarSelect[Any]:
    own = col(GrantRow.tenant_id) == tenant
    return select(func.min(GrantRow.expires_at)).where(own, UNSPENT).scalar_subquery()


def _next_telling(tenant: TenantId) -> ScalarSelect[Any]:
    own = (col(GrantRow.tenant_id) == tenant, col(GrantRow.expires_at).is_not(None))
    moment = type_coerce(col(GrantRow.expires_at), BigInteger) - _BEFORE
    untold = select(type_coerce(moment, Micros)).where(*own, *_UNTOLD)
    # Not min(): beside conditions that no index has, it may be planned as a look at every grant.
    return untold.order_by(col(GrantRow.expires_at)).limit(1).scalar_subquery()


def _next_start(tenant: TenantId) -> ScalarSelect[Any]:
    own = col(GrantRow.tenant_id) == tenant
    return select(func.min(GrantRow.effective_at)).where(own, DEFERRED, UNSPENT).scalar_subquery()


def _next_change(tenant: TenantId) -> ScalarSelect[Any]:
    own, at = col(CustomerRow.tenant_id) == tenant, col(CustomerRow.next_due_at)
    return select(func.min(at)).where(own, at.is_not(None)).scalar_subquery()


def _next_attempt(tenant: TenantId) -> ScalarSelect[Any]:
    at = col(SubscriptionPaymentRow.next_attempt_at)
    own = col(SubscriptionPaymentRow.tenant_id) == tenant
    return select(func.min(at)).where(own, at.is_not(None)).scalar_subquery()


def next_shared_cost(tenant: TenantId) -> ScalarSelect[Any]:
    own = col(SharedCostRow.tenant_id) == tenant
    return select(func.min(SharedCostRow.due_at)).where(own, UNSETTLED).scalar_subquery()


def _earliest(session: Session, tenant_id: int, *kinds: Next) -> datetime | None:
    moments = [session.scalar(select(following(tenant_id))) for following in kinds]
    return min((moment for moment in moments if moment is not None), default=None)


def _customers(session: Session, due: Select[Any], limit: int) -> list[CustomerRef]:
    if limit <= 0:
        return []
    ids = session.scalars(due.distinct().limit(limit)).all()
    customers = session.exec(select(CustomerRow).where(col(CustomerRow.id).in_(ids)))
    return [CustomerRef(row.tenant_id, row.public_id) for row in customers]
