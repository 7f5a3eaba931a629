"""What budgets have counted after random usage is what a new budget finds that counts it anew."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import CredytError
from credyt_mcp.use_cases.authorizations import (
    authorize_usage,
    capture_authorization,
    extend_authorization,
    release_authorization,
)
from credyt_mcp.use_cases.budgets import delete_budget, list_budgets, set_budget
from credyt_mcp.use_cases.events import submit_events
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.llm_prices import set_llm_price
from credyt_mcp.use_cases.sweeping import sweep
from credyt_mcp.use_cases.unpriced_costs import reprice_costs
from credyt_mcp.use_cases.vendors import create_vendor
from tests.conftest import Call, System
from tests.samples import a_product, a_wallet, unit_price

STEPS = 60
JANE = {"customer_id": "jane"}
KINDS = [
    {"metric": metric, "window": window, **whose}
    for metric in ("fee", "cost")
    for window in ("hour", "day")
    for whose in ({}, {"user_id": "*"}, {"subject": "t1"})
]


class Life:
    """Random usage; what is refused leaves no trace."""

    def __init__(self, call: Call, rng: random.Random, clock: FrozenClock) -> None:
        self.call, self.rng, self.clock, self.number = call, rng, clock, 0
        self.holds: list[str] = []

    def amount(self) -> Decimal:
        return Decimal(self.rng.randrange(1, 300)).scaleb(-2)

    def whose(self) -> dict[str, Any]:
        names = {"user_id": ["ann", "bob", None], "subject": ["t1", "t2", None]}
        return {field: self.rng.choice(given) for field, given in names.items()}

    def costs(self) -> dict[str, Any]:
        self.number += 1
        one = {"id": f"c{self.number}", "vendor_external_id": "v", "amount": self.amount()}
        usage = {"prompt_tokens": self.rng.randrange(10**6), "completion_tokens": 1}
        call = {"provider": "openai", "model": "in-house", "usage": usage}
        return self.rng.choice([{}, {"costs": [one]}, {"llm_usage": call}])

    async def authorize(self) -> None:
        self.number += 1
        asked = self.rng.choice([{"amount": self.amount()}, {"event_type": "image"}])
        more = {**self.whose(), **self.costs(), "expires_in": self.rng.choice([60, 7200])}
        await self.call(authorize_usage, id=f"a{self.number}", **JANE, **asked, **more)
        self.holds.append(f"a{self.number}")

    async def use(self) -> None:
        self.number += 1
        at = self.clock.now() - timedelta(minutes=self.rng.choice([0, 0, 50, 300]))
        event = {"id": f"e{self.number}", "event_type": "image", "occurred_at": at.isoformat()}
        event |= {**self.whose(), **self.costs()}
        if self.holds and self.rng.random() < 0.5:
            event["authorization_id"] = self.rng.choice(self.holds)
            event["final"] = self.rng.random() < 0.5
        enforce = self.rng.random() < 0.3
        await self.call(submit_events, **JANE, events=[event], enforce=enforce)

    async def end(self) -> None:
        name = {"authorization_id": self.rng.choice(self.holds or ["none"])}
        self.number += 1
        debit = {"amount": self.amount(), "final": False, "transaction_id": f"t{self.number}"}
        use_case, fields = self.rng.choice(
            [
                (release_authorization, {}),
                (capture_authorization, debit),
                (capture_authorization, {"amount": self.amount()}),
                (extend_authorization, {"amount": self.amount(), "expires_in": 3600}),
            ]
        )
        await self.call(use_case, **name, **fields)

    async def wait(self) -> None:
        self.clock.advance(timedelta(minutes=self.rng.choice([1, 10, 70])))

    async def price(self) -> None:
        cents = self.rng.randrange(1, 9)
        await self.call(
            set_llm_price, provider="openai", model="in-house", input=cents, output=cents
        )
        await self.call(reprice_costs)

    async def step(self) -> None:
        steps: list[Callable[[], Awaitable[None]]] = [self.authorize, self.use, self.end]
        chosen = self.rng.choice([*steps, *steps, *steps, self.wait, self.price])
        with suppress(CredytError):
            await chosen()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_counts_are_what_a_new_budget_finds(
    system: System, call: Call, clock: FrozenClock, seed: int
) -> None:
    await a_product(call, unit_price("0.7"))
    await a_wallet(call, "studio", credit=1000)
    await call(create_vendor, name="V", external_id="v")
    life = Life(call, random.Random(seed), clock)
    for _ in range(STEPS // 3):
        await life.step()
    for kind in KINDS:
        await call(set_budget, **JANE, limit=life.amount() * 6, **kind)
    for _ in range(STEPS):
        await life.step()
    for kind in KINDS:
        await call(set_budget, **JANE, limit=1000, **kind)
    for _ in range(5):
        await life.authorize()
    await sweep(system.billing)
    counted = await _shown(call)
    assert (await call(verify_ledger)).problems == []
    for budget in (await call(list_budgets, **JANE, limit=100)).items:
        await call(delete_budget, **JANE, budget_id=budget.id)
    for kind in KINDS:
        await call(set_budget, **JANE, limit=1, **kind)
    assert await _shown(call) == counted
    assert any(held for _, held in counted.values())


async def _shown(call: Call) -> dict[Any, Any]:
    return {
        (user, one.metric, one.window, one.level): (one.used, one.held)
        for user in ("ann", "bob")
        for one in (await call(list_budgets, **JANE, limit=100, user_id=user, subject="t1")).items
    }
