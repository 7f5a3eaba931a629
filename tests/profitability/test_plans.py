"""Margins are read by their keys, however many customers, days and kinds of usage there are."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import date

from sqlalchemy import text

from credyt_mcp.storage import margin_queries, profitability
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.margin_queries import Scope
from tests.query_plans import plan, statements

FIRST, LAST, CUSTOMERS = 20_301, 20_453, 400
"""Some five months of days, from the first of August to the end of December 2025."""
MONTHS = range(1_000_667, 1_000_672)
SERIES = f"""
    WITH RECURSIVE
      days(day) AS (SELECT {FIRST} UNION ALL SELECT day + 1 FROM days WHERE day < {LAST}),
      months(month) AS (SELECT {MONTHS[0]} UNION ALL SELECT month + 1 FROM months
                        WHERE month < {MONTHS[-1]}),
      who(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM who WHERE id < {CUSTOMERS})"""
SUMS = "revenue, revenue_rest, costs, costs_rest, events, unpriced"
FILL = (
    f"""INSERT INTO customer_margins (tenant_id, period, customer_id, currency, {SUMS}) {SERIES}
        SELECT 1, day, id, 'USD', 0, 5, 0, 2, 1, 0 FROM days, who
        UNION ALL SELECT 1, month, id, 'USD', 0, 155, 0, id, 31, 0 FROM months, who""",
    f"""INSERT INTO use_margins (tenant_id, period, customer_id, user_id, subject, currency, {SUMS})
        {SERIES} SELECT 1, day, id, 'ann', 't' || day, 'USD', 0, 5, 0, 2, 1, 0 FROM days, who""",
    f"""INSERT INTO margins (tenant_id, day, shard, event_type, price, product, vendor, model,
                             category, currency, {SUMS}, repeated, repeated_rest)
        {SERIES} SELECT 1, day, 0, 'e' || id, id, '', 'v' || id, '', 'x', 'USD', 0, 5, 0, 2, 1, 0,
                        0, 0 FROM days, who WHERE id < 40""",
)
OCTOBER = profitability.Days(date(2025, 10, 1), date(2025, 10, 31))
SCOPE = Scope(1, "USD")
MAY_SCAN = re.compile(
    r"SCAN (?!anon|\(|CONSTANT)|Seq Scan on (margins|customer_margins|use_margins)"
)


def grow(database: Database) -> None:
    with database.write() as session:
        for statement in FILL:
            session.connection().execute(text(statement))
        if not database.is_sqlite:  # as autovacuum does by itself
            session.connection().execute(text("ANALYZE"))


def test_no_question_reads_what_it_does_not_ask_for(database_url: str) -> None:
    database = Database(database_url)
    with closing(database):
        grow(database)
        with statements(database) as seen, database.read() as session:
            edges = profitability.edges(session, 1)
            assert edges == (FIRST, LAST)
            within = profitability.periods(*profitability.numbers(OCTOBER), edges)
            assert within == ([MONTHS[2]], [])
            rows = margin_queries.customers(SCOPE, within)
            page = margin_queries.page(session, rows, "cost", ascending=False, offset=0, limit=2)
            assert [(one.key, one.costs) for one in page.groups] == [
                ((CUSTOMERS,), CUSTOMERS),
                ((CUSTOMERS - 1,), CUSTOMERS - 1),
            ]
            assert page.total == CUSTOMERS
            every = margin_queries.revenue_and_costs(session, rows)
            assert every[6] == (7, 155, 7)
            assert [one.events for one in margin_queries.of(session, rows, [8, 7])] == [31, 31]
            own = profitability.of_customers(session, 1, [7, 8], OCTOBER)
            assert own[7]["USD"].revenue == 155
            days = profitability.periods(*profitability.numbers(OCTOBER), edges, whole_months=False)
            tasks = margin_queries.users(Scope(1, "USD", 7), days, "subject")
            assert (
                margin_queries.page(session, tasks, "net", ascending=True, offset=0, limit=9).total
                == 31
            )
            assert len(margin_queries.usage(session, SCOPE, OCTOBER, ("vendor",))) == 39
            vendor = profitability.of_vendor(session, 1, "v3", OCTOBER, None)
            assert vendor["", "x"]["USD"].costs == 62
            series = margin_queries.days_of_customer(Scope(1, "USD", 7), OCTOBER)
            assert (
                margin_queries.page(
                    session, series, "key", ascending=True, offset=0, limit=50
                ).total
                == 31
            )
        asked = [(sql, given) for sql, given in seen if "margins" in sql]
        assert len(asked) >= 10
        for one in asked:
            with database.connect() as connection:
                found = plan(connection, *one)
            assert not MAY_SCAN.search(found), f"{one[0]}\n{found}"


def test_days_become_months_where_that_is_less(database_url: str) -> None:
    edges = (FIRST, LAST)
    october, days = profitability.numbers(OCTOBER)
    whole = profitability.periods(october, days - 2, edges)
    assert whole == ([MONTHS[2]], [days - 1, days])
    few = profitability.periods(october, october + 3, edges)
    assert few == (list(range(october, october + 4)), [])
    so_far = profitability.periods(october, days, (FIRST, october + 10))
    assert so_far == ([MONTHS[2]], [])
    assert profitability.periods(FIRST - 99, LAST + 99, edges).added == list(MONTHS)
    assert profitability.periods(LAST + 1, LAST + 9, edges) == ([], [])
