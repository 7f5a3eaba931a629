"""Proves the books from their entries, in one read-only snapshot beside a working server.

Each check answers sentences about what does not hold. Nothing here changes a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby, islice
from typing import Any

from sqlalchemy import Connection, text
from sqlmodel import Session

from credyt_mcp import exact_json
from credyt_mcp.domain.fees import StoredFee
from credyt_mcp.storage import budget_verification, rollup_verification
from credyt_mcp.storage.database import Database

PROBLEMS_SHOWN = 20

_COUNTED = (
    "events",
    "ledger_transactions",
    "ledger_entries",
    "ledger_accounts",
    "authorizations",
    "budgets",
    "reversals",
    "margins",
    "customer_margins",
    "use_margins",
)
_COUNT = "SELECT COUNT(*) FROM {table} a {where}"

_QUERIES = {
    "a transaction's entries do not sum to zero: transaction {}, {}": """
        SELECT e.transaction_id, a.asset FROM ledger_entries e
        JOIN ledger_accounts a ON a.id = e.account_id {where}
        GROUP BY e.transaction_id, a.asset HAVING SUM(e.amount) <> 0""",
    "a stored balance is not the sum of its entries: account {}": """
        SELECT a.id FROM ledger_accounts a
        LEFT JOIN ledger_entries e ON e.account_id = a.id {where} {and} a.kind = 'wallet'
        GROUP BY a.id, a.balance HAVING a.balance <> COALESCE(SUM(e.amount), 0)""",
    "an entry's balance does not follow from the one before: entry {}": """
        SELECT id FROM (
            SELECT e.id, e.balance_after,
                   SUM(e.amount) OVER (PARTITION BY e.account_id ORDER BY e.id) AS running
            FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id
            {where} {and} a.kind = 'wallet') entries
        WHERE running <> balance_after""",
    "live grants are not the positive part of the balance: account {}": """
        SELECT a.id FROM ledger_accounts a
        LEFT JOIN grants g ON g.account_id = a.id AND g.booked = 1 AND g.live = 1
        {where} {and} a.kind = 'wallet'
        GROUP BY a.id, a.balance
        HAVING COALESCE(SUM(g.remaining), 0)
            <> CASE WHEN a.balance > 0 THEN a.balance ELSE 0 END""",
    "an entry belongs to no transaction: entry {}": """
        SELECT e.id FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id
        LEFT JOIN events v ON v.id = e.transaction_id
        LEFT JOIN ledger_transactions t ON t.id = e.transaction_id
        {where} {and} v.id IS NULL AND t.id IS NULL""",
    "a top-up that succeeded was not credited, or one that did not was: {}": """
        SELECT a.public_id FROM top_ups a
        LEFT JOIN ledger_transactions t
               ON t.tenant_id = a.tenant_id AND t.kind = 'top_up' AND t.client_id = a.public_id
        {where} {and} (CASE WHEN t.id IS NULL THEN 0 ELSE 1 END)
                   <> (CASE WHEN a.status = 'succeeded' THEN 1 ELSE 0 END)""",
    "a refund or dispute whose credit is out was not booked so, or one that is not was: {}": """
        SELECT a.public_id FROM reversals a
        LEFT JOIN ledger_transactions t ON t.tenant_id = a.tenant_id AND t.client_id = a.public_id
        {where}
        GROUP BY a.id, a.public_id, a.is_out
        HAVING SUM(CASE WHEN t.kind IN ('refund', 'dispute_withdrawal') THEN 1
                        WHEN t.kind IN ('refund_reversal', 'dispute_reinstatement') THEN -1
                        ELSE 0 END) <> a.is_out""",
    "more of a top-up was refunded by us than was paid: {}": """
        SELECT a.public_id FROM top_ups a
        JOIN reversals r ON r.tenant_id = a.tenant_id AND r.top_up_id = a.public_id
        {where} {and} r.is_out = 1
        GROUP BY a.id, a.public_id, a.amount
        HAVING SUM(r.amount) > a.amount AND MIN(r.origin) = 'api' AND MAX(r.origin) = 'api'""",
    "a payment of others is not in the books as it was told, or more was refunded: {}": """
        SELECT a.client_id FROM external_payments a
        LEFT JOIN ledger_transactions t ON t.tenant_id = a.tenant_id AND t.key = a.transaction_key
        {where} {and} (t.id IS NULL OR t.amount <> a.amount OR t.customer_id <> a.customer_id
                       OR a.refunded < 0 OR (a.refunded > a.amount AND a.refunded > 0))""",
    "a subscription's payment that succeeded was not booked, or one that did not was: {}": """
        SELECT a.public_id FROM subscription_payments a
        LEFT JOIN ledger_transactions t
               ON t.tenant_id = a.tenant_id AND t.client_id = a.public_id
              AND t.kind IN ('subscription_fee', 'subscription_credit') AND t.amount = a.amount
        {where} {and} (CASE WHEN t.id IS NULL THEN 0 ELSE 1 END)
                   <> (CASE WHEN a.status = 'succeeded' THEN 1 ELSE 0 END)""",
}


def check(database: Database, tenant_id: int | None = None) -> tuple[dict[str, int], list[str]]:
    """Counts of what was checked, and what does not hold (at most a few of each kind)."""
    with _snapshot(database) as connection:
        problems = [
            sentence.format(*row)
            for sentence, query in _QUERIES.items()
            for row in _run(connection, query, tenant_id).fetchmany(PROBLEMS_SHOWN)
        ]
        problems += _fees_not_posted(connection, tenant_id)
        problems += islice(_holds_not_kept(connection, tenant_id), PROBLEMS_SHOWN)
        rows = connection.execution_options(yield_per=10_000)
        rollups = rollup_verification.problems(lambda sql: _run(rows, sql, tenant_id))
        problems += islice(rollups, PROBLEMS_SHOWN)
        with Session(connection) as session:
            budgets = budget_verification.problems(session, tenant_id)
            problems += islice(budgets, PROBLEMS_SHOWN)
        counts = {
            table: int(_run(connection, _COUNT.replace("{table}", table), tenant_id).scalar())
            for table in _COUNTED
        }
    return counts, problems


@contextmanager
def _snapshot(database: Database) -> Iterator[Connection]:
    """Every query of the block sees the same moment, though others go on writing."""
    level = {} if database.is_sqlite else {"isolation_level": "REPEATABLE READ"}
    with database.engine.connect().execution_options(**level) as connection:
        yield connection


def _run(connection: Connection, query: str, tenant_id: int | None) -> Any:
    where = "" if tenant_id is None else "WHERE a.tenant_id = :tenant"
    sql = query.replace("{where}", where).replace("{and}", "AND" if where else "WHERE")
    return connection.execute(text(sql), {} if tenant_id is None else {"tenant": tenant_id})


def _fees_not_posted(connection: Connection, tenant_id: int | None) -> list[str]:
    """Events whose listed fees differ from what their entries took from the wallet."""
    rows = _run(
        connection.execution_options(yield_per=10_000),
        """SELECT a.id, a.fees, l.asset, e.amount FROM events a
           LEFT JOIN ledger_entries e ON e.transaction_id = a.id
           LEFT JOIN ledger_accounts l ON l.id = e.account_id
           {where} {and} (l.kind = 'wallet' OR l.kind IS NULL)
           ORDER BY a.id""",
        tenant_id,
    )
    problems: list[str] = []
    for event_id, legs in groupby(rows, key=lambda row: row[0]):
        rows_of_event = list(legs)
        sums: dict[str, int] = {}
        for _, _, asset, amount in rows_of_event:
            if asset is not None:
                sums[asset] = sums.get(asset, 0) + amount
        stored = exact_json.loads(rows_of_event[0][1] or "[]")
        for fee in (StoredFee(*entry) for entry in stored):
            sums[fee.asset] = sums.get(fee.asset, 0) + fee.amount
        if any(sums.values()) and len(problems) < PROBLEMS_SHOWN:
            problems.append(f"an event's fees are not what was debited: event row {event_id}")
    return problems


def _holds_not_kept(connection: Connection, tenant_id: int | None) -> Iterator[str]:
    """Accounts whose `held` is not the sum of what open authorizations hold there and what disputes
    have frozen, authorizations that ended and hold something, and those that hold in an account of
    somebody else."""
    rows = _run(
        connection.execution_options(yield_per=10_000),
        """SELECT a.customer_id, a.id, a.held, NULL AS status, NULL AS legs FROM ledger_accounts a
           {where} {and} a.kind = 'wallet'
           UNION ALL
           SELECT a.customer_id, a.account_id, -a.frozen, NULL, NULL FROM reversals a
           {where} {and} a.frozen <> 0
           UNION ALL
           SELECT a.customer_id, a.id, 0, a.status, a.legs FROM authorizations a {where}
           ORDER BY customer_id""",
        tenant_id,
    )
    for _, of_customer in groupby(rows, key=lambda row: row[0]):
        held: dict[int, int] = {}
        authorizations = []
        for _, row_id, units, status, legs in of_customer:
            if legs is None:
                held[row_id] = held.get(row_id, 0) + units
            else:
                authorizations.append((row_id, status, legs))
        yield from _holds_of_customer(held, authorizations)


def _holds_of_customer(
    held: dict[int, int], authorizations: list[tuple[int, str, str]]
) -> Iterator[str]:
    for row_id, status, legs in authorizations:
        for account_id, authorized, units, _captured in exact_json.loads(legs):
            if account_id not in held:
                yield f"an authorization holds in an account of somebody else: row {row_id}"
                continue
            held[account_id] -= units
            if units and status != "open":
                yield f"an authorization that is {status} still holds something: row {row_id}"
            if not 0 <= units <= authorized:
                yield f"an authorization holds more than it was granted, or less than 0: {row_id}"
    for account_id, rest in held.items():
        if rest:
            said = "what an account holds is not the sum of its authorizations and disputes"
            yield f"{said}: {account_id}"
