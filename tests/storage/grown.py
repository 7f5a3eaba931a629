"""A database of hundreds of thousands of rows, grown from a small one, and what is asked of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import Table, text

from credyt_mcp.storage import ledger_tables, tables
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.lane_connection import table_of

BASE = 10**9
"""Where the copies' ids begin, far from those of real rows."""
CUSTOMERS, ROWS = 20_000, 200_000
KEY = {True: "randomblob(16)", False: "decode(md5(random()::text), 'hex')"}

CUSTOMER = f"{BASE} + n % {CUSTOMERS}"
COPIES: list[tuple[Any, int, dict[str, str]]] = [
    (tables.CustomerRow, CUSTOMERS, {"public_id": "'cust_' || n", "external_id": "'who' || n"}),
    (
        ledger_tables.LedgerAccountRow,
        CUSTOMERS,
        {"customer_id": CUSTOMER, "kind": "'wallet'", "name": "'default'", "balance": str(10**11)},
    ),
    (tables.SubscriptionRow, CUSTOMERS, {"public_id": "'sub_' || n", "customer_id": CUSTOMER}),
    (
        tables.SubscribedVersionRow,
        CUSTOMERS,
        {"subscription_id": CUSTOMER, "customer_id": CUSTOMER},
    ),
    # One live grant each, and nine that are used up.
    (
        ledger_tables.GrantRow,
        ROWS,
        {
            "account_id": CUSTOMER,
            "remaining": f"CASE WHEN n < {CUSTOMERS} THEN remaining ELSE 0 END",
            "live": f"CASE WHEN n < {CUSTOMERS} THEN 1 ELSE 0 END",
        },
    ),
    (ledger_tables.EventRow, ROWS, {"key": "KEY", "customer_id": CUSTOMER}),
    (ledger_tables.LedgerTransactionRow, ROWS, {"key": "KEY", "customer_id": CUSTOMER}),
    (ledger_tables.LedgerEntryRow, ROWS, {"account_id": CUSTOMER}),
    # One open hold each.
    (
        ledger_tables.AuthorizationRow,
        ROWS,
        {
            "key": "KEY",
            "customer_id": CUSTOMER,
            "status": f"CASE WHEN n < {CUSTOMERS} THEN 'open' ELSE 'captured' END",
        },
    ),
    (
        ledger_tables.NoticeRow,
        ROWS,
        {
            "public_id": "'evt_' || n",
            "customer_id": CUSTOMER,
            "account_id": CUSTOMER,
            "dispatched": "CASE WHEN n < 100 THEN 0 ELSE 1 END",
        },
    ),
    (ledger_tables.PeriodCounterRow, ROWS, {"key": "KEY", "customer_id": CUSTOMER}),
]
BIG = {table_of(row_class).name for row_class, _, _ in COPIES}


def grow(database: Database) -> None:
    """Copy the newest row of each table many times over. Postgres gets no statistics of it."""
    with database.engine.connect() as connection, connection.begin():
        for row_class, count, changes in COPIES:
            table = table_of(row_class)
            if not database.is_sqlite:
                connection.execute(
                    text(f"ALTER TABLE {table.name} SET (autovacuum_enabled = false)")
                )
            connection.execute(text(_copy(table, count, changes, KEY[database.is_sqlite])))


def _copy(table: Table, count: int, changes: dict[str, str], key: str) -> str:
    if "id" in table.c:
        changes = {"id": f"{BASE} + n", **changes}
    columns = [column.name for column in table.c]
    values = [changes.get(name, f"newest.{name}").replace("KEY", key) for name in columns]
    newest = f"SELECT * FROM {table.name} ORDER BY {columns[0]} DESC LIMIT 1"
    return (
        f"WITH RECURSIVE numbers(n) AS"
        f" (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {count})"
        f" INSERT INTO {table.name} ({', '.join(columns)})"
        f" SELECT {', '.join(values)} FROM numbers, ({newest}) newest"
    )


Asked = list[tuple[str, Any]]
"""Statements, with what was found out about them."""


@contextmanager
def plans(monkeypatch: pytest.MonkeyPatch, *, sqlite: bool) -> Iterator[Asked]:
    """Notes every statement that a connection opened in the block runs, and on Postgres its plan.

    On Postgres a statement that reads is also run by its EXPLAIN, so that its rows are counted."""
    asked: Asked = []
    with monkeypatch.context() as patch:
        (_watch_sqlite if sqlite else _watch_postgres)(patch, asked)
        yield asked


def _watch_sqlite(patch: pytest.MonkeyPatch, asked: Asked) -> None:
    connect = sqlite3.connect

    def watched(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(lambda sql: asked.append((sql, None)))
        return connection

    patch.setattr(sqlite3, "connect", watched)
    patch.setattr(sqlite3.dbapi2, "connect", watched)


def _watch_postgres(patch: pytest.MonkeyPatch, asked: Asked) -> None:
    execute: Callable[..., Any] = psycopg.Cursor.execute

    def watched(cursor: psycopg.Cursor[Any], query: Any, *more: Any, **options: Any) -> Any:
        sql = query.decode() if isinstance(query, bytes) else str(query)
        how = {"SELECT": "ANALYZE, TIMING OFF,", "WITH": "ANALYZE, TIMING OFF,"}
        how |= dict.fromkeys(("INSERT", "UPDATE", "DELETE"), "")
        if (verb := sql.split()[0].upper()) in how:
            with cursor.connection.cursor(row_factory=psycopg.rows.tuple_row) as other:
                explain = f"EXPLAIN ({how[verb]} FORMAT JSON) {sql}".encode()
                execute(other, explain, *more[:1])
                asked.append((sql, other.fetchone()[0][0]["Plan"]))  # type: ignore[index]
        return execute(cursor, query, *more, **options)

    patch.setattr(psycopg.Cursor, "execute", watched)


def rows_read(plan: dict[str, Any]) -> Iterator[tuple[str, str, float]]:
    """How a plan reads each big table: the table, the kind of scan, and how many rows it touched
    (where the plan was run)."""
    if plan.get("Relation Name") in BIG and "Scan" in plan["Node Type"]:
        per_loop = plan.get("Actual Rows", 0) + sum(
            plan.get(f"Rows Removed by {why}", 0) for why in ("Filter", "Index Recheck")
        )
        yield plan["Relation Name"], plan["Node Type"], per_loop * plan.get("Actual Loops", 1)
    for part in plan.get("Plans", ()):
        yield from rows_read(part)


def sqlite_plan(path: str, sql: str) -> tuple[list[str], int]:
    """What SQLite says it does, and about how many steps of its machine it takes."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 100
        return 0

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        lines = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
        if sql.split()[0].upper() == "SELECT":
            connection.set_progress_handler(count, 100)
            connection.execute(sql).fetchall()
    return lines, steps
