"""Budgets: what a customer, an end user or a task may use in an hour, a day or a month. They are
decided in the lane, see domain/budgets.py."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, model_validator
from sqlmodel import Session

from credyt_mcp.clock import from_micros, to_micros
from credyt_mcp.domain.alerts import Window
from credyt_mcp.domain.assets import is_currency
from credyt_mcp.domain.budgets import EACH, Budget, Level, Metric, window_end
from credyt_mcp.domain.money import from_units, to_units
from credyt_mcp.errors import InvalidRequest, NotFound, UnknownReference
from credyt_mcp.storage import assets, budgets, customers
from credyt_mcp.storage.tables import CustomerRow
from credyt_mcp.use_cases.context import (
    AmountOrZero,
    Billing,
    Command,
    Number,
    PageOf,
    Result,
    ShortText,
)
from credyt_mcp.use_cases.subscriptions import CustomerId, customer_of


class BudgetFields(Command):
    limit: Annotated[AmountOrZero, Field(description="in the window")]
    window: Annotated[Window, Field(description="of UTC")] = "month"
    metric: Annotated[Metric, Field(description="what they pay, or what you pay")] = "fee"
    asset: Annotated[str, Field(description="of the limit")] = "USD"
    user_id: Annotated[
        ShortText | None, Field(description="an end user's, or * for each of them")
    ] = None
    subject: Annotated[ShortText | None, Field(description="or a task's, or *")] = None

    @model_validator(mode="after")
    def _one_level(self) -> Self:
        if self.user_id is not None and self.subject is not None:
            raise ValueError("give user_id or subject, or neither for the customer's own budget")
        return self


class SetBudget(BudgetFields):
    """Limit what a customer, an end user or a task may use; authorizations beyond it are refused.
    Again, it changes the limit of that window, metric and asset."""

    customer_id: CustomerId


class BudgetsFor(PageOf):
    user_id: Annotated[
        ShortText | None, Field(description="only what binds this end user, with what they used")
    ] = None
    subject: Annotated[ShortText | None, Field(description="likewise, this task")] = None


class ListBudgets(BudgetsFor):
    """A customer's budgets, widest level first."""

    customer_id: CustomerId


class DeleteBudget(Command):
    """End a budget, with what it has counted."""

    customer_id: CustomerId
    budget_id: str


class BudgetView(Result):
    """`used` and `held` are of the present window, and absent of a budget that each end user or
    task has: `user_id` or `subject` in the query shows theirs."""

    id: str
    level: Level
    user_id: str | None = None
    subject: str | None = None
    metric: str
    asset: str
    window: str
    limit: Number
    used: Number | None = None
    held: Annotated[Number | None, Field(description="by open authorizations")] = None
    resets_at: datetime


class BudgetPage(Result):
    items: list[BudgetView]
    total_count: int
    limit: int
    offset: int


def set_budget(billing: Billing, command: SetBudget) -> BudgetView:
    """What was used in the present window counts. Raises NotFound, UnknownReference for an asset
    that is not there, AmountOutOfRange."""
    with billing.database.write() as session:
        customer = _locked(session, billing, command.customer_id)
        asset = assets.find(session, billing.tenant.id, command.asset)
        if asset is None:
            raise UnknownReference("asset", f"there is no asset '{command.asset}'")
        if command.metric == "cost" and not is_currency(asset.code):
            raise InvalidRequest("asset", "must be a currency: costs are in currencies")
        terms = {
            "user_id": command.user_id or "",
            "subject": command.subject or "",
            "metric": command.metric,
            "asset": asset.code,
            "span": command.window,
        }
        limit = to_units(command.limit, asset, "limit")
        budget = budgets.put(session, customer, terms, limit, billing.actor, billing.now())
        session.flush()
        return shown(session, [budget], billing.now())[0]


def list_budgets(billing: Billing, command: ListBudgets) -> BudgetPage:
    """Raises NotFound."""
    levels = None
    if command.user_id is not None or command.subject is not None:
        levels = [("", "")]
        levels += [(name, "") for name in (command.user_id, EACH) if command.user_id and name]
        levels += [("", name) for name in (command.subject, EACH) if command.subject and name]
    with billing.database.read() as session:
        customer = customer_of(session, billing, command.customer_id)
        found, total = budgets.page(session, customer, command.offset, command.limit, levels)
        items = shown(session, found, billing.now(), command.user_id, command.subject)
    return BudgetPage(items=items, total_count=total, limit=command.limit, offset=command.offset)


def delete_budget(billing: Billing, command: DeleteBudget) -> None:
    """Raises NotFound."""
    with billing.database.write() as session:
        customer = _locked(session, billing, command.customer_id)
        row = budgets.find(session, customer, {"public_id": command.budget_id})
        if row is None:
            raise NotFound(f"the customer has no budget '{command.budget_id}'")
        budgets.remove(session, customer, row, billing.actor, billing.now())


def of_customer(session: Session, customer: CustomerRow, now: datetime) -> list[BudgetView] | None:
    """The budgets of all of a customer's usage, None if there are none."""
    if not customer.has_budgets:
        return None
    found, _ = budgets.page(session, customer, 0, 100, [("", "")])
    return shown(session, found, now) or None


def shown(
    session: Session,
    found: list[Budget],
    now: datetime,
    user_id: str | None = None,
    subject: str | None = None,
) -> list[BudgetView]:
    """With what that end user or task has used of the budgets that each one has."""
    parts = {budget: _part(budget, user_id, subject) for budget in found}
    uses = budgets.uses(session, {one: part for one, part in parts.items() if part is not None})
    at = to_micros(now)
    views = []
    for budget in found:
        use, asset = uses.get(budget), budget.asset
        amounts: dict[str, Any] = {}
        if parts[budget] is not None:
            amounts["used"] = from_units(use.used_at(at) if use else 0, asset)
            amounts["held"] = from_units(use.held if use else 0, asset)
        views.append(
            BudgetView(
                id=budget.public_id,
                level=budget.level,
                user_id=budget.user_id or None,
                subject=budget.subject or None,
                metric=budget.metric,
                asset=asset.code,
                window=budget.window,
                limit=from_units(budget.limit, asset),
                resets_at=from_micros(window_end(budget.window, at)),
                **amounts,
            )
        )
    return views


def _part(budget: Budget, user_id: str | None, subject: str | None) -> str | None:
    if budget.is_of_each:
        return budget.part_of(user_id, subject)
    return budget.user_id or budget.subject


def _locked(session: Session, billing: Billing, customer_id: str) -> CustomerRow:
    found = customer_of(session, billing, customer_id)
    customer = customers.find(session, billing.tenant.id, found.public_id, lock=True)
    assert customer is not None
    session.refresh(customer)
    return customer
