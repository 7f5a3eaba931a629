"""Opens the database. With lane_connection.py the only file that knows SQLite from Postgres.

Two ways in: SQLModel sessions (`read`, `write`) for the cold paths, and the write lane's own
connection. Writers of one SQLite file queue on a lock beside it, within and between processes.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlmodel import Session

from credyt_mcp.errors import DatabaseUnavailable, Misconfigured
from credyt_mcp.storage.lane_connection import (
    SQLITE_PRAGMAS,
    LaneConnection,
    PostgresLaneConnection,
    SqliteLaneConnection,
)

try:
    import fcntl
except ImportError:  # Windows has no flock: there one process serves one file
    fcntl = None  # type: ignore[assignment]


START_LOCK = 0x43524459
"""An arbitrary number that all our processes know: the Postgres advisory lock for starting."""


class Database:
    """One open database. Close it with `close`."""

    def __init__(self, url: str) -> None:
        self.url = _normal_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            _prepare_folder(Path(self.url.database or ""))
        self.engine = _engine(self.url)
        self.gate = WriteGate(Path(f"{self.url.database}.lock") if self.is_sqlite else None)

    def connect(self) -> Connection:
        """Raises DatabaseUnavailable when the database does not answer."""
        try:
            return self.engine.connect()
        except OperationalError as error:
            # The driver's message may repeat the URL, and with it a password.
            where = self.url.render_as_string(hide_password=True)
            raise DatabaseUnavailable(f"cannot open {where}") from error

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
    def write(self, *, alone: bool = False) -> Iterator[Session]:
        """A session whose work is one transaction: leaving commits, an exception rolls back.

        `alone` admits one such session at a time in the whole database, for what several processes
        would otherwise create twice when they start together.
        """
        with (
            self.gate,
            self.engine.connect().execution_options(writes=True) as connection,
            Session(connection, expire_on_commit=False) as session,
        ):
            if alone and not self.is_sqlite:
                session.connection().execute(
                    text("SELECT pg_advisory_xact_lock(:key)"), {"key": START_LOCK}
                )
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


def _normal_url(url: str) -> URL:
    """Raises Misconfigured unless it is a SQLite file's or a Postgres database's."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise Misconfigured("CREDYT_DATABASE_URL is not a URL") from None
    if parsed.drivername.partition("+")[0] in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise Misconfigured(
            "CREDYT_DATABASE_URL must be sqlite:///path/to/file.db or postgresql://…"
        )
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
        for pragma in SQLITE_PRAGMAS:
            connection.execute(pragma)
        # Readers are many and read little; the lane's own connection keeps the large cache.
        connection.execute("PRAGMA cache_size=-4096")

    @event.listens_for(engine, "begin")
    def _begun(connection: Any) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
