"""REST routes of budgets. Translation only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, reply
from credyt_mcp.use_cases import budgets

router = APIRouter(
    prefix="/customers/{customer_id}/budgets", tags=["wallets"], route_class=ExactRoute
)


@router.put("", response_model=budgets.BudgetView)
async def set_budget(caller: Caller, customer_id: str, body: budgets.BudgetFields) -> Response:
    command = budgets.SetBudget(customer_id=customer_id, **dict(body))
    return await reply(caller, budgets.set_budget, command)


@router.get("", response_model=budgets.BudgetPage)
async def list_budgets(
    caller: Caller, customer_id: str, page: Annotated[budgets.BudgetsFor, Query()]
) -> Response:
    command = budgets.ListBudgets(customer_id=customer_id, **dict(page))
    return await reply(caller, budgets.list_budgets, command)


@router.delete("/{budget_id}", status_code=204)
async def delete_budget(caller: Caller, customer_id: str, budget_id: str) -> Response:
    command = budgets.DeleteBudget(customer_id=customer_id, budget_id=budget_id)
    return await reply(caller, budgets.delete_budget, command, 204)
