"""Budgets as people set and read them; what is used of them changes in the lane, see
budget_book.py. Writers hold the customer's lock, so that no usage goes by uncounted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, tuple_
from sqlmodel import Session, col, func, select

from credyt_mcp import ids
from credyt_mcp.clock import from_micros, to_micros
from credyt_mcp.domain.budgets import (
    Budget,
    BudgetUse,
    Item,
    Who,
    fee_items,
    held_items,
    usage_items,
    window_start,
)
from credyt_mcp.domain.fees import StoredFee
from credyt_mcp.storage import assets, audit, unpriced, wallets
from credyt_mcp.storage.budget_book import budget_of, use_row
from credyt_mcp.storage.budget_tables import TERMS, BudgetRow, BudgetUseRow
from credyt_mcp.storage.ledger_tables import (
    AuthorizationRow,
    EventRow,
    LedgerEntryRow,
    LedgerTransactionRow,
)
from credyt_mcp.storage.tables import CustomerRow

AT_ONCE = 1000


def page(
    session: Session,
    customer: CustomerRow,
    offset: int,
    limit: int,
    levels: Sequence[tuple[str, str]] | None = None,
) -> tuple[list[Budget], int]:
    """Widest level first, and how many there are; only those of these `levels`, each an end user
    and a task, if any are given."""
    own = and_(*_own(customer))
    if levels is not None:
        terms = tuple_(col(BudgetRow.user_id), col(BudgetRow.subject))
        own = and_(own, terms.in_(levels))
    total = session.exec(select(func.count()).select_from(BudgetRow).where(own)).one()
    query = select(BudgetRow).where(own)
    for column in (BudgetRow.subject, BudgetRow.user_id, BudgetRow.id):
        query = query.order_by(col(column))
    rows = session.exec(query.offset(offset).limit(limit))
    return [_domain(session, row) for row in rows], total


def find(session: Session, customer: CustomerRow, terms: dict[str, Any]) -> BudgetRow | None:
    """The budget with these `TERMS`, or with this public id."""
    query = select(BudgetRow).where(*_own(customer))
    for name, value in terms.items():
        query = query.where(getattr(BudgetRow, name) == value)
    return session.exec(query).first()


def uses(session: Session, parts: dict[Budget, str]) -> dict[Budget, BudgetUse]:
    """What one share of each budget has used, where it has been used at all."""
    known = {(budget.tenant_id, budget.id, part): budget for budget, part in parts.items()}
    if not known:
        return {}
    columns = (BudgetUseRow.tenant_id, BudgetUseRow.budget_id, BudgetUseRow.part)
    rows = session.exec(select(BudgetUseRow).where(tuple_(*map(col, columns)).in_(known)))
    found = {}
    for row in rows:
        budget = known[row.tenant_id, row.budget_id, row.part]
        found[budget] = BudgetUse(budget, row.part, row.began_at, row.used, row.held, stored=True)
    return found


def put(
    session: Session,
    customer: CustomerRow,
    terms: dict[str, str],
    amount: int,
    actor: str,
    now: datetime,
) -> Budget:
    """Set a budget's limit, or add it with what was used of it in its present window. The customer
    must be locked."""
    row, before = find(session, customer, terms), {}
    if row is None:
        row = BudgetRow(
            **terms,  # type: ignore[arg-type]
            tenant_id=customer.tenant_id,
            public_id=ids.new_id("bgt"),
            customer_id=customer.id,
            amount=amount,
            created_at=now,
            updated_at=now,
        )
        session.add(row)
        customer.has_budgets = 1
        session.add(customer)
        session.flush()
        budget = _domain(session, row)
        for use in _so_far(session, customer, budget, to_micros(now)):
            session.add(BudgetUseRow(**use_row(use)))
    else:
        before = {"amount": row.amount}
        row.amount, row.updated_at = amount, now
        session.add(row)
        budget = _domain(session, row)
    if before != {"amount": amount}:
        _audit(session, row, "budget.set", actor, now, before, {**terms, "amount": amount})
    return budget


def remove(
    session: Session, customer: CustomerRow, row: BudgetRow, actor: str, now: datetime
) -> None:
    """The customer must be locked."""
    session.execute(
        delete(BudgetUseRow).where(
            col(BudgetUseRow.tenant_id) == row.tenant_id, col(BudgetUseRow.budget_id) == row.id
        )
    )
    session.delete(row)
    session.flush()
    if session.exec(select(BudgetRow.id).where(*_own(customer)).limit(1)).first() is None:
        customer.has_budgets = 0
        session.add(customer)
    before = {name: getattr(row, name) for name in (*TERMS[2:], "amount")}
    _audit(session, row, "budget.delete", actor, now, before, {})


def _audit(
    session: Session,
    row: BudgetRow,
    action: str,
    actor: str,
    now: datetime,
    before: dict[str, Any],
    after: dict[str, Any],
) -> None:
    target = f"budget:{row.public_id}"
    audit.add(session, row.tenant_id, actor, action, target, now, before=before, after=after)


def _own(customer: CustomerRow) -> tuple[Any, ...]:
    return (
        col(BudgetRow.tenant_id) == customer.tenant_id,
        col(BudgetRow.customer_id) == customer.id,
    )


def _domain(session: Session, row: BudgetRow) -> Budget:
    asset = assets.find(session, row.tenant_id, row.asset)
    assert asset is not None, "a budget's asset exists"
    return budget_of(row.model_dump(), asset)


def _so_far(
    session: Session, customer: CustomerRow, budget: Budget, now: int
) -> Iterator[BudgetUse]:
    """What is used and held of a new budget, share by share."""
    start = window_start(budget.window, now)
    found: dict[str, BudgetUse] = {}

    def use_of(who: Who) -> BudgetUse | None:
        part = budget.part_of(who.user_id, who.subject)
        if part is None:
            return None
        return found.setdefault(part, BudgetUse(budget, part, start))

    for who, items in _used_since(session, customer, start):
        if (use := use_of(who)) is not None:
            use.used += budget.sum_of(items, start)
    loaded = wallets.load(session, customer, from_micros(now))
    for row in session.exec(
        select(AuthorizationRow).where(
            AuthorizationRow.tenant_id == customer.tenant_id,
            AuthorizationRow.customer_id == customer.id,
            AuthorizationRow.status == "open",
        )
    ):
        held = wallets.authorization_of(row, loaded)
        if (use := use_of(Who.of(held))) is not None:
            use.held += budget.sum_of(held_items(held))
    return iter(found.values())


def _used_since(
    session: Session, customer: CustomerRow, start: int
) -> Iterator[tuple[Who, list[Item]]]:
    """Usage that was recorded from `start` on, back from the newest: ids are in that order."""
    after, last = 0, 2**63 - 1
    names = ("id", "user_id", "subject", "occurred_at", "recorded_at", "fees", "costs")
    columns = [getattr(EventRow, name) for name in names]
    while last:
        newest = select(*columns).where(EventRow.customer_id == customer.id, EventRow.id < last)
        rows = session.execute(newest.order_by(col(EventRow.id).desc()).limit(AT_ONCE)).all()
        late = unpriced.late_costs(session, [row.id for row in rows])
        last = rows[-1].id if len(rows) == AT_ONCE else 0
        for row in rows:
            if to_micros(row.recorded_at) < start:
                after, last = row.id, 0
                break
            at = to_micros(row.occurred_at)
            fees = [StoredFee(*fee) for fee in row.fees or ()]
            costs = [*(row.costs or ()), *late.get(row.id, ())]
            yield Who(customer.id, row.user_id, row.subject), usage_items(fees, costs, at)
    yield from _captured_since(session, customer, start, after)


def _captured_since(
    session: Session, customer: CustomerRow, start: int, after: int
) -> Iterator[tuple[Who, list[Item]]]:
    """Amounts that authorizations were captured with, of rows with ids above `after`."""
    accounts = wallets.load(session, customer, from_micros(start)).accounts.values()
    codes = {account.id: account.asset.code for account in accounts}
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
        key = ids.client_key(name)
        held = session.exec(
            select(AuthorizationRow).where(
                AuthorizationRow.tenant_id == customer.tenant_id, AuthorizationRow.key == key
            )
        ).one()
        who = Who(customer.id, held.details.get("user_id"), held.subject)
        at = to_micros(row.executed_at)
        yield who, fee_items([(codes[row.account_id], row.amount)], at)
