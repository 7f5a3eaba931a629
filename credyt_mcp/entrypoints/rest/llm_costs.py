"""REST routes of what model calls cost: own prices, and calls without one. Translation only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, reply
from credyt_mcp.use_cases import (
    cost_rules,
    llm_price_changes,
    llm_prices,
    shared_costs,
    unpriced_costs,
)
from credyt_mcp.use_cases.context import Moment
from credyt_mcp.use_cases.llm_terms import LlmPriceFields

router = APIRouter(tags=["costs"], route_class=ExactRoute)


@router.get("/costs/unpriced", response_model=unpriced_costs.UnpricedCostPage)
async def list_unpriced_costs(
    caller: Caller, page: Annotated[unpriced_costs.ListUnpricedCosts, Query()]
) -> Response:
    return await reply(caller, unpriced_costs.list_unpriced_costs, page)


@router.post("/costs/reprice", response_model=unpriced_costs.CostsRepriced)
async def reprice_costs(caller: Caller) -> Response:
    return await reply(caller, unpriced_costs.reprice_costs, unpriced_costs.RepriceCosts())


@router.get("/costs/dependencies", response_model=shared_costs.CostDependencyPage)
async def list_cost_dependencies(
    caller: Caller, page: Annotated[shared_costs.ListCostDependencies, Query()]
) -> Response:
    return await reply(caller, shared_costs.list_cost_dependencies, page)


@router.get("/cost-rules", response_model=cost_rules.CostRulesShown)
async def get_cost_rules(caller: Caller) -> Response:
    return await reply(caller, cost_rules.get_cost_rules, cost_rules.GetCostRules())


@router.patch("/cost-rules", response_model=cost_rules.CostRulesShown)
async def set_cost_rules(caller: Caller, body: cost_rules.SetCostRules) -> Response:
    return await reply(caller, cost_rules.set_cost_rules, body)


@router.get("/llm-prices", response_model=llm_prices.LlmPricePage)
async def list_llm_prices(
    caller: Caller, page: Annotated[llm_prices.ListLlmPrices, Query()]
) -> Response:
    return await reply(caller, llm_prices.list_llm_prices, page)


@router.get("/llm-prices/changes", response_model=llm_price_changes.LlmPriceChanges)
async def list_llm_price_changes(
    caller: Caller, asked: Annotated[llm_price_changes.ListLlmPriceChanges, Query()]
) -> Response:
    return await reply(caller, llm_price_changes.list_llm_price_changes, asked)


@router.put("/llm-prices/{provider}/{model:path}", response_model=llm_prices.LlmPrice)
async def set_llm_price(
    caller: Caller, provider: str, model: str, body: LlmPriceFields
) -> Response:
    command = llm_prices.SetLlmPrice(provider=provider, model=model, **dict(body))
    return await reply(caller, llm_prices.set_llm_price, command)


@router.delete("/llm-prices/{provider}/{model:path}", status_code=204)
async def delete_llm_price(
    caller: Caller, provider: str, model: str, valid_from: Moment | None = None
) -> Response:
    command = llm_prices.DeleteLlmPrice(provider=provider, model=model, valid_from=valid_from)
    return await reply(caller, llm_prices.delete_llm_price, command, 204)
