"""What an end user did is found by index, however many events the tenant has."""

from __future__ import annotations

import pytest

from credyt_mcp.storage import events
from credyt_mcp.storage.events import EventFilter
from tests.query_plans import grown, plan, statements

HISTORY = """
INSERT INTO events (id, tenant_id, key, customer_id, event_type, user_id, occurred_at, recorded_at)
{numbers} SELECT i, 1, {key}, i % 50, 'answer',
    CASE WHEN i % 2 = 0 THEN 'user-' || (i % 1000) END, 0, 0 FROM n
"""


@pytest.mark.parametrize("analyzed", [False, True])
def test_an_end_users_events_are_found_by_index(database_url: str, analyzed: bool) -> None:
    with grown(database_url, HISTORY, analyzed=analyzed) as database, database.read() as session:
        with statements(database) as seen:
            _, total = events.page(session, 1, EventFilter(user_id="user-8"), 0, 20)
        assert total == 20
        asked = [one for one in seen if "FROM events" in one[0]]
        plans = [plan(session.connection(), *one) for one in asked]
        assert plans
        assert all("events_user" in one for one in plans), plans
