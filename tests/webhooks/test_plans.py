"""The courier looks every second: what it asks costs nothing however much was sent before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlmodel import Session

from credyt_mcp.storage import deliveries
from credyt_mcp.storage.database import Database

NOW = datetime(2026, 3, 10, tzinfo=UTC)
QUESTIONS = {
    "notices_to_dispatch": deliveries.tenants_with_news,
    "webhook_deliveries_due": lambda session: deliveries.due_destinations(session, NOW),
    "webhook_deliveries_order": lambda session: deliveries.release_next(session, 1, [1], NOW),
}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.mark.parametrize("index", QUESTIONS)
def test_what_the_courier_asks_has_an_index_of_its_own(database: Database, index: str) -> None:
    asked: list[tuple[str, Any]] = []

    def remember(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    with database.write() as session:
        _grow(session)
        if not database.is_sqlite:
            session.connection().execute(text("SET enable_seqscan = off"))
        event.listen(database.engine, "before_cursor_execute", remember)
        QUESTIONS[index](session)
        event.remove(database.engine, "before_cursor_execute", remember)
        statement, parameters = next(one for one in asked if one[0].startswith("SELECT"))
        explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
        plan = session.connection().exec_driver_sql(f"{explain} {statement}", parameters)
        assert index in str(plan.fetchall())


def _grow(session: Session) -> None:
    """A hundred deliveries that are done."""
    done = NOW - timedelta(days=1)
    for number in range(100):
        row = deliveries.WebhookDeliveryRow(
            tenant_id=1,
            notice_id=number,
            destination_id=1,
            object=number,
            state="delivered",
            successful_at=done,
        )
        session.add(row)
    session.flush()
