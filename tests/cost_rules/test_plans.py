"""What an end user did is found by index, however many events the tenant has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import event, text

from credyt_mcp.storage import events
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.events import EventFilter

HISTORY = """
INSERT INTO events (id, tenant_id, key, customer_id, event_type, user_id, occurred_at, recorded_at)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
SELECT i, 1, {key}, i % 50, 'answer',
    CASE WHEN i % 2 = 0 THEN 'user-' || (i % 1000) END, 0, 0 FROM n
"""


@pytest.fixture(params=["unknown", "analyzed"])
def grown(database_url: str, request: pytest.FixtureRequest) -> Iterator[Database]:
    database = Database(database_url)
    with database.engine.connect().execution_options(writes=True) as connection:
        key = "CAST(i AS BLOB)" if database.is_sqlite else "int8send(i)"
        connection.execute(text(HISTORY.format(key=key)))
        connection.commit()
        if request.param == "analyzed":
            connection.execute(text("ANALYZE"))
            connection.commit()
    yield database
    database.close()


def test_an_end_users_events_are_found_by_index(grown: Database) -> None:
    asked: list[tuple[str, object]] = []

    @event.listens_for(grown.engine, "before_cursor_execute")
    def _keep(_c: object, _cursor: object, sql: str, given: object, *_: object) -> None:
        asked.append((sql, given))

    with grown.read() as session:
        _, total = events.page(session, 1, EventFilter(user_id="user-8"), 0, 20)
        assert total == 20
        explain = "EXPLAIN QUERY PLAN" if grown.is_sqlite else "EXPLAIN"
        for sql, given in [one for one in asked if "FROM events" in one[0]]:
            rows = session.connection().exec_driver_sql(f"{explain} {sql}", given)  # type: ignore[arg-type]
            plan = "\n".join(str(row[-1]) for row in rows)
            assert "events_user" in plan, plan
