"""The tenant's rules for costs that are a matter of choice: shared ones, failures, retries."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from pydantic import Field

from credyt_mcp.domain.cost_rules import CostRules, WhoFailed, WhoWrote
from credyt_mcp.storage import audit, cost_rules
from credyt_mcp.use_cases.context import Billing, Command, Result

WINDOW_DAYS_MAX = 366


class GetCostRules(Command):
    """The rules by which costs are attributed that are a matter of choice."""


class SetCostRules(Command):
    """Change rules of costs; what is left out stays. They hold for what is recorded from now on."""

    cache_writes: Annotated[
        WhoWrote | None, Field(description="who bears writing a cache that has a shared_key")
    ] = None
    embeddings: Annotated[
        WhoWrote | None, Field(description="who bears embeddings that have a shared_key")
    ] = None
    embedding_days: Annotated[
        int | None,
        Field(ge=1, le=WINDOW_DAYS_MAX, description="whose uses of embeddings count, from theirs"),
    ] = None
    failures: Annotated[
        WhoFailed | None,
        Field(description="whose failed calls are: the customer's, nobody's, all customers'"),
    ] = None
    retries: Annotated[WhoFailed | None, Field(description="likewise calls tried again")] = None


class CostRulesShown(Result):
    cache_writes: WhoWrote
    embeddings: WhoWrote
    embedding_days: int
    failures: WhoFailed
    retries: WhoFailed


def get_cost_rules(billing: Billing, command: GetCostRules) -> CostRulesShown:
    with billing.database.read() as session:
        return _shown(cost_rules.get(session, billing.tenant.id))


def set_cost_rules(billing: Billing, command: SetCostRules) -> CostRulesShown:
    """Costs that are recorded keep the rule they were recorded with."""
    tenant_id, now = billing.tenant.id, billing.now()
    with billing.database.write(alone=True) as session:
        before = cost_rules.get(session, tenant_id)
        after = CostRules(**{**asdict(before), **command.model_dump(exclude_none=True)})
        if after != before:
            cost_rules.put(session, tenant_id, after, now)
            audit.add(
                session,
                tenant_id,
                billing.actor,
                "cost_rules.set",
                "cost_rules",
                now,
                before=asdict(before),
                after=asdict(after),
            )
    return _shown(after)


def _shown(rules: CostRules) -> CostRulesShown:
    return CostRulesShown(**asdict(rules))
