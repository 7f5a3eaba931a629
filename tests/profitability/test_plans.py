"""Stats are read by their index, however many customers and days there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from typing import Any

from sqlalchemy import event, text

from credyt_mcp.storage import rollups
from credyt_mcp.storage.database import Database

FILL = """
    INSERT INTO rollups (tenant_id, day, dimension, name, detail, currency, shard,
                         revenue, revenue_rest, costs, costs_rest, events)
    WITH RECURSIVE days(day) AS (SELECT 20400 UNION ALL SELECT day + 1 FROM days WHERE day < 20430),
         names(name) AS (SELECT 1 UNION ALL SELECT name + 1 FROM names WHERE name < 600)
    SELECT 1, day, 'customer', CAST(name AS TEXT), '', 'USD', 0, 0, 5, 0, 2, 1 FROM days, names
    UNION ALL SELECT 1, day, 'all', '', '', 'USD', 0, 0, 3000, 0, 1200, 600 FROM days"""
MONTH = rollups.Days(date(2025, 11, 8), date(2025, 12, 8))


@contextmanager
def statements(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """What is asked of the database meanwhile."""
    seen: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(database.engine, "before_cursor_execute", note)


def test_rollups_are_read_by_name_and_day(database_url: str) -> None:
    database = Database(database_url)
    with closing(database):
        with database.write() as session:
            session.connection().execute(text(FILL))
            if not database.is_sqlite:  # as autovacuum does by itself
                session.connection().execute(text("ANALYZE rollups"))
        with statements(database) as seen, database.read() as session:
            total = rollups.read(session, 1, "all", [""], MONTH)
            some = rollups.read(session, 1, "customer", ["7", "8", "600"], MONTH)
            ever = rollups.read(session, 1, "customer", ["600"], rollups.EVER, "")
        assert total == {("", ""): {"USD": rollups.Sums(31 * 3000, 31 * 1200, 31 * 600)}}
        assert some[("600", "")] == {"USD": rollups.Sums(31 * 5, 31 * 2, 31)}
        assert ever == {("600", ""): some[("600", "")]}
        explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
        for statement, parameters in seen:
            if "FROM rollups" in statement:
                with database.connect() as connection:
                    rows = connection.exec_driver_sql(f"{explain} {statement}", parameters).all()
                plan = "\n".join(str(row) for row in rows)
                assert "rollups_named" in plan, plan
