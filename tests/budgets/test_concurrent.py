"""Budgets under requests that meet: none is exceeded at any level, and no hold leaks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from credyt_mcp.app import System, running
from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import BudgetExceeded
from credyt_mcp.settings import Settings
from credyt_mcp.use_cases.authorizations import (
    AuthorizeUsage,
    CaptureAuthorization,
    ReleaseAuthorization,
    authorize_usage,
    capture_authorization,
    release_authorization,
)
from credyt_mcp.use_cases.budgets import SetBudget, list_budgets, set_budget
from credyt_mcp.use_cases.context import perform
from credyt_mcp.use_cases.ledger import verify_ledger
from tests.conftest import Call
from tests.samples import a_wallet

JANE = {"customer_id": "jane"}


@pytest.fixture
async def other(system: System, settings: Settings, clock: FrozenClock) -> AsyncIterator[System]:
    async with running(settings, clock=clock) as started:
        yield started


async def hold(one: System, name: str, **fields: Any) -> str:
    """`held`, or the level that refused."""
    command = AuthorizeUsage.model_validate({"id": name, **JANE, "amount": 1, **fields})
    try:
        await perform(one.billing, authorize_usage, command)
    except BudgetExceeded as denied:
        return str(denied.facts["level"])
    return "held"


async def test_fifty_at_once_on_a_budget_of_ten_make_ten(
    system: System, other: System, call: Call
) -> None:
    await a_wallet(call, credit=1000)
    await call(set_budget, **JANE, limit=10)
    answers = await asyncio.gather(*(hold((system, other)[n % 2], f"a{n}") for n in range(50)))
    assert Counter(answers) == {"held": 10, "customer": 40}


async def test_three_levels_hold_under_two_hundred_at_once(
    system: System, other: System, call: Call
) -> None:
    """Four end users and five tasks: first a storm, then half is captured and half released while
    a second storm comes, and another process changes a limit."""
    await a_wallet(call, credit=1000)
    await call(set_budget, **JANE, limit=25)
    await call(set_budget, **JANE, limit=8, user_id="*")
    await call(set_budget, **JANE, limit=6, subject="*")
    names = [f"a{n}" for n in range(200)]
    whose = {name: {"user_id": f"u{n % 4}", "subject": f"t{n % 5}"} for n, name in enumerate(names)}

    async def storm(turn: int) -> dict[str, str]:
        answers = await asyncio.gather(
            *(
                hold((system, other)[(n + turn) % 2], f"{name}.{turn}", **whose[name])
                for n, name in enumerate(names)
            )
        )
        return dict(zip(names, answers, strict=True))

    first = await storm(0)
    held = [name for name, answer in first.items() if answer == "held"]
    assert len(held) == 25
    await _within(call, [whose[name] for name in held], [])
    captured, released = held[::2], held[1::2]
    captures = (
        CaptureAuthorization.model_validate({"authorization_id": f"{name}.0", "amount": 1})
        for name in captured
    )
    releases = (ReleaseAuthorization(authorization_id=f"{name}.0") for name in released)
    more = SetBudget.model_validate({**JANE, "limit": 30})
    second, *_ = await asyncio.gather(
        storm(1),
        perform(other.billing, set_budget, more),
        *(perform(other.billing, capture_authorization, one) for one in captures),
        *(perform(system.billing, release_authorization, one) for one in releases),
    )
    holding = [whose[name] for name, answer in second.items() if answer == "held"]
    await _within(call, holding, [whose[name] for name in captured])
    assert (await call(verify_ledger)).problems == []


async def _within(call: Call, held: list[Any], used: list[Any]) -> None:
    """What is shown is what happened, and within each limit."""
    for field, names in (("user_id", range(4)), ("subject", range(5))):
        for number in names:
            name = f"{field[0] if field == 'user_id' else 't'}{number}"
            page = await call(list_budgets, **JANE, **{field: name})
            whole, own = page.items
            assert (whole.used, whole.held) == (len(used), len(held))
            assert own.used == sum(one[field] == name for one in used)
            assert own.held == sum(one[field] == name for one in held)
            for one in (whole, own):
                assert one.used + one.held <= one.limit
                assert min(one.used, one.held) >= Decimal(0)


async def test_usage_that_meets_a_new_budget_is_counted(
    system: System, other: System, call: Call
) -> None:
    """A budget is set while holds come and go elsewhere: it knows of each, once."""
    await a_wallet(call, credit=1000)
    command = SetBudget.model_validate({**JANE, "limit": 500, "user_id": "*"})

    async def hold_and_end(one: System, number: int) -> None:
        await hold(one, f"a{number}", user_id="ann")
        name = {"authorization_id": f"a{number}"}
        if number % 3 == 0:
            done = ReleaseAuthorization.model_validate(name)
            await perform(one.billing, release_authorization, done)
        elif number % 3 == 1:
            spent = CaptureAuthorization.model_validate({**name, "amount": 1})
            await perform(one.billing, capture_authorization, spent)

    async def later() -> None:
        await hold(system, "before", user_id="ann")
        await perform(other.billing, set_budget, command)

    await asyncio.gather(later(), *(hold_and_end((system, other)[n % 2], n) for n in range(60)))
    [shown] = (await call(list_budgets, **JANE, user_id="ann")).items
    assert (shown.used, shown.held) == (20, 21)
