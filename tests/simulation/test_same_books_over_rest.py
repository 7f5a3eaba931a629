"""One workload, in process on one kind of database and over REST on the other: the same books."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.use_cases.sweeping import sweep
from tests.conftest import NOW
from tests.simulation import books, catalogue, operations
from tests.simulation.faces import Face, InProcess, OverRest
from tests.simulation.workload import workload

OPERATIONS = 250


@pytest.mark.parametrize("seed", [5])
async def test_a_workload_over_rest_ends_in_the_books_of_the_same_one_in_process(
    seed: int,
    system: System,
    clock: FrozenClock,
    rest: httpx.AsyncClient,
    other_system: System,
    other_clock: FrozenClock,
) -> None:
    over_rest, in_process = OverRest(rest, clock), InProcess(other_system, other_clock)
    await over_rest.set_up()
    await in_process.set_up()
    asked = workload(seed, OPERATIONS, NOW)
    for number, operation in enumerate(asked):
        answer = await in_process.perform(operation)
        assert await over_rest.perform(operation) == answer, (number, operation)
    for one in (system, other_system):  # each does it by itself, at a moment of its own
        await sweep(one.billing)
    seen = await _books(over_rest, system, asked)
    assert seen == await _books(in_process, other_system, asked)
    # The workload did something: events with fees, entries on both sides of the books.
    assert all(len(part) > 3 for part in seen.values())


async def _books(
    face: Face, system: System, asked: list[operations.Operation]
) -> dict[str, dict[Any, Any]]:
    database = system.billing.database
    wallets = {name: await books.wallet(face, name) for name in catalogue.CUSTOMERS}
    return {
        "wallets": wallets,
        "grants": await books.credit(face),
        "fees": await books.fees(face, await _recorded(face, asked)),
        "statements": books.statements(database),
        "business": books.business(database),
    }


async def _recorded(face: Face, asked: list[operations.Operation]) -> list[str]:
    """Ids of the events that the server lists, all of which were asked for."""
    known = await face.recorded_events()
    sent = {
        event.id
        for one in asked
        for request in (one.requests if isinstance(one, operations.Burst) else [one])
        if isinstance(request, operations.Submit)
        for event in request.events
    }
    assert set(known) <= sent
    return sorted(known)
