"""What is asked of a database, and how it would find the answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event, text

from credyt_mcp.storage.database import Database

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
"""Begins the query of an INSERT."""


@contextmanager
def grown(url: str, history: str, *, analyzed: bool, **values: object) -> Iterator[Database]:
    """A database with a history: INSERTs in which `{numbers}` begins a query of n(i) and `{key}` is
    i as bytes."""
    database = Database(url)
    key = "CAST(i AS BLOB)" if database.is_sqlite else "int8send(i)"
    with database.engine.connect().execution_options(writes=True) as connection:
        for statement in history.format(numbers=NUMBERS, key=key, **values).split(";\n"):
            connection.execute(text(statement))
        connection.commit()
        if analyzed:
            connection.execute(text("ANALYZE"))
            connection.commit()
    yield database
    database.close()


@contextmanager
def statements(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """Those asked meanwhile, with their parameters."""
    seen: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(database.engine, "before_cursor_execute", note)


def plan(connection: Connection, statement: str, parameters: Any) -> str:
    explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    rows = connection.exec_driver_sql(f"{explain} {statement}", parameters)
    return "\n".join(str(row[-1]) for row in rows)
