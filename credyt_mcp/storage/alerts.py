"""Rules of alerts, what they watch, and which have been told of."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import delete
from sqlmodel import Session, col, func, select

from credyt_mcp.domain.alerts import Watched
from credyt_mcp.storage import margin_queries, profitability
from credyt_mcp.storage.alert_tables import AlertRuleRow, AlertTriggeredRow
from credyt_mcp.storage.margin_queries import Group, Scope
from credyt_mcp.storage.profitability import Days
from credyt_mcp.storage.tables import CustomerRow

ALL = 0
"""The customer of rules that do not watch each one."""


def watched_tenants(session: Session) -> Sequence[int]:
    """Those that have rules."""
    return session.exec(select(AlertRuleRow.tenant_id).distinct()).all()


def rules(session: Session, tenant_id: int) -> list[AlertRuleRow]:
    """Oldest first, to look at; they are not the session's."""
    columns = AlertRuleRow.__table__.c  # type: ignore[attr-defined]
    query = select(*columns).where(columns.tenant_id == tenant_id).order_by(columns.id)
    return [AlertRuleRow(**row._mapping) for row in session.execute(query)]


def page(
    session: Session, tenant_id: int, offset: int, limit: int
) -> tuple[list[AlertRuleRow], int]:
    """Oldest first, and how many there are."""
    own = AlertRuleRow.tenant_id == tenant_id
    total = session.exec(select(func.count()).select_from(AlertRuleRow).where(own)).one()
    query = select(AlertRuleRow).where(own).order_by(col(AlertRuleRow.id))
    return list(session.exec(query.offset(offset).limit(limit))), total


def find(
    session: Session, tenant_id: int, public_id: str, *, lock: bool = False
) -> AlertRuleRow | None:
    query = select(AlertRuleRow).where(
        AlertRuleRow.tenant_id == tenant_id, AlertRuleRow.public_id == public_id
    )
    return session.exec(query.with_for_update() if lock else query).first()


def triggered(session: Session, rule: AlertRuleRow) -> dict[int, datetime]:
    """When the windows began in which a rule was crossed, by customer."""
    query = select(AlertTriggeredRow.customer_id, AlertTriggeredRow.began_at)
    return dict(session.exec(query.where(*_of(rule))).all())


def forget_triggered(
    session: Session, rule: AlertRuleRow, customer_ids: Collection[int] | None = None
) -> None:
    """Of these customers, or of all."""
    query = delete(AlertTriggeredRow).where(*_of(rule))
    if customer_ids is not None:
        query = query.where(col(AlertTriggeredRow.customer_id).in_(customer_ids))
    session.execute(query)


def _of(rule: AlertRuleRow) -> tuple[Any, ...]:
    return (
        col(AlertTriggeredRow.tenant_id) == rule.tenant_id,
        col(AlertTriggeredRow.rule_id) == rule.id,
    )


def watch(session: Session, rule: AlertRuleRow, first: date) -> dict[int, Watched]:
    """What a rule watches, on the days from `first` on; by customer where it watches each."""
    last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    days = Days(first, last if rule.span == "month" else first)
    scope = Scope(rule.tenant_id, rule.currency)
    if rule.scope == "each_customer":
        edges = profitability.edges(session, rule.tenant_id)
        within = profitability.periods(*profitability.numbers(days), edges)
        if not within.added:
            return {}
        rows = margin_queries.customers(scope, within)
        return {one.key[0]: _watched(one) for one in margin_queries.every(session, rows)}
    groups: list[Group]
    if rule.scope == "product":
        groups = margin_queries.products(session, scope, days)
    elif rule.scope == "model":
        groups = margin_queries.usage(session, scope, days, ("model",))
    else:
        if rule.scope == "customer":
            one = int(rule.target)
            found = profitability.of_customers(session, rule.tenant_id, [one], days).get(one, {})
        else:
            found = profitability.of_all(session, rule.tenant_id, days)
        sums = found.get(rule.currency)
        return {ALL: Watched(sums.revenue, sums.costs, sums.unpriced)} if sums else {}
    own = [group for group in groups if group.key == (rule.target,)]
    return {ALL: _watched(own[0])} if own else {}


def _watched(group: Group) -> Watched:
    return Watched(group.revenue, group.costs, group.unpriced)


def hour_base(rule: AlertRuleRow, hour: datetime) -> dict[int, Watched] | None:
    """What the day's sums were when the hour began; None when nobody has looked since."""
    if rule.base_at != hour:
        return None
    return {int(customer): Watched(*sums) for customer, sums in rule.base.items()}


def keep_hour_base(rule: AlertRuleRow, hour: datetime, sums: dict[int, Watched]) -> None:
    rule.base_at = hour
    rule.base = {str(customer): list(watched) for customer, watched in sums.items()}


def lock_customer(session: Session, customer_id: int) -> str:
    """The public id of a customer, locked: what the tenant is told of one stays in order."""
    query = select(CustomerRow.public_id).where(CustomerRow.id == customer_id)
    return session.exec(query.with_for_update(key_share=True)).one()
