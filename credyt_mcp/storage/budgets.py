"""Budgets as people set and read them; what is used of them changes in the lane, see
budget_book.py. Writers hold the customer's lock, so that no usage goes by uncounted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, tuple_
from sqlmodel import Session, col, func, select

from credyt_mcp import ids
from credyt_mcp.clock import to_micros
from credyt_mcp.domain.budgets import Budget, BudgetUse, Who, window_start
from credyt_mcp.storage import assets, audit, budget_history
from credyt_mcp.storage.budget_book import budget_of, use_row
from credyt_mcp.storage.budget_tables import TERMS, BudgetRow, BudgetUseRow
from credyt_mcp.storage.tables import CustomerRow


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
    return [domain_of(session, row) for row in rows], total


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
        budget = domain_of(session, row)
        for use in _so_far(session, customer, budget, to_micros(now)):
            session.add(BudgetUseRow(**use_row(use)))
    else:
        before = {"amount": row.amount}
        row.amount, row.updated_at = amount, now
        session.add(row)
        budget = domain_of(session, row)
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


def domain_of(session: Session, row: BudgetRow) -> Budget:
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

    for used in budget_history.used_since(session, customer, start):
        if (use := use_of(used.who)) is not None:
            use.used += budget.sum_of([*used.items, *used.late], start)
    for who, items in budget_history.held(session, customer):
        if (use := use_of(who)) is not None:
            use.held += budget.sum_of(items)
    return iter(found.values())
