"""What budgets count of a customer, read back from the events, charges and holds that made it.

Reads only; what the lane counts as it goes is in budget_book.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlmodel import Session, col, select

from credyt_mcp import ids
from credyt_mcp.clock import to_micros
from credyt_mcp.domain.budgets import Item, Who, cost_items, fee_items, open_items, usage_items
from credyt_mcp.domain.fees import StoredFee
from credyt_mcp.storage import unpriced
from credyt_mcp.storage.ledger_tables import (
    AuthorizationRow,
    EventRow,
    LedgerAccountRow,
    LedgerEntryRow,
    LedgerTransactionRow,
)
from credyt_mcp.storage.tables import CustomerRow

AT_ONCE = 1000


class Used(NamedTuple):
    """Usage, and what it cost by prices that came `late`, nobody knows when."""

    who: Who
    recorded_at: int
    items: list[Item]
    late: list[Item]


def used_since(session: Session, customer: CustomerRow, start: int) -> Iterator[Used]:
    """Usage that was recorded from `start` on, back from the newest: ids are in that order."""
    assert customer.id is not None
    after, last = 0, 2**63 - 1
    names = ("id", "user_id", "subject", "occurred_at", "recorded_at", "fees", "costs")
    columns = [getattr(EventRow, name) for name in names]
    while last:
        newest = select(*columns).where(EventRow.customer_id == customer.id, EventRow.id < last)
        rows = session.execute(newest.order_by(col(EventRow.id).desc()).limit(AT_ONCE)).all()
        late = unpriced.late_costs(session, [row.id for row in rows])
        last = rows[-1].id if len(rows) == AT_ONCE else 0
        for row in rows:
            recorded_at, at = to_micros(row.recorded_at), to_micros(row.occurred_at)
            if recorded_at < start:
                after, last = row.id, 0
                break
            fees = [StoredFee(*fee) for fee in row.fees or ()]
            yield Used(
                Who(customer.id, row.user_id, row.subject),
                recorded_at,
                usage_items(fees, row.costs, at),
                cost_items(late.get(row.id), at),
            )
    yield from _captured(session, customer, after)


def _captured(session: Session, customer: CustomerRow, after: int) -> Iterator[Used]:
    """Amounts that authorizations were captured with, of rows with ids above `after`."""
    assert customer.id is not None
    codes = _codes(session, customer)
    rows = session.exec(
        select(LedgerTransactionRow)
        .join(LedgerEntryRow, col(LedgerEntryRow.transaction_id) == col(LedgerTransactionRow.id))
        .where(
            col(LedgerEntryRow.account_id).in_(codes),
            col(LedgerEntryRow.id) > after,
            LedgerTransactionRow.kind == "charge",
        )
    )
    for row in rows:
        name = row.details.get("authorization_id")
        if name is None or row.executed_at is None:
            continue
        held = session.exec(
            select(AuthorizationRow).where(
                AuthorizationRow.tenant_id == customer.tenant_id,
                AuthorizationRow.key == ids.client_key(name),
            )
        ).one()
        at = to_micros(row.executed_at)
        items = fee_items([(codes[row.account_id], row.amount)], at)
        who = Who(customer.id, held.details.get("user_id"), held.subject)
        yield Used(who, to_micros(row.recorded_at), items, [])


def held(session: Session, customer: CustomerRow) -> Iterator[tuple[Who, list[Item]]]:
    """What each open authorization holds now, and what its usage was estimated to cost."""
    assert customer.id is not None
    codes = _codes(session, customer)
    for row in session.exec(
        select(AuthorizationRow).where(
            AuthorizationRow.tenant_id == customer.tenant_id,
            AuthorizationRow.customer_id == customer.id,
            AuthorizationRow.status == "open",
        )
    ):
        fees = [(codes[account], units) for account, _, units, _ in row.legs if account in codes]
        costs = (row.details.get("costs") or {}).items()
        who = Who(customer.id, row.details.get("user_id"), row.subject)
        yield who, open_items(fees, costs, to_micros(row.created_at))


def _codes(session: Session, customer: CustomerRow) -> dict[int | None, str]:
    """The asset of each of the customer's accounts."""
    rows = session.exec(
        select(LedgerAccountRow.id, LedgerAccountRow.asset).where(
            LedgerAccountRow.tenant_id == customer.tenant_id,
            LedgerAccountRow.customer_id == customer.id,
        )
    )
    return dict(iter(rows))
