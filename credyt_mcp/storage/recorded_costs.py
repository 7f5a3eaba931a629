"""Reads the costs of a stretch of days as events brought them, in small pages. Never writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlmodel import select

from credyt_mcp import exact_json
from credyt_mcp.clock import DAY
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.tables import CustomerRow

EVENTS = 2000
"""How many are read at a time."""

_WHOSE = (
    " FROM events WHERE tenant_id = :tenant_id AND costs IS NOT NULL AND (occurred_at >= :first"
    " AND occurred_at < :end OR costs LIKE '%\"booked_at\"%' AND occurred_at >= :first - :max_age"
    " AND occurred_at < :end + :max_age)"
)
_EVENTS = text(
    f"SELECT id, customer_id, occurred_at, costs{_WHOSE}"
    " AND id > :after AND id <= :horizon ORDER BY id LIMIT :limit"
)
_COUNT = text(f"SELECT COUNT(*) FROM (SELECT 1{_WHOSE} LIMIT :limit) AS found")  # noqa: S608
_LATE = text(
    "SELECT late FROM unpriced_costs WHERE tenant_id = :tenant_id AND late IS NOT NULL"
    " AND booked_at >= :first AND booked_at < :end"
)
_HORIZON = text("SELECT COALESCE(MAX(id), 0) FROM events")


class CostedEvent(NamedTuple):
    """An event's costs as they are stored, a price that came late in the place of the call that
    had none."""

    customer_id: int
    occurred_at: int
    costs: list[dict[str, Any]]


class RecordedCosts:
    """Events that may have costs on days `first` to `last` (since 1970, both included). A cost with
    a day of its own may be up to `max_age` days from its event's. Use it as a context, in one
    thread."""

    def __init__(
        self, database: Database, tenant_id: int, first: int, last: int, max_age: int
    ) -> None:
        self._database = database
        self._whose = {
            "tenant_id": tenant_id,
            "first": first * DAY,
            "end": (last + 1) * DAY,
        }
        self._max_age = (max_age + 1) * DAY

    def __enter__(self) -> RecordedCosts:
        self._connection = self._database.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def count(self, at_most: int) -> int:
        """How many events there are to walk; no more than `at_most` are counted."""
        return int(self._events(_COUNT, limit=at_most)[0][0])

    def internal(self, external_id: str) -> int | None:
        """Our row id of the customer of what is nobody's."""
        query = select(CustomerRow.id).where(
            CustomerRow.tenant_id == self._whose["tenant_id"],
            CustomerRow.external_id == external_id,
        )
        found = self._rows(query)
        return int(found[0][0]) if found else None

    def events(self) -> Iterator[CostedEvent]:
        """By row id. No transaction stays open between pages."""
        after, horizon = 0, self._rows(_HORIZON)[0][0]
        late = {
            cost["corrects"]: cost
            for cost in (exact_json.loads(row[0]) for row in self._rows(_LATE, **self._whose))
        }
        while True:
            rows = self._events(_EVENTS, after=after, horizon=horizon, limit=EVENTS)
            for row_id, customer_id, occurred_at, costs in rows:
                after = row_id
                stored = [late.get(cost["id"], cost) for cost in exact_json.loads(costs)]
                yield CostedEvent(customer_id, occurred_at, stored)
            if len(rows) < EVENTS:
                return

    def _events(self, query: Any, **named: Any) -> Any:
        return self._rows(query, **self._whose, max_age=self._max_age, **named)

    def _rows(self, query: Any, **named: Any) -> Any:
        found = self._connection.execute(query, named).fetchall()
        self._connection.rollback()
        return found
