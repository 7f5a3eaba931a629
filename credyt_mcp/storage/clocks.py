"""What time it is for each tenant: real time, or later where a test environment moved its clock.

Any process may move a clock, so nothing is remembered but which tenants are live: their time is
real for ever. For the others one small query asks each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from threading import Lock

from sqlmodel import Session, col, select

from credyt_mcp.clock import Clock, to_micros
from credyt_mcp.storage.book import Command
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.lane_connection import LaneConnection
from credyt_mcp.storage.tables import TenantRow


class TenantClocks:
    """The present of any tenant, outside the lane. For threads: on Postgres it waits on a network.

    It asks over a connection of its own, since who asks may hold a session and must not wait for
    a second one.
    """

    def __init__(self, database: Database, real: Clock) -> None:
        self._connection = database.lane_connection()
        self._lock = Lock()
        self._offsets = _Offsets()
        self._real = real

    def now(self, tenant_id: int) -> datetime:
        asking = self._offsets.asking({tenant_id})
        if not asking:
            return self._real.now()
        with self._lock:
            rows = self._connection.ask(asking)
        offset = self._offsets.of(rows).get(tenant_id, 0)
        return self._real.now() + timedelta(microseconds=offset)

    def close(self) -> None:
        self._connection.close()


class LaneClocks:
    """The present of the tenants in a batch of the lane, read as its transaction begins."""

    def __init__(self, connection: LaneConnection, real: Clock) -> None:
        self._connection = connection
        self._offsets = _Offsets()
        self._real = real
        self._present: dict[int, int] = {}

    def begin(self, commands: Sequence[Command]) -> None:
        """Begin the transaction for these commands."""
        tenants = {command.ref.tenant_id for command in commands}
        offsets = self._offsets.of(self._connection.begin(self._offsets.asking(tenants)))
        now = to_micros(self._real.now())
        self._present = {tenant: now + offsets.get(tenant, 0) for tenant in tenants}

    def now(self, command: Command) -> int:
        return self._present[command.ref.tenant_id]

    def by_time(self, commands: Sequence[Command]) -> list[tuple[int, list[Command]]]:
        """The commands by their tenants' present, nearly always one; in an order that all
        processes share, since they lock wallets in it."""
        groups: dict[int, list[Command]] = {}
        for command in commands:
            groups.setdefault(self.now(command), []).append(command)
        return sorted(groups.items())


class _Offsets:
    """How far test clocks are ahead, and which tenants need not be asked for."""

    def __init__(self) -> None:
        self._live: set[int] = set()

    def asking(self, tenants: Iterable[int]) -> str:
        """The query for those that may have moved their clocks; nothing if none may."""
        asked = ", ".join(str(tenant) for tenant in sorted(set(tenants) - self._live))
        return asked and f"SELECT id, environment, clock_offset FROM tenants WHERE id IN ({asked})"  # noqa: S608 - our own numbers

    def of(self, rows: Iterable[tuple[int, str, int]]) -> dict[int, int]:
        offsets = {}
        for tenant, environment, offset in rows:
            if environment == "live":
                self._live.add(tenant)
            offsets[tenant] = offset
        return offsets


def offset_of(session: Session, tenant_id: int) -> timedelta:
    found = session.exec(select(TenantRow.clock_offset).where(TenantRow.id == tenant_id)).one()
    return timedelta(microseconds=found)


def move(session: Session, tenant_id: int, moment: datetime, real: Clock) -> None:
    """Let it be `moment` for the tenant, unless it is later already; time goes on from there."""
    row = session.exec(
        select(TenantRow).where(col(TenantRow.id) == tenant_id).with_for_update()
    ).one()
    row.clock_offset = max(row.clock_offset, to_micros(moment) - to_micros(real.now()))
    session.add(row)
