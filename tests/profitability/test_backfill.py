"""A database from before there were rollups gets them for all that it holds."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from credyt_mcp import exact_json
from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.storage import schema
from credyt_mcp.storage.database import Database
from credyt_mcp.use_cases.adjustments import create_adjustment, create_charge
from credyt_mcp.use_cases.events import get_event, record_event
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.stats import get_customer_stats
from tests.conftest import NOW, Call
from tests.profitability.test_earnings import adjust, buy, use
from tests.samples import a_product, a_wallet, credits_asset, unit_price
from tests.simulation import books, operations
from tests.simulation.faces import InProcess
from tests.simulation.reference import Reference
from tests.simulation.workload import workload

BEFORE = (
    "DROP TABLE margins",
    "DROP TABLE customer_margins",
    "DROP TABLE use_margins",
    "DROP TABLE alert_rules",
    "DROP TABLE alerts_triggered",
    "DROP TABLE cost_ids",
    "ALTER TABLE grants DROP COLUMN basis",
)


def take_back(database: Database) -> None:
    """Leave the database as the version before the rollups did."""
    with database.write() as session:
        connection = session.connection()
        for row in connection.execute(text("SELECT id, fees, costs FROM events")).all():
            fees = [fee[:6] for fee in exact_json.loads(row.fees or "[]")]
            costs = exact_json.loads(row.costs or "[]")
            for cost in costs:
                cost.pop("counted", None)
            _set(connection, "events", row.id, fees=fees or None, costs=costs or None)
        for row in connection.execute(text("SELECT id, details FROM ledger_transactions")).all():
            details = exact_json.loads(row.details)
            if details.pop("earned", None) is not None:
                _set(connection, "ledger_transactions", row.id, details=details)
        for statement in BEFORE:
            connection.execute(text(statement))
        _stamp(connection, _revisions().get_revision("0008").down_revision)


def upgrade(database: Database) -> None:
    schema.upgrade(database, "0008")
    with database.write() as session:  # what came between is there
        _stamp(session.connection(), _revisions().get_revision("0016").down_revision)
    schema.upgrade(database, "0016")
    with database.write() as session:
        _stamp(session.connection(), _revisions().get_current_head())


def _revisions() -> Any:
    return ScriptDirectory(str(Path(schema.__file__).parent / "migrations"))


def _stamp(connection: Any, revision: Any) -> None:
    connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})


def _set(connection: Any, table: str, row_id: int, **columns: Any) -> None:
    for name, value in columns.items():
        document = None if value is None else exact_json.dumps(value).decode()
        sql = f"UPDATE {table} SET {name} = :value WHERE id = :id"
        connection.execute(text(sql), {"value": document, "id": row_id})


async def test_random_business_has_the_stats_it_would_have_had(
    system: System, call: Call, clock: FrozenClock
) -> None:
    """Except that credits are worth the rate: there was no knowing which grant a fee used."""
    face, model = InProcess(system, clock), Reference(NOW)
    await face.set_up()
    for operation in workload(7, 150, NOW):
        if isinstance(operation, operations.Submit):
            events = [e for e in operation.events if e.event_type not in ("image", "render")]
            operation = operations.Submit(operation.customer, tuple(events))
        if getattr(operation, "asset", "") != "credits":
            model.execute(operation)
            await face.perform(operation)
    assert len(model.facts) > 100
    before = await _all_stats(face, model)
    take_back(system.billing.database)
    upgrade(system.billing.database)
    assert (await call(verify_ledger)).problems == []
    assert await _all_stats(face, model) == before
    await books.stats(face, model)
    await books.event_stats(face, model)


async def _all_stats(face: InProcess, model: Reference) -> Any:
    return await face.all_stats(period_from=model.facts[0].day), await face.vendor_stats()


@pytest.fixture
async def before(call: Call, system: System) -> None:
    """Jane bought at 0.05 and at 0.04, was given some, and used 30; a charge took 15 more."""
    await credits_asset(call)
    await a_product(call, unit_price(30, "credits"))
    await a_wallet(call, "studio")
    await buy(call, 2)
    await buy(call, 2, exchange_rate="0.04")
    await adjust(call, 5, "gift")
    await adjust(call, 100, "external_topup")
    await use(call, "1")
    charge = {"transaction_id": "c", "asset": "credits", "amount": 15}
    await call(create_charge, customer_id="jane", **charge)
    take_back(system.billing.database)
    upgrade(system.billing.database)


@pytest.mark.usefixtures("before")
async def test_credits_used_before_are_worth_the_rate_of_their_day(call: Call) -> None:
    assert (await call(get_event, event_id="1")).stats.gross_revenue == Decimal("1.5")
    stats = await call(get_customer_stats, customer_id="jane")
    assert (stats.gross_revenue, stats.unpriced) == (Decimal("2.25"), None)
    assert (await call(verify_ledger)).problems == []


@pytest.mark.usefixtures("before")
async def test_credits_that_were_left_are_worth_what_was_paid(call: Call) -> None:
    """None of the gift, none of the first purchase, all 50 of the second."""
    assert (await use(call, "2")).gross_revenue == Decimal("1.2")
    assert (await use(call, "3")).gross_revenue == Decimal("1.3")  # 20 at 0.04, 10 at 0.05
    assert (await use(call, "4")).gross_revenue == Decimal("1.5")


async def test_a_retry_of_an_adjustment_from_before_is_still_a_retry(
    call: Call, system: System
) -> None:
    await credits_asset(call)
    await a_wallet(call)
    for _ in range(2):
        await adjust(call, 5, "gift")
        await call(record_event, customer_id="jane", id="1", event_type="image")
        take_back(system.billing.database)
        upgrade(system.billing.database)
    assert (await call(create_adjustment, **RETRY)).id == "gift 5"


RETRY = {
    "customer_id": "jane",
    "transaction_id": "gift 5",
    "asset": "credits",
    "reason": "gift",
    "amount": 5,
}
