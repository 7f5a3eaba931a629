"""What is due is looked for every few seconds: by index, however much the tables hold."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, event, text

from credyt_mcp.clock import to_micros
from credyt_mcp.storage import due, shared_costs
from credyt_mcp.storage.database import Database
from tests.conftest import NOW

HISTORY = """
INSERT INTO tenants (id, account_id, account_name, environment, clock_offset, created_at)
{numbers} SELECT 1 + i, 'acc' || i, 'some', 'test', 0, 0 FROM n WHERE i <= 20;
INSERT INTO ledger_accounts (id, tenant_id, customer_id, kind, name, asset, balance, created_at)
{numbers} SELECT i, i % 20 + 1, i, 'wallet', 'default', 'USD', 1, 0 FROM n;
INSERT INTO grants (id, tenant_id, account_id, transaction_id, purpose, source, priority, amount,
    remaining, live, booked, effective_at, expires_at, created_at)
{numbers} SELECT i, i % 20 + 1, i, i, 'paid', 'top_up', 100, 100, CASE WHEN i % 500 = 0 THEN 5
    ELSE 0 END, CASE WHEN i % 500 = 0 THEN 1 ELSE 0 END, 1, 0, {tomorrow} + i, 0 FROM n;
INSERT INTO authorizations (id, tenant_id, key, client_id, customer_id, status, legs, request,
    details, expires_at, created_at)
{numbers} SELECT i, i % 20 + 1, {key}, 'a' || i, i, CASE WHEN i % 500 = 0 THEN 'open'
    ELSE 'captured' END, '[]', '{{}}', '{{}}', {tomorrow} + i, 0 FROM n;
INSERT INTO shared_costs (tenant_id, key, customer_id, cause, rule, shared_key, first_day, last_day,
    kind, units, due_at, allocation)
{numbers} SELECT i % 20 + 1, {key}, i, 'failures', 'spread', '', 1, 1, '{{}}', 5, {tomorrow} + i,
    CASE WHEN i % 500 = 0 THEN NULL ELSE 'alloc' END FROM n
"""
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"


@pytest.fixture(params=["unknown", "analyzed"])
def grown(database_url: str, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A long history of a few tenants in which little is open, and nothing is due yet."""
    database = Database(database_url)
    with database.engine.connect().execution_options(writes=True) as connection:
        key = "CAST(i AS BLOB)" if database.is_sqlite else "int8send(i)"
        tomorrow = to_micros(NOW + timedelta(days=1))
        for statement in HISTORY.format(numbers=NUMBERS, key=key, tomorrow=tomorrow).split(";\n"):
            connection.execute(text(statement))
        connection.commit()
        if request.param == "analyzed":
            connection.execute(text("ANALYZE"))
            connection.commit()
    yield database
    database.close()


def test_what_is_due_is_found_by_index(grown: Database) -> None:
    statements: list[tuple[str, object]] = []

    @event.listens_for(grown.engine, "before_cursor_execute")
    def _keep(_c: object, _cursor: object, sql: str, given: object, *_: object) -> None:
        statements.append((sql, given))

    with grown.read() as session:
        for now in (NOW, NOW + timedelta(days=2)):
            due.holds(session, now, 100)
            due.credit(session, now, 100)
            due.untold(session, now, 100)
            shared_costs.due_windows(session, now, 100)
        due.next_hold(session, 7)
        due.next_credit(session, 7)
        due.next_settlement(session, 7)
        told = ("grants", "authorizations", "shared_costs")
        asked = [one for one in statements if any(table in one[0] for table in told)]
        plans = "\n".join(_plan(session.connection(), grown, *one) for one in asked)
    indexes = ("authorizations_expiring", "grants_expiring", "grants_deferred", "shared_costs_due")
    assert all(index in plans for index in indexes), plans
    for table in ("authorizations", "grants", "ledger_accounts", "shared_costs"):
        assert f"Seq Scan on {table}" not in plans, plans
        assert f"SCAN {table}" not in plans, plans
    assert "sqlite_autoindex_authorizations" not in plans, plans  # all there ever were


def _plan(connection: Connection, database: Database, sql: str, given: object) -> str:
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    rows = connection.exec_driver_sql(f"{explain} {sql}", given)  # type: ignore[arg-type]
    return "\n".join(str(row[-1]) for row in rows)
