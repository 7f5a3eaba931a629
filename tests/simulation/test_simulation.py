"""Months of random business, held against the reference model step by step, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.storage.database import Database
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.sweeping import sweep
from tests.conftest import NOW, Call
from tests.simulation import books, catalogue, operations
from tests.simulation.faces import Face, InProcess
from tests.simulation.reference import Reference
from tests.simulation.workload import workload

OPERATIONS = 300
SEEDS = (1, 2, 3, 4)


@pytest.fixture
async def face(system: System, clock: FrozenClock) -> AsyncIterator[Face]:
    yield InProcess(system, clock)


@pytest.mark.parametrize("seed", SEEDS)
async def test_months_of_random_business_leave_the_books_of_the_reference(
    seed: int, face: Face, system: System, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    await face.set_up()
    model = Reference(NOW)
    accepted = []
    for number, operation in enumerate(workload(seed, OPERATIONS, NOW)):
        wanted = model.execute(operation)
        assert await face.perform(operation) == wanted, (number, operation)
        if wanted == "done" and isinstance(operation, operations.MOVES_MONEY):
            accepted.append(operation)
        for customer in _touched(operation):
            seen = await books.wallet(face, customer)
            assert seen == books.wallet_wanted(model, customer), (number, operation)
        if number % 50 == 49:
            await _assert_all_wallets(face, model)
            assert await books.credit(face) == books.credit_wanted(model)
            await books.stats(face, model)
            assert (await call(verify_ledger)).problems == []
    await _assert_replays_change_nothing(face, model, accepted, system)
    await _assert_same_books(face, model, system.billing.database)
    assert (await call(verify_ledger)).ok
    # Refusals are results: no batch may ever have failed and been replayed.
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def _assert_replays_change_nothing(
    face: Face, model: Reference, accepted: list[operations.Operation], system: System
) -> None:
    """What time did to the wallets is written down first, or it would be meanwhile."""
    database = system.billing.database
    for operation in accepted:
        assert await face.perform(operation) == "done", operation
    await _assert_all_wallets(face, model)
    await sweep(system.billing)
    before = books.everything_stored(database)
    for operation in reversed(accepted):
        assert await face.perform(operation) == "done", operation
    assert books.everything_stored(database) == before


async def _assert_same_books(face: Face, model: Reference, database: Database) -> None:
    assert await books.credit(face) == books.credit_wanted(model)
    assert await books.fees(face, list(model.fees)) == model.fees
    assert books.statements(database) == books.statements_wanted(model)
    assert books.business(database) == model.business()
    await books.stats(face, model)
    await books.event_stats(face, model)
    rebuilt = books.rebuilt_wallets(database)
    for customer in catalogue.CUSTOMERS:
        assert rebuilt[customer] == await books.wallet(face, customer)


async def _assert_all_wallets(face: Face, model: Reference) -> None:
    for customer in catalogue.CUSTOMERS:
        assert await books.wallet(face, customer) == books.wallet_wanted(model, customer)


def _touched(operation: operations.Operation) -> set[str]:
    asked = operation.requests if isinstance(operation, operations.Burst) else (operation,)
    return {getattr(one, "customer", "ann") for one in asked} - {"nobody"}
