"""Rules of automatic top-ups and their charges as rows: set terms, find what is due. What they do
is decided in the lane, see top_up_book.py."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ScalarSelect
from sqlmodel import Session, col, func, select

from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.storage import audit
from credyt_mcp.storage.auto_top_up_tables import AutoChargeRow, AutoTopUpRow
from credyt_mcp.storage.due import TenantId, presents
from credyt_mcp.storage.payment_tables import TopUpRow
from credyt_mcp.storage.tables import CustomerRow, TenantRow

_ITS_TOP_UP = (col(TopUpRow.tenant_id) == col(AutoChargeRow.tenant_id)) & (
    col(TopUpRow.public_id) == col(AutoChargeRow.top_up_id)
)


class Found(NamedTuple):
    charge: AutoChargeRow
    top_up: TopUpRow
    customer: CustomerRow
    tenant: TenantRow


def get(session: Session, account_id: int) -> AutoTopUpRow | None:
    return session.exec(select(AutoTopUpRow).where(AutoTopUpRow.account_id == account_id)).first()


def new(customer: CustomerRow, account_id: int, now: datetime) -> AutoTopUpRow:
    """A rule without terms, which `change` sets."""
    owner = {"tenant_id": customer.tenant_id, "customer_id": customer.id, "account_id": account_id}
    return AutoTopUpRow(**owner, created_at=now)  # type: ignore[arg-type]


def of_customer(session: Session, customer: CustomerRow) -> list[AutoTopUpRow]:
    own = select(AutoTopUpRow).where(
        AutoTopUpRow.tenant_id == customer.tenant_id, AutoTopUpRow.customer_id == customer.id
    )
    return list(session.exec(own))


def last_charge(session: Session, account_id: int) -> AutoChargeRow | None:
    own = select(AutoChargeRow).where(AutoChargeRow.account_id == account_id)
    return session.exec(own.order_by(col(AutoChargeRow.id).desc())).first()


def change(
    session: Session, row: AutoTopUpRow, terms: dict[str, Any], actor: str, now: datetime
) -> None:
    """Set columns of a rule, new or known, and have it looked at. Its customer must be locked."""
    before = {name: getattr(row, name) for name in terms} if row.id is not None else {}
    for name, value in terms.items():
        setattr(row, name, value)
    row.updated_at, row.check_at = now, now
    session.add(row)
    target = f"auto_top_up:{row.account_id}"
    audit.add(
        session, row.tenant_id, actor, "auto_top_up.set", target, now, before=before, after=terms
    )


def find_charge(session: Session, top_up_id: str) -> Found | None:
    """For who has the top-up's id and need not say whose it is."""
    found = session.exec(
        select(AutoChargeRow, TopUpRow, CustomerRow, TenantRow)
        .join(TopUpRow, _ITS_TOP_UP)
        .join(CustomerRow, col(CustomerRow.id) == col(AutoChargeRow.customer_id))
        .join(TenantRow, col(TenantRow.id) == col(AutoChargeRow.tenant_id))
        .where(AutoChargeRow.top_up_id == top_up_id)
    ).first()
    return None if found is None else Found(*found)


def due_charges(
    session: Session,
    now: datetime,
    limit: int,
    tenant_id: int | None = None,
    without: Iterable[str] = (),
) -> list[str]:
    """Top-ups for which a card is to be charged, or asked after, at most `limit`; `now` is real
    time, and without a tenant all are looked at. Not those at the providers' accounts `without`."""
    found = list[str]()
    for tenant, present in presents(session, now, tenant_id, _next_attempt):
        at = col(AutoChargeRow.next_attempt_at)
        own = (
            select(AutoChargeRow.top_up_id)
            .join(TopUpRow, _ITS_TOP_UP)
            .where(
                AutoChargeRow.tenant_id == tenant,
                at <= present,
                col(TopUpRow.provider_account).not_in(without),
            )
        )
        found += session.exec(own.order_by(at).limit(max(0, limit - len(found))))
    return found


def to_check(
    session: Session, now: datetime, limit: int, tenant_id: int | None = None
) -> list[CustomerRef]:
    """Customers with a rule that is to be looked at, likewise."""
    found = list[CustomerRef]()
    for tenant, present in presents(session, now, tenant_id, _next_check):
        own = (
            select(CustomerRow.public_id)
            .join(AutoTopUpRow, col(AutoTopUpRow.customer_id) == col(CustomerRow.id))
            .where(AutoTopUpRow.tenant_id == tenant, col(AutoTopUpRow.check_at) <= present)
        )
        names = session.exec(own.distinct().limit(max(0, limit - len(found))))
        found += [CustomerRef(tenant, name) for name in names]
    return found


def next_due(session: Session, tenant_id: int) -> datetime | None:
    """When a card of the tenant's customers is next charged, or a rule looked at."""
    moments = [session.scalar(select(one(tenant_id))) for one in (_next_attempt, _next_check)]
    return min((moment for moment in moments if moment is not None), default=None)


def _next_attempt(tenant: TenantId) -> ScalarSelect[Any]:
    own, at = col(AutoChargeRow.tenant_id) == tenant, col(AutoChargeRow.next_attempt_at)
    return select(func.min(at)).where(own, at.is_not(None)).scalar_subquery()


def _next_check(tenant: TenantId) -> ScalarSelect[Any]:
    own, at = col(AutoTopUpRow.tenant_id) == tenant, col(AutoTopUpRow.check_at)
    return select(func.min(at)).where(own, at.is_not(None)).scalar_subquery()
