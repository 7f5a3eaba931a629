"""Alerts: figures that the tenant wants to hear of once they cross a line, again once they have
been back, or in the next window. Checked from the rollups every few seconds, by any process."""

from __future__ import annotations

import logging
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self, cast

import anyio
from pydantic import Field, model_validator
from sqlmodel import Session

from credyt_mcp.domain.alerts import Metric, Watched, WatchedScope, Window, began, crossed
from credyt_mcp.domain.assets import currency
from credyt_mcp.errors import InvalidRequest, NotFound
from credyt_mcp.ids import new_id
from credyt_mcp.storage import alerts, customers, margin_names, notices, products
from credyt_mcp.storage.alert_tables import AlertRuleRow, AlertTriggeredRow
from credyt_mcp.use_cases.context import Amount, Billing, Command, Number, PageOf, Result, ShortText

RULES_MAX = 100

log = logging.getLogger(__name__)


class CreateAlert(Command):
    """Watch a figure: a notice and a webhook (`alert.triggered`) once it crosses the threshold."""

    metric: Metric
    scope: WatchedScope = "account"
    threshold: Annotated[
        Amount,
        Field(
            ge=-(10**12),
            le=10**12,
            description="told at or above it; of net and margin (percent) at or below it",
        ),
    ]
    window: Annotated[Window, Field(description="of UTC, so far")] = "day"
    currency: Annotated[str, Field(min_length=3, max_length=3)] = "USD"
    customer_id: ShortText | None = None
    product_id: Annotated[ShortText | None, Field(description="id or code")] = None
    model: ShortText | None = None
    name: ShortText | None = None

    @model_validator(mode="after")
    def _target(self) -> Self:
        needed = {"customer": "customer_id", "product": "product_id", "model": "model"}
        for scope, field in needed.items():
            if (getattr(self, field) is not None) != (self.scope == scope):
                raise ValueError(f"{field} goes with scope '{scope}', and no other")
        return self


class AlertFields(Command):
    """What may change."""

    threshold: Annotated[Amount | None, Field(ge=-(10**12), le=10**12)] = None
    name: ShortText | None = None


class UpdateAlert(AlertFields):
    """Another threshold starts anew: what is across it now is told."""

    alert_id: str


class DeleteAlert(Command):
    """Watch a figure no longer."""

    alert_id: str


class ListAlerts(PageOf):
    """Rules of alerts, oldest first."""


class Alert(Result):
    id: str
    name: str | None = None
    metric: str
    scope: str
    threshold: Number
    window: str
    currency: str
    customer_id: str | None = None
    product: str | None = None
    model: str | None = None
    triggered: Annotated[int, Field(description="how many are across the line now")]
    created_at: datetime


class AlertPage(Result):
    items: list[Alert]
    total_count: int
    limit: int
    offset: int


def create_alert(billing: Billing, command: CreateAlert) -> Alert:
    """Raises InvalidRequest for what is not there to be watched."""
    asset = currency(command.currency)
    if asset is None:
        raise InvalidRequest("currency", f"there is no currency '{command.currency}'")
    with billing.database.write(alone=True) as session:
        if alerts.page(session, billing.tenant.id, 0, 1)[1] >= RULES_MAX:
            raise InvalidRequest("scope", f"an account may have {RULES_MAX} alerts")
        row = AlertRuleRow(
            tenant_id=billing.tenant.id,
            public_id=new_id("alr"),
            name=command.name,
            metric=command.metric,
            scope=command.scope,
            target=_target(session, billing.tenant.id, command),
            currency=asset.code,
            threshold=command.threshold,
            span=command.window,
            created_at=billing.now(),
        )
        session.add(row)
        session.flush()
        return _shown(session, row)


def list_alerts(billing: Billing, command: ListAlerts) -> AlertPage:
    with billing.database.read() as session:
        rows, total = alerts.page(session, billing.tenant.id, command.offset, command.limit)
        items = [_shown(session, row) for row in rows]
    return AlertPage(items=items, total_count=total, limit=command.limit, offset=command.offset)


def update_alert(billing: Billing, command: UpdateAlert) -> Alert:
    with billing.database.write() as session:
        row = _found(session, billing.tenant.id, command.alert_id)
        row.name = command.name or row.name
        if command.threshold is not None and command.threshold != row.threshold:
            row.threshold = command.threshold
            alerts.forget_triggered(session, row)
        session.add(row)
        session.flush()
        return _shown(session, row)


def delete_alert(billing: Billing, command: DeleteAlert) -> None:
    with billing.database.write() as session:
        row = _found(session, billing.tenant.id, command.alert_id)
        alerts.forget_triggered(session, row)
        session.delete(row)


def no_moment(session: Session, tenant_id: int) -> None:
    """Alerts follow from what is recorded, not from time."""


async def check_alerts(billing: Billing, tenant_id: int | None) -> int:
    """Tell what has crossed a line since it was last looked at, of one tenant or (None) of all;
    answers how much was told. One rule that fails keeps no other waiting."""
    return await anyio.to_thread.run_sync(_check, billing, tenant_id)


def _check(billing: Billing, tenant_id: int | None) -> int:
    with billing.database.read() as session:
        tenants = alerts.watched_tenants(session) if tenant_id is None else [tenant_id]
        found = [
            (rule, billing.clocks.now(one))
            for one in tenants
            for rule in alerts.rules(session, one)
        ]
        due = [(rule, now) for rule, now in found if _changes(session, rule, now)]
        names = [(rule.tenant_id, rule.public_id, now) for rule, now in due]
    done = 0
    for tenant, public_id, now in names:
        try:
            with billing.database.write() as session:
                # Locked, so that of several processes one tells; the others then find it told.
                rule = alerts.find(session, tenant, public_id, lock=True)
                done += 0 if rule is None else _tell(session, rule, now)
        except Exception:
            log.exception("alert %s failed and is tried again", public_id)
    return done


def _began(rule: AlertRuleRow, now: datetime) -> datetime:
    return began(cast("Window", rule.span), now)


def _changes(session: Session, rule: AlertRuleRow, now: datetime) -> bool:
    """Whether there is anything to write."""
    if rule.span == "hour" and alerts.hour_base(rule, began("hour", now)) is None:
        return True
    told = alerts.triggered(session, rule)
    start = _began(rule, now)
    known = {customer for customer, began_at in told.items() if began_at == start}
    return known != told.keys() or known != _across(session, rule, now).keys()


def _across(session: Session, rule: AlertRuleRow, now: datetime) -> dict[int, Decimal]:
    """Values that are across the line in the present window, by customer."""
    start = _began(rule, now)
    sums = alerts.watch(session, rule, start.date())
    if rule.span == "hour":
        base = alerts.hour_base(rule, start) or {}
        sums = {one: watched.less(base.get(one, Watched())) for one, watched in sums.items()}
    asset = currency(rule.currency)
    assert asset is not None, "rules are checked when they are made"
    metric: Any = rule.metric
    values = {one: watched.value(metric, asset) for one, watched in sums.items() if any(watched)}
    return {one: value for one, value in values.items() if crossed(metric, value, rule.threshold)}


def _tell(session: Session, rule: AlertRuleRow, now: datetime) -> int:
    start = _began(rule, now)
    if rule.span == "hour" and alerts.hour_base(rule, start) is None:
        alerts.keep_hour_base(rule, start, alerts.watch(session, rule, start.date()))
        session.add(rule)
    across, told = _across(session, rule, now), alerts.triggered(session, rule)
    over = [one for one in told if one not in across or told[one] != start]
    if over:
        alerts.forget_triggered(session, rule, over)
    new = [one for one in across if told.get(one) != start]
    for customer_id in new:
        session.add(
            AlertTriggeredRow(
                tenant_id=rule.tenant_id,
                rule_id=rule.id,
                customer_id=customer_id,
                began_at=start,
            )
        )
        _notice(session, rule, customer_id, across[customer_id], start, now)
    return len(new)


def _notice(
    session: Session,
    rule: AlertRuleRow,
    customer_id: int,
    value: Decimal,
    start: datetime,
    now: datetime,
) -> None:
    about = customer_id or (int(rule.target) if rule.scope == "customer" else 0)
    said = {
        "customer_id": alerts.lock_customer(session, about) if about else None,
        "alert_id": rule.public_id,
        "name": rule.name,
        "metric": rule.metric,
        "scope": rule.scope,
        "product": rule.target if rule.scope == "product" else None,
        "model": rule.target if rule.scope == "model" else None,
        "threshold": rule.threshold,
        "value": value,
        "currency": rule.currency,
        "window": rule.span,
        "window_from": start,
        "occurred_at": now,
    }
    data = {name: given for name, given in said.items() if given is not None}
    notices.add(session, rule.tenant_id, "alert.triggered", about, data, now)


def _target(session: Session, tenant_id: int, command: CreateAlert) -> str:
    """What a rule watches, as it is stored."""
    if command.customer_id is not None:
        customer = customers.find(session, tenant_id, command.customer_id)
        if customer is None:
            raise InvalidRequest("customer_id", f"there is no customer '{command.customer_id}'")
        return str(customer.id)
    if command.product_id is not None:
        product = products.find(session, tenant_id, command.product_id)
        if product is None:
            raise InvalidRequest("product_id", f"there is no product '{command.product_id}'")
        return product.code
    return command.model or ""


def _found(session: Session, tenant_id: int, alert_id: str) -> AlertRuleRow:
    row = alerts.find(session, tenant_id, alert_id, lock=True)
    if row is None:
        raise NotFound(f"there is no alert '{alert_id}'", hint="GET /alerts lists them.")
    return row


def _shown(session: Session, row: AlertRuleRow) -> Alert:
    customer_id = None
    if row.scope == "customer":
        customer_id = margin_names.customers(session, [int(row.target)])[int(row.target)].public_id
    return Alert(
        id=row.public_id,
        name=row.name,
        metric=row.metric,
        scope=row.scope,
        threshold=row.threshold,
        window=row.span,
        currency=row.currency,
        customer_id=customer_id,
        product=row.target if row.scope == "product" else None,
        model=row.target if row.scope == "model" else None,
        triggered=len(alerts.triggered(session, row)),
        created_at=row.created_at,
    )
