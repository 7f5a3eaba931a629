"""The write lane's connection: driver-level, with a few set-wise statements, one class a database.

The statements are rendered from the tables' metadata. With database.py this is the only file that
knows SQLite from Postgres.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from operator import itemgetter
from typing import Any, ClassVar

import psycopg
from psycopg.rows import tuple_row
from sqlalchemy import Table
from sqlalchemy.engine import URL
from sqlmodel import SQLModel

from credyt_mcp import exact_json
from credyt_mcp.storage.lane_statements import (
    or_add,
    postgres_find,
    postgres_insert,
    postgres_update,
    sqlite_insert,
    unless_known,
)

SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # NORMAL may lose acknowledged commits when power fails
    "PRAGMA busy_timeout=30000",
    "PRAGMA wal_autocheckpoint=16000",
    "PRAGMA cache_size=-65536",
    "PRAGMA temp_store=MEMORY",
)


SKIP_KNOWN = " ON CONFLICT DO NOTHING"

POSTGRES_NEVER = ("seqscan", "bitmapscan", "hashjoin", "mergejoin")
"""The lane looks rows up by key, a few at a time. What is best for that never changes, but a plan
made while a table was empty would be kept while it grows."""


class LaneConnection(ABC):
    """A driver-level connection with the statements the lane needs, all of them set-wise."""

    blocks: ClassVar[bool]
    """Whether statements wait on a network, and so may not run on the event loop."""

    knows_others: ClassVar[bool]
    """Whether it can tell that another connection has written."""

    shards: ClassVar[int]
    """How many copies of a row that all wallets add to let writers go side by side."""

    @abstractmethod
    def others_wrote(self) -> bool:
        """Whether another connection may have written since this was asked last. Ask inside the
        transaction."""

    @abstractmethod
    def execute(self, sql: str) -> None: ...

    @abstractmethod
    def together(self) -> AbstractContextManager[Any]:
        """Within the block, statements whose results nobody reads need not be waited for one by
        one; an error of theirs is raised at its end at the latest."""

    @abstractmethod
    def commit(self) -> None: ...

    @abstractmethod
    def rollback(self) -> None: ...

    @abstractmethod
    def begin(self, asking: str = "") -> list[tuple[Any, ...]]:
        """Begin a transaction; answers the rows of a query that rides along."""

    @abstractmethod
    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query outside any transaction, asked again if the connection was lost."""

    @abstractmethod
    def find(
        self,
        table: Table,
        by: tuple[str, ...],
        keys: Sequence[tuple[Any, ...]],
        where: str = "",
        at_most: str = "",
    ) -> list[dict[str, Any]]:
        """Rows whose columns `by` equal one of `keys`, narrowed by `where`; with `at_most`, the
        last part of each key bounds that column instead."""

    @abstractmethod
    def lock_customers(self, ids: Sequence[int]) -> list[dict[str, Any]]:
        """Lock these customers' rows, in id order, until the transaction ends. Answers what the
        lane uses of them as it is now, unless nobody can have changed it since it was read."""

    @abstractmethod
    def insert(
        self, table: Table, rows: Sequence[dict[str, Any]], *, skip_known: bool = False
    ) -> None:
        """With `skip_known`, rows whose unique keys are taken are left out."""

    @abstractmethod
    def insert_returning_id(self, table: Table, row: dict[str, Any]) -> int: ...

    @abstractmethod
    def find_or_insert_id(self, table: Table, by: tuple[str, ...], row: dict[str, Any]) -> int:
        """The id of the row whose unique columns `by` are those of `row`, inserted if missing."""

    @abstractmethod
    def update(self, table: Table, by: tuple[str, ...], rows: Sequence[dict[str, Any]]) -> None:
        """Set the other columns of each row where its `by` columns match."""

    @abstractmethod
    def add(self, table: Table, by: tuple[str, ...], rows: Sequence[dict[str, Any]]) -> None:
        """Add the other columns of each row to those of the row with these `by`, or insert it."""

    @abstractmethod
    def next_ids(self, count: int) -> list[int]:
        """`count` ascending ids, larger than any that a committed row of the lane has."""

    @abstractmethod
    def close(self) -> None: ...


class SqliteLaneConnection(LaneConnection):
    blocks = False
    knows_others = True
    shards = 1
    _version = -1
    _newest_id = 0

    def __init__(self, url: URL) -> None:
        self._connection = sqlite3.connect(
            url.database or "", isolation_level=None, check_same_thread=False
        )
        for pragma in SQLITE_PRAGMAS:
            self._connection.execute(pragma)

    def others_wrote(self) -> bool:
        before = self._version
        self._version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return self._version != before

    def execute(self, sql: str) -> None:
        self._connection.execute(sql)

    def together(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def begin(self, asking: str = "") -> list[tuple[Any, ...]]:
        self._connection.execute("BEGIN IMMEDIATE")
        return self.ask(asking) if asking else []

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()

    def commit(self) -> None:
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def find(
        self,
        table: Table,
        by: tuple[str, ...],
        keys: Sequence[tuple[Any, ...]],
        where: str = "",
        at_most: str = "",
    ) -> list[dict[str, Any]]:
        matches = " AND ".join(f"{column} = ?" for column in by)
        narrower = f"{where and f' AND {where}'}{at_most and f' AND {at_most} <= ?'}"
        sql = f"SELECT * FROM {table.name} WHERE {matches}{narrower}"  # noqa: S608 - names come from our own tables
        cursor, found = self._connection.cursor(), list[tuple[Any, ...]]()
        for key in keys:
            found += cursor.execute(sql, key).fetchall()
        if not found:
            return []
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in found]

    def lock_customers(self, ids: Sequence[int]) -> list[dict[str, Any]]:
        return []  # BEGIN IMMEDIATE has locked the whole file

    def insert(
        self, table: Table, rows: Sequence[dict[str, Any]], *, skip_known: bool = False
    ) -> None:
        columns = tuple(rows[0])
        sql = sqlite_insert(table, columns) + (SKIP_KNOWN if skip_known else "")
        self._connection.executemany(sql, _values(rows, columns))

    def insert_returning_id(self, table: Table, row: dict[str, Any]) -> int:
        sql = f"{sqlite_insert(table, tuple(row))} RETURNING id"
        return int(self._connection.execute(sql, tuple(row.values())).fetchone()[0])

    def find_or_insert_id(self, table: Table, by: tuple[str, ...], row: dict[str, Any]) -> int:
        sql = f"{sqlite_insert(table, tuple(row))} {unless_known(by)} RETURNING id"
        return int(self._connection.execute(sql, tuple(row.values())).fetchone()[0])

    def update(self, table: Table, by: tuple[str, ...], rows: Sequence[dict[str, Any]]) -> None:
        changes = tuple(column for column in rows[0] if column not in by)
        sets = ", ".join(f"{column} = ?" for column in changes)
        matches = " AND ".join(f"{column} = ?" for column in by)
        sql = f"UPDATE {table.name} SET {sets} WHERE {matches}"  # noqa: S608 - as above
        self._connection.executemany(sql, _values(rows, changes + by))

    def add(self, table: Table, by: tuple[str, ...], rows: Sequence[dict[str, Any]]) -> None:
        columns = tuple(rows[0])
        sql = f"{sqlite_insert(table, columns)} {or_add(table, by, columns)}"
        self._connection.executemany(sql, _values(rows, columns))

    def next_ids(self, count: int) -> list[int]:
        # All the lane's rows share one sequence, so the newest id is the largest of these. The
        # file is locked: nobody else can take one before we commit.
        newest = self._connection.execute(
            "SELECT max(coalesce((SELECT max(id) FROM events), 0),"
            " coalesce((SELECT max(id) FROM ledger_transactions), 0),"
            " coalesce((SELECT max(id) FROM ledger_entries), 0),"
            " coalesce((SELECT max(id) FROM grants), 0),"
            " coalesce((SELECT max(id) FROM authorizations), 0))"
        ).fetchone()[0]
        # Those given before in this transaction may not be written yet.
        first = max(newest, self._newest_id) + 1
        self._newest_id = first + count - 1
        return list(range(first, first + count))

    def close(self) -> None:
        self._connection.close()


class PostgresLaneConnection(LaneConnection):
    """Keys and rows travel as one JSON recordset: client arrays and executemany cost several times
    more. Look-ups are LATERAL, since `= ANY` was seen to scan every key of a tenant."""

    blocks = True
    knows_others = False
    shards = 64

    def others_wrote(self) -> bool:
        return True

    def __init__(self, url: URL) -> None:
        self._conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection = self._connect()

    def _connect(self) -> psycopg.Connection[dict[str, Any]]:
        connection = psycopg.connect(
            self._conninfo, autocommit=True, row_factory=psycopg.rows.dict_row
        )
        for kind in POSTGRES_NEVER:
            connection.execute(f"SET enable_{kind} = off".encode())
        return connection

    def execute(self, sql: str) -> None:
        self._connection.execute(sql.encode())

    def together(self) -> AbstractContextManager[Any]:
        return self._connection.pipeline()

    def begin(self, asking: str = "") -> list[tuple[Any, ...]]:
        if self._connection.closed:
            self._connection = self._connect()
        if not asking:
            self.execute("BEGIN")
            return []
        # Two statements in one message, which must then not be prepared.
        cursor = self._connection.cursor(row_factory=tuple_row)
        cursor.execute(f"BEGIN; {asking}".encode(), prepare=False)
        cursor.nextset()
        return cursor.fetchall()

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        if self._connection.closed:
            self._connection = self._connect()
        try:
            return self._asked(sql)
        except psycopg.OperationalError:
            self._connection = self._connect()
            return self._asked(sql)

    def _asked(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.cursor(row_factory=tuple_row).execute(sql.encode()).fetchall()

    def commit(self) -> None:
        self.execute("COMMIT")

    def rollback(self) -> None:
        if not self._connection.closed:
            self.execute("ROLLBACK")

    def find(
        self,
        table: Table,
        by: tuple[str, ...],
        keys: Sequence[tuple[Any, ...]],
        where: str = "",
        at_most: str = "",
    ) -> list[dict[str, Any]]:
        columns = (*by, at_most) if at_most else by
        rows = [dict(zip(columns, key, strict=True)) for key in keys]
        return self._run(postgres_find(table, by, where, at_most), rows).fetchall()

    def lock_customers(self, ids: Sequence[int]) -> list[dict[str, Any]]:
        return self._connection.execute(
            "SELECT id, next_due_at, has_budgets FROM customers WHERE id = ANY(%s)"
            " ORDER BY id FOR NO KEY UPDATE",
            (sorted(ids),),
        ).fetchall()

    def insert(
        self, table: Table, rows: Sequence[dict[str, Any]], *, skip_known: bool = False
    ) -> None:
        sql = postgres_insert(table, tuple(rows[0])) + (SKIP_KNOWN if skip_known else "")
        self._run(sql, rows)

    def insert_returning_id(self, table: Table, row: dict[str, Any]) -> int:
        return self._id_from(f"{postgres_insert(table, tuple(row))} RETURNING id", row)

    def find_or_insert_id(self, table: Table, by: tuple[str, ...], row: dict[str, Any]) -> int:
        insert = postgres_insert(table, tuple(row))
        return self._id_from(f"{insert} {unless_known(by)} RETURNING id", row)

    def update(self, table: Table, by: tuple[str, ...], rows: Sequence[dict[str, Any]]) -> None:
        self._run(postgres_update(table, by, tuple(rows[0])), rows)

    def add(self, table: Table, by: tuple[str, ...], rows: Sequence[dict[str, Any]]) -> None:
        columns = tuple(rows[0])
        sql = f"{postgres_insert(table, columns)} {or_add(table, by, columns)}"
        self._run(sql, rows)

    def next_ids(self, count: int) -> list[int]:
        # One text: hundreds of rows of one number cost more than all the other reads of a batch.
        taken = self._connection.execute(
            "SELECT string_agg(nextval('lane_ids')::text, ',') AS ids FROM generate_series(1, %s)",
            (count,),
        ).fetchone()
        assert taken is not None
        return [int(one) for one in taken["ids"].split(",")]

    def close(self) -> None:
        self._connection.close()

    def _id_from(self, sql: str, row: dict[str, Any]) -> int:
        found = self._run(sql, [row]).fetchone()
        assert found is not None
        return int(found["id"])

    def _run(self, sql: str, rows: Sequence[dict[str, Any]]) -> psycopg.Cursor[dict[str, Any]]:
        document = exact_json.dumps([_as_json(row) for row in rows]).decode()
        return self._connection.execute(sql.encode(), (document,), prepare=True)


def _values(rows: Sequence[dict[str, Any]], columns: tuple[str, ...]) -> Iterable[tuple[Any, ...]]:
    """By place, which SQLite binds faster than by name."""
    return map(itemgetter(*columns), rows)


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    return {
        column: f"\\x{value.hex()}" if isinstance(value, bytes) else value
        for column, value in row.items()
    }


def table_of(row_class: type[SQLModel]) -> Table:
    table = row_class.__table__  # type: ignore[attr-defined]
    assert isinstance(table, Table)
    return table
