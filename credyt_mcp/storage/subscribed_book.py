"""Loads the subscriptions of a batch into the book, where they matter, and writes what changed.

Part of the money path, inside the lane's transaction, after the wallets are locked. Usage alone
loads none of this; see `domain.subscriptions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any

from credyt_mcp import exact_json
from credyt_mcp.domain.assets import currency
from credyt_mcp.domain.book import Book, Customer, RateCard
from credyt_mcp.domain.periods import Every
from credyt_mcp.domain.subscriptions import Paid, Payment, Schedule, Stretch, Subscription
from credyt_mcp.ids import new_id
from credyt_mcp.storage import payment_tables, tables
from credyt_mcp.storage.lane_connection import LaneConnection, table_of

SUBSCRIPTIONS = table_of(tables.SubscriptionRow)
STRETCHES = table_of(tables.SubscribedVersionRow)
SCHEDULES = table_of(tables.EntitlementRow)
PAYMENTS = table_of(payment_tables.SubscriptionPaymentRow)
CUSTOMERS = table_of(tables.CustomerRow)

Cards = Callable[[Iterable[int]], dict[int, RateCard]]


def load(connection: LaneConnection, book: Book, customers: list[Customer], cards: Cards) -> None:
    """All subscriptions of these customers."""
    keys = [(customer.tenant_id, customer.id) for customer in customers]
    by = ("tenant_id", "customer_id")
    known: dict[int, Subscription] = {}
    for customer in customers:
        book.subscriptions[customer.id] = []
    for row in _ordered(connection, SUBSCRIPTIONS, by, keys):
        known[row["id"]] = subscription = _subscription(row)
        book.subscriptions[row["customer_id"]].append(subscription)
    stretches = _ordered(connection, STRETCHES, by, keys)
    versions = cards({row["version_id"] for row in stretches})
    for row in stretches:
        stretch = _stretch(row, versions[row["version_id"]])
        known[row["subscription_id"]].stretches.append(stretch)
    for row in _ordered(connection, SCHEDULES, by, keys):
        known[row["subscription_id"]].schedules.append(_schedule(row))
    for row in _ordered(connection, PAYMENTS, by, keys):
        known[row["subscription_id"]].payments.append(_payment(row))


def save(connection: LaneConnection, book: Book) -> None:
    """Write new and changed rows. New ones get their ids here, payments their public ids."""
    if not book.subscriptions:
        return
    for subscriptions in book.subscriptions.values():
        for subscription in subscriptions:
            _save_new(connection, subscription)
    states: tuple[tuple[type, Any, Callable[[Any], dict[str, Any]]], ...] = (
        (Subscription, SUBSCRIPTIONS, _subscription_state),
        (Stretch, STRETCHES, _stretch_state),
        (Schedule, SCHEDULES, _schedule_state),
        (Payment, PAYMENTS, _payment_state),
        (Customer, CUSTOMERS, _customer_state),
    )
    for kind, table, as_row in states:
        rows = [as_row(row) for row in book.changed.values() if isinstance(row, kind)]
        if rows:
            connection.update(table, ("id",), rows)


def _save_new(connection: LaneConnection, subscription: Subscription) -> None:
    owner = {
        "tenant_id": subscription.tenant_id,
        "customer_id": subscription.customer_id,
        "subscription_id": subscription.id,
    }
    for stretch in subscription.stretches:
        if stretch.id is None:
            place = {"product_id": stretch.card.product_id, "version_id": stretch.card.version_id}
            row = {**owner, **place, "from_at": stretch.from_at, **_stretch_state(stretch)}
            stretch.id = _insert(connection, STRETCHES, row)
    for schedule in subscription.schedules:
        if schedule.id is None:
            of = {
                "product_id": schedule.product_id,
                "name": schedule.name,
                "asset": schedule.asset,
            }
            schedule.id = _insert(
                connection, SCHEDULES, {**owner, **of, **_schedule_state(schedule)}
            )
    for payment in subscription.payments:
        if payment.id is None:
            payment.public_id = new_id("pay")
            payment.id = _insert(connection, PAYMENTS, {**owner, **payment_row(payment)})


def payment_row(payment: Payment) -> dict[str, Any]:
    """A new payment as its row, but for whose it is."""
    return {
        **_payment_state(payment),
        "public_id": payment.public_id,
        "kind": payment.kind,
        "lines": exact_json.dumps(payment.lines).decode(),
        "amount": payment.amount,
        "currency": payment.currency.code,
        "attempt": 0,
        "link": 0,
        "created_at": payment.created_at,
    }


def _insert(connection: LaneConnection, table: Any, row: dict[str, Any]) -> int:
    del row["id"]
    return connection.insert_returning_id(table, row)


def _ordered(
    connection: LaneConnection, table: Any, by: tuple[str, ...], keys: list[tuple[int, int]]
) -> list[dict[str, Any]]:
    return sorted(connection.find(table, by, keys), key=itemgetter("id"))


def _subscription(row: dict[str, Any]) -> Subscription:
    return Subscription(
        id=row["id"],
        tenant_id=row["tenant_id"],
        public_id=row["public_id"],
        customer_id=row["customer_id"],
        status=row["status"],
        started_at=row["started_at"],
        activated_at=row["activated_at"],
        renews_at=row["renews_at"],
    )


def _subscription_state(row: Subscription) -> dict[str, Any]:
    return {
        "id": row.id,
        "status": row.status,
        "started_at": row.started_at,
        "activated_at": row.activated_at,
        "renews_at": row.renews_at,
    }


def _stretch(row: dict[str, Any], card: RateCard) -> Stretch:
    return Stretch(
        card=card,
        from_at=row["from_at"],
        until_at=row["until_at"],
        anchor_at=row["anchor_at"],
        paid=[Paid(*paid) for paid in exact_json.loads(row["paid"] or "[]")],
        id=row["id"],
    )


def _stretch_state(row: Stretch) -> dict[str, Any]:
    return {
        "id": row.id,
        "until_at": row.until_at,
        "anchor_at": row.anchor_at,
        "paid": exact_json.dumps(row.paid).decode(),
    }


def _schedule(row: dict[str, Any]) -> Schedule:
    return Schedule(
        product_id=row["product_id"],
        name=row["name"],
        asset=row["asset"],
        every=Every(row["duration"], row["duration_count"]),
        anchor_at=row["anchor_at"],
        next_at=row["next_at"],
        ended_at=row["ended_at"],
        id=row["id"],
    )


def _schedule_state(row: Schedule) -> dict[str, Any]:
    return {
        "id": row.id,
        "duration": row.every.interval,
        "duration_count": row.every.number,
        "anchor_at": row.anchor_at,
        "next_at": row.next_at,
        "ended_at": row.ended_at,
    }


def _payment(row: dict[str, Any]) -> Payment:
    asset = currency(row["currency"])
    assert asset is not None, "a provider takes currencies only"
    return Payment(
        kind=row["kind"],
        period_from=row["period_from"],
        period_to=row["period_to"],
        lines=exact_json.loads(row["lines"]),
        amount=row["amount"],
        currency=asset,
        status=row["status"],
        created_at=row["created_at"],
        next_attempt_at=row["next_attempt_at"],
        public_id=row["public_id"],
        settled_at=row["settled_at"],
        reason=row["reason"],
        attempt=row["attempt"],
        id=row["id"],
    )


def _payment_state(row: Payment) -> dict[str, Any]:
    return {
        "id": row.id,
        "status": row.status,
        "reason": row.reason,
        "next_attempt_at": row.next_attempt_at,
        "settled_at": row.settled_at,
        "period_from": row.period_from,
        "period_to": row.period_to,
    }


def _customer_state(row: Customer) -> dict[str, Any]:
    return {"id": row.id, "next_due_at": row.next_due_at}
