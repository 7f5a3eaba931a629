"""What is due is looked for every few seconds: by index, however much the tables hold."""

from __future__ import annotations

from datetime import timedelta

import pytest

from credyt_mcp.clock import to_micros
from credyt_mcp.storage import due, shared_costs
from tests.conftest import NOW
from tests.query_plans import grown, plan, statements

HISTORY = """
INSERT INTO tenants (id, account_id, account_name, environment, clock_offset, created_at)
{numbers} SELECT 1 + i, 'acc' || i, 'some', 'test', 0, 0 FROM n WHERE i <= 20;
INSERT INTO ledger_accounts (id, tenant_id, customer_id, kind, name, asset, balance, created_at)
{numbers} SELECT i, i % 20 + 1, i, 'wallet', 'default', 'USD', 1, 0 FROM n;
INSERT INTO grants (id, tenant_id, account_id, transaction_id, purpose, source, priority, amount,
    remaining, live, booked, effective_at, expires_at, created_at)
{numbers} SELECT i, i % 20 + 1, i, i, 'paid', 'top_up', 100, 100, CASE WHEN i % 500 = 0 THEN 5
    ELSE 0 END, CASE WHEN i % 500 = 0 THEN 1 ELSE 0 END, 1, 0, {tomorrow} + i, 0 FROM n;
INSERT INTO authorizations (id, tenant_id, key, client_id, customer_id, status, legs, request,
    details, expires_at, created_at)
{numbers} SELECT i, i % 20 + 1, {key}, 'a' || i, i, CASE WHEN i % 500 = 0 THEN 'open'
    ELSE 'captured' END, '[]', '{{}}', '{{}}', {tomorrow} + i, 0 FROM n;
INSERT INTO shared_costs (tenant_id, key, customer_id, cause, rule, shared_key, first_day, last_day,
    kind, units, due_at, allocation)
{numbers} SELECT i % 20 + 1, {key}, i, 'failures', 'spread', '', 1, 1, '{{}}', 5, {tomorrow} + i,
    CASE WHEN i % 500 = 0 THEN NULL ELSE 'alloc' END FROM n
"""


@pytest.mark.parametrize("analyzed", [False, True])
def test_what_is_due_is_found_by_index(database_url: str, analyzed: bool) -> None:
    """In a long history of a few tenants in which little is open, and nothing is due yet."""
    tomorrow = to_micros(NOW + timedelta(days=1))
    history = grown(database_url, HISTORY, analyzed=analyzed, tomorrow=tomorrow)
    with history as database, database.read() as session:
        with statements(database) as seen:
            for now in (NOW, NOW + timedelta(days=2)):
                due.holds(session, now, 100)
                due.credit(session, now, 100)
                due.untold(session, now, 100)
                shared_costs.due_windows(session, now, 100)
            due.next_hold(session, 7)
            due.next_credit(session, 7)
            due.next_settlement(session, 7)
        told = ("grants", "authorizations", "shared_costs")
        asked = [one for one in seen if any(table in one[0] for table in told)]
        plans = "\n".join(plan(session.connection(), *one) for one in asked)
    indexes = ("authorizations_expiring", "grants_expiring", "grants_deferred", "shared_costs_due")
    assert all(index in plans for index in indexes), plans
    for table in ("authorizations", "grants", "ledger_accounts", "shared_costs"):
        assert f"Seq Scan on {table}" not in plans, plans
        assert f"SCAN {table}" not in plans, plans
    assert "sqlite_autoindex_authorizations" not in plans, plans  # all there ever were
