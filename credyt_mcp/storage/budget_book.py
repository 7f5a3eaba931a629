"""Loads the budgets that a batch may touch, and writes what it used of them.

Part of the money path, inside the lane's transaction, after the wallets are locked. A customer
without budgets costs nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from credyt_mcp.domain.book import Book
from credyt_mcp.domain.budgets import EACH, Budget, BudgetUse, Who, window_start
from credyt_mcp.domain.money import Asset
from credyt_mcp.storage.budget_tables import BudgetRow, BudgetUseRow
from credyt_mcp.storage.lane_connection import LaneConnection, table_of

BUDGETS = table_of(BudgetRow)
USES = table_of(BudgetUseRow)
OWNER = ("tenant_id", "customer_id", "user_id", "subject")
KEY = ("tenant_id", "budget_id", "part")
LARGEST = 2**63 - 1

FindAsset = Callable[[int, str], Asset | None]


def load(
    connection: LaneConnection, book: Book, commands: Sequence[Any], find_asset: FindAsset
) -> None:
    """Call it when authorizations are loaded, and before any of them is closed."""
    watched = {one.id: one.tenant_id for one in book.customers.values() if one.has_budgets}
    if not watched:
        return
    spenders = {who for who in _spenders(book, commands) if who[0] in watched}
    keys = {
        (watched[who], who, *terms)
        for who, user_id, subject in spenders
        for terms in terms_of(user_id, subject)
    }
    book.budgets.of = {customer_id: [] for customer_id in watched}
    for row in connection.find(BUDGETS, OWNER, sorted(keys)) if keys else ():
        asset = find_asset(row["tenant_id"], row["asset"])
        assert asset is not None, "a budget's asset exists"
        book.budgets.of[row["customer_id"]].append(budget_of(row, asset))
    parts = {
        (budget.tenant_id, budget.id, part): budget
        for customer_id, user_id, subject in spenders
        for budget in book.budgets.of[customer_id]
        if (part := budget.part_of(user_id, subject)) is not None
    }
    for (_, budget_id, part), budget in parts.items():
        start = window_start(budget.window, book.now)
        book.budgets.uses[budget_id, part] = BudgetUse(budget, part, start)
    for row in connection.find(USES, KEY, sorted(parts)) if parts else ():
        use = book.budgets.uses[row["budget_id"], row["part"]]
        use.began_at, use.used, use.held = row["began_at"], row["used"], row["held"]
        use.stored = True


def save(connection: LaneConnection, book: Book) -> None:
    changed = [use for use in book.changed.values() if isinstance(use, BudgetUse)]
    if not changed:
        return
    changed.sort(key=lambda use: (use.budget.tenant_id, use.budget.id, use.part))
    new = [use_row(use) for use in changed if not use.stored]
    if new:
        connection.insert(USES, new)
    known = [use_row(use) for use in changed if use.stored]
    if known:
        connection.update(USES, KEY, known)


def budget_of(row: dict[str, Any], asset: Asset) -> Budget:
    return Budget(
        row["id"],
        row["tenant_id"],
        row["public_id"],
        row["customer_id"],
        row["user_id"],
        row["subject"],
        row["metric"],
        asset,
        row["span"],
        row["amount"],
    )


def use_row(use: BudgetUse) -> dict[str, Any]:
    """Sums beyond any amount stop at the largest: usage is recorded whatever it comes to."""
    return {
        "tenant_id": use.budget.tenant_id,
        "budget_id": use.budget.id,
        "part": use.part,
        "began_at": use.began_at,
        "used": max(-LARGEST, min(LARGEST, use.used)),
        "held": max(0, min(LARGEST, use.held)),
    }


def terms_of(user_id: str | None, subject: str | None) -> list[tuple[str, str]]:
    """End user and task of the budgets that such usage may count in: looked up one by one, since a
    customer may have thousands."""
    users = [(name, "") for name in (user_id, EACH) if user_id and name]
    tasks = [("", name) for name in (subject, EACH) if subject and name]
    return [("", ""), *users, *tasks]


def _spenders(book: Book, commands: Sequence[Any]) -> Iterable[tuple[int, str | None, str | None]]:
    """Whose usage the commands may count or give back; customers by our row ids."""
    for command in commands:
        customer = book.customers.get(command.ref)
        if customer is not None:
            for user_id, subject in getattr(command, "spenders", ()):
                yield customer.id, user_id, subject
    for authorization in book.authorizations.values():
        yield Who.of(authorization)
