"""The courier looks every second: what it asks costs nothing however much was sent before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlmodel import Session

from credyt_mcp.storage import deliveries
from credyt_mcp.storage.database import Database
from tests.query_plans import plan, statements

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
    with database.write() as session:
        _grow(session)
        if not database.is_sqlite:
            session.connection().execute(text("SET enable_seqscan = off"))
        with statements(database) as seen:
            QUESTIONS[index](session)
        asked = next(one for one in seen if one[0].startswith("SELECT"))
        assert index in plan(session.connection(), *asked)


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
