"""Opens the database. Every difference between SQLite and Postgres is in this file and no other.

Two ways in: SQLModel sessions (`read`, `write`) for the cold paths, and `LaneConnection`, the
driver-level connection of the write lane, whose three set-wise statements are rendered here from
the tables. Writers of one SQLite file queue on a lock beside it, within and between processes.
"""

from __future__ import annotations

import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import psycopg
from sqlalchemy import Dialect, Engine, Table, create_engine, event
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.engine import URL, make_url
from sqlmodel import Session, SQLModel

from credyt_mcp import exact_json

try:
    import fcntl
except ImportError:  # Windows has no flock: there one process serves one file
    fcntl = None  # type: ignore[assignment]

_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # NORMAL may lose acknowledged commits when power fails
    "PRAGMA busy_timeout=30000",
    "PRAGMA wal_autocheckpoint=16000",
    "PRAGMA cache_size=-65536",
    "PRAGMA temp_store=MEMORY",
)


class Database:
    """One open database. Close it with `close`."""

    def __init__(self, url: str) -> None:
        self.url = _normal_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            _prepare_folder(Path(self.url.database or ""))
        self.engine = _engine(self.url)
        self.gate = WriteGate(Path(f"{self.url.database}.lock") if self.is_sqlite else None)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one moment, with everything acknowledged so far, and never waits for
        a writer."""
        level = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with (
            self.engine.connect().execution_options(**level) as connection,
            Session(connection) as session,
        ):
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose work is one transaction: leaving commits, an exception rolls back."""
        with (
            self.gate,
            self.engine.connect().execution_options(writes=True) as connection,
            Session(connection, expire_on_commit=False) as session,
        ):
            yield session
            session.commit()

    def lane_connection(self) -> LaneConnection:
        if self.is_sqlite:
            return SqliteLaneConnection(self.url)
        return PostgresLaneConnection(self.url)

    def close(self) -> None:
        self.engine.dispose()
        self.gate.close()


class WriteGate:
    """Admits one writer to a SQLite file at a time. On Postgres, where rows are locked, it is open.

    SQLite's own busy timeout polls, and starves whoever polls unluckily; a file lock queues.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._thread_lock = threading.Lock()
        self._file = path.open("ab") if path is not None else None

    def acquire(self, blocking: bool = True) -> bool:
        """True once admitted; with `blocking` false, False at once if another writer is in."""
        if self._file is None:
            return True
        if not self._thread_lock.acquire(blocking):
            return False
        if fcntl is not None:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | (0 if blocking else fcntl.LOCK_NB))
            except BlockingIOError:
                self._thread_lock.release()
                return False
        return True

    def release(self) -> None:
        if self._file is not None:
            if fcntl is not None:
                fcntl.flock(self._file, fcntl.LOCK_UN)
            self._thread_lock.release()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class LaneConnection(ABC):
    """A driver-level connection with the statements the lane needs, all of them set-wise."""

    blocks: ClassVar[bool]
    """Whether statements wait on a network, and so may not run on the event loop."""

    @abstractmethod
    def execute(self, sql: str) -> None: ...

    @abstractmethod
    def commit(self) -> None: ...

    @abstractmethod
    def rollback(self) -> None: ...

    @abstractmethod
    def begin(self) -> None: ...

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
    def lock_customers(self, ids: Sequence[int]) -> None:
        """Lock these customers' rows, in id order, until the transaction ends."""

    @abstractmethod
    def insert(self, table: Table, rows: Sequence[dict[str, Any]]) -> None: ...

    @abstractmethod
    def insert_returning_id(self, table: Table, row: dict[str, Any]) -> int: ...

    @abstractmethod
    def find_or_insert_id(self, table: Table, by: tuple[str, ...], row: dict[str, Any]) -> int:
        """The id of the row whose unique columns `by` are those of `row`, inserted if missing."""

    @abstractmethod
    def update(self, table: Table, by: tuple[str, ...], rows: Sequence[dict[str, Any]]) -> None:
        """Set the other columns of each row where its `by` columns match."""

    @abstractmethod
    def next_ids(self, count: int) -> list[int]:
        """`count` ascending ids, larger than any that a committed row of the lane has."""

    @abstractmethod
    def close(self) -> None: ...


class SqliteLaneConnection(LaneConnection):
    blocks = False

    def __init__(self, url: URL) -> None:
        self._connection = sqlite3.connect(
            url.database or "", isolation_level=None, check_same_thread=False
        )
        self._connection.row_factory = sqlite3.Row
        for pragma in _SQLITE_PRAGMAS:
            self._connection.execute(pragma)

    def execute(self, sql: str) -> None:
        self._connection.execute(sql)

    def begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

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
        execute = self._connection.execute
        return [dict(row) for key in keys for row in execute(sql, key)]

    def lock_customers(self, ids: Sequence[int]) -> None:
        """BEGIN IMMEDIATE has locked the whole file."""

    def insert(self, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        self._connection.executemany(_sqlite_insert(table, tuple(rows[0])), rows)

    def insert_returning_id(self, table: Table, row: dict[str, Any]) -> int:
        sql = f"{_sqlite_insert(table, tuple(row))} RETURNING id"
        return int(self._connection.execute(sql, row).fetchone()[0])

    def find_or_insert_id(self, table: Table, by: tuple[str, ...], row: dict[str, Any]) -> int:
        sql = f"{_sqlite_insert(table, tuple(row))} {_unless_known(by)} RETURNING id"
        return int(self._connection.execute(sql, row).fetchone()[0])

    def update(self, table: Table, by: tuple[str, ...], rows: Sequence[dict[str, Any]]) -> None:
        sets = ", ".join(f"{column} = :{column}" for column in rows[0] if column not in by)
        matches = " AND ".join(f"{column} = :{column}" for column in by)
        sql = f"UPDATE {table.name} SET {sets} WHERE {matches}"  # noqa: S608 - as above
        self._connection.executemany(sql, rows)

    def next_ids(self, count: int) -> list[int]:
        # All the lane's rows share one sequence, so the newest id is the largest of these. The
        # file is locked: nobody else can take one before we commit.
        newest = self._connection.execute(
            "SELECT max(coalesce((SELECT max(id) FROM events), 0),"
            " coalesce((SELECT max(id) FROM ledger_transactions), 0),"
            " coalesce((SELECT max(id) FROM ledger_entries), 0),"
            " coalesce((SELECT max(id) FROM grants), 0),"
            " coalesce((SELECT max(id) FROM authorizations), 0),"
            " coalesce((SELECT max(id) FROM notices), 0))"
        ).fetchone()[0]
        return list(range(newest + 1, newest + 1 + count))

    def close(self) -> None:
        self._connection.close()


class PostgresLaneConnection(LaneConnection):
    """Keys and rows travel as one JSON recordset: client arrays and executemany cost several times
    more. Look-ups are LATERAL, since `= ANY` was seen to scan every key of a tenant."""

    blocks = True

    def __init__(self, url: URL) -> None:
        self._conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection = self._connect()

    def _connect(self) -> psycopg.Connection[dict[str, Any]]:
        return psycopg.connect(self._conninfo, autocommit=True, row_factory=psycopg.rows.dict_row)

    def execute(self, sql: str) -> None:
        self._connection.execute(sql.encode())

    def begin(self) -> None:
        if self._connection.closed:
            self._connection = self._connect()
        self.execute("BEGIN")

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
        return self._run(_postgres_find(table, by, where, at_most), rows).fetchall()

    def lock_customers(self, ids: Sequence[int]) -> None:
        self._connection.execute(
            "SELECT 1 FROM customers WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
            (sorted(ids),),
        )

    def insert(self, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        self._run(_postgres_insert(table, tuple(rows[0])), rows)

    def insert_returning_id(self, table: Table, row: dict[str, Any]) -> int:
        return self._id_from(f"{_postgres_insert(table, tuple(row))} RETURNING id", row)

    def find_or_insert_id(self, table: Table, by: tuple[str, ...], row: dict[str, Any]) -> int:
        insert = _postgres_insert(table, tuple(row))
        return self._id_from(f"{insert} {_unless_known(by)} RETURNING id", row)

    def update(self, table: Table, by: tuple[str, ...], rows: Sequence[dict[str, Any]]) -> None:
        self._run(_postgres_update(table, by, tuple(rows[0])), rows)

    def next_ids(self, count: int) -> list[int]:
        taken = self._connection.execute(
            "SELECT nextval('lane_ids') AS id FROM generate_series(1, %s)", (count,)
        )
        return [row["id"] for row in taken]

    def close(self) -> None:
        self._connection.close()

    def _id_from(self, sql: str, row: dict[str, Any]) -> int:
        found = self._run(sql, [row]).fetchone()
        assert found is not None
        return int(found["id"])

    def _run(self, sql: str, rows: Sequence[dict[str, Any]]) -> psycopg.Cursor[dict[str, Any]]:
        document = exact_json.dumps([_as_json(row) for row in rows]).decode()
        return self._connection.execute(sql.encode(), (document,), prepare=True)


def _normal_url(url: str) -> URL:
    parsed = make_url(url)
    if parsed.get_backend_name() in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def _prepare_folder(path: Path) -> None:
    """Make the database's folder; one that we make is kept out of the owner's repository."""
    if not path.parent.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / ".gitignore").write_text("*\n")


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, pool_size=10)
    engine = create_engine(url, connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None
        for pragma in _SQLITE_PRAGMAS:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def _begun(connection: Any) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@cache
def _sqlite_insert(table: Table, columns: tuple[str, ...]) -> str:
    names = ", ".join(columns)
    return f"INSERT INTO {table.name} ({names}) VALUES ({', '.join(f':{c}' for c in columns)})"  # noqa: S608 - as above


def _unless_known(by: tuple[str, ...]) -> str:
    # An update that changes nothing, because DO NOTHING would return no row.
    return f"ON CONFLICT ({', '.join(by)}) DO UPDATE SET {by[0]} = excluded.{by[0]}"


@cache
def _recordset(table: Table, columns: tuple[str, ...]) -> str:
    dialect: Dialect = PGDialect()  # type: ignore[no-untyped-call]
    types = ", ".join(f"{c} {table.c[c].type.compile(dialect=dialect)}" for c in columns)
    return f"json_to_recordset(%s::json) AS given({types})"


@cache
def _postgres_find(table: Table, by: tuple[str, ...], where: str, at_most: str) -> str:
    matches = " AND ".join(f"{table.name}.{column} = given.{column}" for column in by)
    narrower = where and f" AND {where}"
    if at_most:
        narrower += f" AND {table.name}.{at_most} <= given.{at_most}"
    columns = (*by, at_most) if at_most else by
    return (
        f"SELECT found.* FROM {_recordset(table, columns)} CROSS JOIN LATERAL "  # noqa: S608 - as above
        f"(SELECT * FROM {table.name} WHERE {matches}{narrower} OFFSET 0) found"
    )


@cache
def _postgres_insert(table: Table, columns: tuple[str, ...]) -> str:
    names = ", ".join(columns)
    return f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {_recordset(table, columns)}"  # noqa: S608 - as above


@cache
def _postgres_update(table: Table, by: tuple[str, ...], columns: tuple[str, ...]) -> str:
    sets = ", ".join(f"{c} = given.{c}" for c in columns if c not in by)
    matches = " AND ".join(f"{table.name}.{c} = given.{c}" for c in by)
    return f"UPDATE {table.name} SET {sets} FROM {_recordset(table, columns)} WHERE {matches}"  # noqa: S608 - as above


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    return {
        column: f"\\x{value.hex()}" if isinstance(value, bytes) else value
        for column, value in row.items()
    }


def table_of(row_class: type[SQLModel]) -> Table:
    table = row_class.__table__  # type: ignore[attr-defined]
    assert isinstance(table, Table)
    return table
