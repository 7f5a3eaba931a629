"""Proves the budgets: what each share has used and holds is what its usage and holds add up to.

Reads customer by customer, and only those who have budgets. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlmodel import Session, col, select

from credyt_mcp.clock import to_micros
from credyt_mcp.domain.budgets import Budget, BudgetUse, Who, window_start
from credyt_mcp.storage import budget_history
from credyt_mcp.storage.budget_book import LARGEST, terms_of
from credyt_mcp.storage.budget_history import Used
from credyt_mcp.storage.budget_tables import BudgetRow, BudgetUseRow
from credyt_mcp.storage.budgets import domain_of
from credyt_mcp.storage.tables import CustomerRow


class _Recount:
    """One share of a budget as it is stored, and what it should be. Usage of a window that has
    ended may have got its price before or after that end, so what it cost is `sure` to be counted
    or, if the price came late, `perhaps`."""

    def __init__(self, stored: BudgetUse) -> None:
        self.stored = stored
        self.sure = self.perhaps = self.held = 0

    def add(self, used: Used) -> None:
        began_at, budget = self.stored.began_at, self.stored.budget
        if used.recorded_at >= began_at:
            since = max(began_at, window_start(budget.window, used.recorded_at))
            self.sure += budget.sum_of(used.items, since)
            self.perhaps += budget.sum_of(used.late, since)

    def problems(self) -> Iterator[str]:
        use = self.stored
        share = f"budget {use.budget.public_id}" + (f" of '{use.part}'" if use.part else "")
        least, most = sorted((self.sure, self.sure + self.perhaps))
        if not _bounded(least) <= use.used <= _bounded(most):
            yield f"what a budget has used is not what its usage adds up to: {share}"
        if use.held != _bounded(self.held):
            yield f"what a budget holds is not the sum of its open authorizations: {share}"


def problems(session: Session, tenant_id: int | None) -> Iterator[str]:
    """Sentences about what does not hold, of one tenant or of all."""
    owners = select(CustomerRow).where(col(CustomerRow.id).in_(select(BudgetRow.customer_id)))
    if tenant_id is not None:
        owners = owners.where(CustomerRow.tenant_id == tenant_id)
    for customer in session.exec(owners.order_by(col(CustomerRow.id))).all():
        yield from _of_customer(session, customer)


def _of_customer(session: Session, customer: CustomerRow) -> Iterator[str]:
    rows = session.exec(select(BudgetRow).where(BudgetRow.customer_id == customer.id)).all()
    created = {row.id: to_micros(row.created_at) for row in rows}
    budgets = {row.id: domain_of(session, row) for row in rows}
    shares = {
        (row.budget_id, row.part): _Recount(
            BudgetUse(budgets[row.budget_id], row.part, row.began_at, row.used, row.held)
        )
        for row in session.exec(
            select(BudgetUseRow).where(
                BudgetUseRow.tenant_id == customer.tenant_id,
                col(BudgetUseRow.budget_id).in_(budgets),
            )
        )
    }
    by_terms: dict[tuple[str, str], list[Budget]] = {}
    for budget in budgets.values():
        by_terms.setdefault((budget.user_id, budget.subject), []).append(budget)

    def shares_of(who: Who) -> Iterable[_Recount]:
        for terms in terms_of(who.user_id, who.subject):
            for budget in by_terms.get(terms, ()):
                part = budget.part_of(who.user_id, who.subject)
                assert part is not None, "these terms mean whose usage it is"
                # A share that is not stored has been of nothing since its budget was made.
                nothing = BudgetUse(budget, part, created[budget.id])
                yield shares.setdefault((budget.id, part), _Recount(nothing))

    earliest = [share.stored.began_at for share in shares.values()]
    for used in budget_history.used_since(session, customer, min([*created.values(), *earliest])):
        for share in shares_of(used.who):
            share.add(used)
    for who, items in budget_history.held(session, customer):
        for share in shares_of(who):
            share.held += share.stored.budget.sum_of(items)
    for _, share in sorted(shares.items()):
        yield from share.problems()


def _bounded(units: int) -> int:
    """As it would be stored."""
    return max(-LARGEST, min(LARGEST, units))
