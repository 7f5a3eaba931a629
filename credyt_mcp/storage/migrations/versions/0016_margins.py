"""Rollups by price, vendor, model, customer, end user and task; rules of alerts.

What was recorded before is summed anew from events, charges and late costs, by the rules of the
domain: they say what an event's parts are, so that `ledger verify` finds nothing to differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import sqlalchemy as sa
from alembic import op

from credyt_mcp import exact_json
from credyt_mcp.domain.earnings import EARNING, face_value, transaction_tally
from credyt_mcp.domain.fees import StoredFee
from credyt_mcp.domain.late_costs import late_tally
from credyt_mcp.domain.margins import DAY, Tally, Usage, usage_cells, vendor_costs

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

BATCH = 5000
PART = 10**9
MONTHS = 1_000_000
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MARGINS = (
    *("tenant_id", "day", "shard", "event_type", "price", "product", "vendor", "model"),
    *("category", "currency"),
)
CUSTOMER_MARGINS = ("tenant_id", "period", "customer_id", "currency")
USE_MARGINS = ("tenant_id", "period", "customer_id", "user_id", "subject", "currency")
AMOUNTS = ("revenue", "revenue_rest", "costs", "costs_rest")
REPEATED = ("repeated", "repeated_rest")
COUNTS = ("events", "unpriced")

Sums = dict[tuple[Any, ...], list[int]]


def upgrade() -> None:
    _create("margins", MARGINS, (*AMOUNTS, *REPEATED, *COUNTS))
    op.create_index("margins_vendor", "margins", ["tenant_id", "vendor", "day"])
    _create("customer_margins", CUSTOMER_MARGINS, (*AMOUNTS, *COUNTS))
    _create("use_margins", USE_MARGINS, (*AMOUNTS, *COUNTS))
    op.drop_table("rollups")
    _create_alerts()
    connection = op.get_bind()
    for tallies in (_events(connection), _late(connection), _earning(connection)):
        for batch in tallies:
            _roll_up(connection, batch)


def _create_alerts() -> None:
    text = ("public_id", "name", "metric", "scope", "target", "currency", "threshold", "span")
    op.create_table(
        "alert_rules",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=name == "name") for name in text),
        sa.Column("base", sa.Text(), nullable=True),
        sa.Column("base_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("alert_rules_public", "alert_rules", ["public_id", "tenant_id"], unique=True)
    op.create_table(
        "alerts_triggered",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "rule_id", "customer_id"),
    )


def _create(name: str, key: tuple[str, ...], amounts: tuple[str, ...]) -> None:
    whole = {"tenant_id": sa.Integer, "day": sa.Integer, "shard": sa.Integer}
    whole |= {"period": sa.Integer, "price": sa.BigInteger, "customer_id": sa.BigInteger}
    op.create_table(
        name,
        *(sa.Column(part, whole.get(part, sa.Text)(), nullable=False) for part in key),
        *(sa.Column(amount, sa.BigInteger(), nullable=False) for amount in amounts),
        sa.PrimaryKeyConstraint(*key),
        sqlite_with_rowid=False,
    )


def _events(connection: sa.Connection) -> Iterator[list[Tally]]:
    query = """SELECT id, tenant_id, customer_id, occurred_at, event_type, user_id, subject, fees,
                      costs
               FROM events WHERE id > :after AND (fees IS NOT NULL OR costs IS NOT NULL)"""
    for rows in _batches(connection, query):
        yield [_event_tally(row) for row in rows]


def _event_tally(row: Any) -> Tally:
    usage = _usage(row)
    cells = usage_cells(row.occurred_at // DAY, usage.fees, vendor_costs(_document(row.costs)))
    return usage.tally(row.tenant_id, row.customer_id, cells)


def _late(connection: sa.Connection) -> Iterator[list[Tally]]:
    query = """SELECT v.id, a.tenant_id, a.customer_id, a.booked_at, a.late, v.event_type,
                      v.user_id, v.subject, v.fees
               FROM unpriced_costs a JOIN events v ON v.id = a.event_id
               WHERE a.late IS NOT NULL ORDER BY v.id"""
    rows = connection.execute(sa.text(query)).all()
    yield [
        late_tally(
            row.tenant_id, row.customer_id, row.booked_at, _usage(row), exact_json.loads(row.late)
        )
        for row in rows
    ]


def _earning(connection: sa.Connection) -> Iterator[list[Tally]]:
    kinds = ", ".join(f"'{kind}'" for kind in EARNING)
    query = f"""SELECT t.id, t.tenant_id, t.customer_id, t.kind, t.amount, t.details, a.asset,
                       COALESCE(t.executed_at, t.recorded_at) AS moment
                FROM ledger_transactions t JOIN ledger_accounts a ON a.id = t.account_id
                WHERE t.id > :after AND t.kind IN ({kinds})"""  # noqa: S608 - words of our own
    for rows in _batches(connection, query, "t.id"):
        yield [_transaction_tally(row) for row in rows]


def _transaction_tally(row: Any) -> Tally:
    details = exact_json.loads(row.details)
    earned = face_value(row.asset, row.amount, details.get("earned"))
    day = row.moment // DAY
    return transaction_tally(row.tenant_id, row.customer_id, day, row.kind, earned, details)


def _usage(row: Any) -> Usage:
    stored = (StoredFee(*fee) for fee in _document(row.fees))
    earned = tuple((fee.price, fee.revenue) for fee in stored)
    return Usage(row.event_type, row.user_id or "", row.subject or "", earned)


def _document(text: str | None) -> list[Any]:
    return exact_json.loads(text) if text else []


def _batches(connection: sa.Connection, query: str, order: str = "id") -> Iterator[Any]:
    after = 0
    sql = sa.text(f"{query} ORDER BY {order} LIMIT {BATCH}")
    while rows := connection.execute(sql, {"after": after}).all():
        yield rows
        after = rows[-1].id


def _roll_up(connection: sa.Connection, tallies: list[Tally]) -> None:
    shared: Sums = {}
    own: Sums = {}
    uses: Sums = {}
    for tally in tallies:
        for cell in tally.cells:
            amounts = [
                *divmod(cell.revenue, PART),
                *divmod(cell.costs, PART),
                *divmod(cell.repeated, PART),
                *(cell.events, cell.unpriced),
            ]
            what = (tally.event_type, cell.price, cell.product, cell.vendor, cell.model)
            place = (tally.tenant_id, cell.day, 0, *what, cell.category, cell.currency)
            _sum(shared, place, amounts)
            less = [*amounts[:4], *amounts[6:]]
            for period in (cell.day, _month(cell.day)):
                _sum(own, (tally.tenant_id, period, tally.customer_id, cell.currency), less)
            if tally.user_id or tally.subject:
                who = (tally.customer_id, tally.user_id, tally.subject, cell.currency)
                _sum(uses, (tally.tenant_id, cell.day, *who), less)
    _add(connection, "margins", MARGINS, (*AMOUNTS, *REPEATED, *COUNTS), shared)
    _add(connection, "customer_margins", CUSTOMER_MARGINS, (*AMOUNTS, *COUNTS), own)
    _add(connection, "use_margins", USE_MARGINS, (*AMOUNTS, *COUNTS), uses)


def _month(day: int) -> int:
    at = date.fromordinal(date(1970, 1, 1).toordinal() + day)
    return MONTHS + (at.year - 1970) * 12 + at.month - 1


def _sum(into: Sums, place: tuple[Any, ...], amounts: list[int]) -> None:
    known = into.get(place, [0] * len(amounts))
    into[place] = [have + more for have, more in zip(known, amounts, strict=True)]


def _add(
    connection: sa.Connection,
    table: str,
    key: tuple[str, ...],
    amounts: tuple[str, ...],
    sums: Sums,
) -> None:
    if not sums:
        return
    columns = (*key, *amounts)
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in amounts)
    connection.execute(
        sa.text(
            f"INSERT INTO {table} ({', '.join(columns)})"  # noqa: S608 - names of our own
            f" VALUES ({', '.join(f':{name}' for name in columns)})"
            f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {added}"
        ),
        [dict(zip(columns, (*place, *units), strict=True)) for place, units in sums.items()],
    )
