"""Rollups of revenue and cost, what grants are worth, cost ids that count once.

What was recorded before gets all of it: currencies at face value, exactly. What a custom asset's
credit was bought for was not followed into each fee then, so those fees, and grants that are not
from a top-up, are valued at the rate in force at the time; without one they stay unpriced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import sqlalchemy as sa
from alembic import op

from credyt_mcp import exact_json
from credyt_mcp.ids import client_key

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BATCH = 5000
DAY = 86_400_000_000
PART = 10**9
FREE = "0 USD"
AMOUNTS = ("revenue", "revenue_rest", "costs", "costs_rest", "events")
KEY = ("tenant_id", "shard", "day", "dimension", "name", "detail", "currency")


def upgrade() -> None:
    op.add_column("grants", sa.Column("basis", sa.Text(), nullable=True))
    op.create_table(
        "rollups",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("dimension", "name", "detail", "currency")
        ),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in AMOUNTS),
        sa.PrimaryKeyConstraint(*KEY),
        sqlite_with_rowid=False,
    )
    op.create_index("rollups_named", "rollups", ["tenant_id", "dimension", "name", "day"])
    op.create_table(
        "cost_ids",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.LargeBinary(16), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "key"),
        sqlite_with_rowid=False,
    )
    connection = op.get_bind()
    rates = Rates(connection)
    _value_grants(connection, rates)
    _roll_up_events(connection, rates)
    _roll_up_charges(connection, rates)


class Rates:
    """What custom assets sold for: the worth of a ledger unit in those of a currency."""

    def __init__(self, connection: sa.Connection) -> None:
        assets = connection.execute(sa.text("SELECT id, tenant_id, code, scale FROM assets")).all()
        rates = connection.execute(
            sa.text(
                "SELECT asset_id, source, rate, valid_from, valid_to FROM asset_rates"
                " ORDER BY valid_from DESC, id DESC"
            )
        ).all()
        self._scales = {(one.tenant_id, one.code): one.scale for one in assets}
        ids = {one.id: (one.tenant_id, one.code) for one in assets}
        self._rates: dict[tuple[int, str], list[Any]] = {}
        for rate in rates:
            self._rates.setdefault(ids[rate.asset_id], []).append(rate)

    def is_custom(self, tenant_id: int, asset: str) -> bool:
        return (tenant_id, asset) in self._scales

    def at(self, tenant_id: int, asset: str, moment: int) -> tuple[str, Fraction] | None:
        """Sold for USD if it was, else for the first of its currencies by code."""
        in_force: dict[str, Fraction] = {}
        for rate in self._rates.get((tenant_id, asset), ()):
            ends = rate.valid_to
            if rate.valid_from <= moment and (ends is None or moment < ends):
                scale = self._scales[tenant_id, asset]
                in_force.setdefault(rate.source, Fraction(rate.rate) * PART / 10**scale)
        for source in sorted(in_force, key=lambda code: (code != "USD", code)):
            return source, in_force[source]
        return None

    def earned(self, tenant_id: int, asset: str, amount: int, moment: int) -> dict[str, int] | None:
        """What `amount` of a custom asset earned; None where that is its face value."""
        found = self.at(tenant_id, asset, moment) if amount else None
        if found is None:
            return None
        units = round(amount * found[1])
        return {found[0]: units} if units else {}


def _value_grants(connection: sa.Connection, rates: Rates) -> None:
    grants = connection.execute(
        sa.text(
            """SELECT g.id, g.tenant_id, g.purpose, g.source, g.created_at, a.asset, t.amount,
                      p.amount AS paid, p.currency
               FROM grants g JOIN ledger_accounts a ON a.id = g.account_id
               JOIN assets c ON c.tenant_id = g.tenant_id AND c.code = a.asset
               LEFT JOIN ledger_transactions t ON t.id = g.transaction_id
               LEFT JOIN top_ups p ON g.source = 'top_up' AND p.tenant_id = g.tenant_id
                    AND p.public_id = t.client_id"""
        )
    )
    changes = [{"id": grant.id, "basis": _basis(grant, rates)} for grant in grants]
    _update(connection, "UPDATE grants SET basis = :basis WHERE id = :id", changes)


def _basis(grant: Any, rates: Rates) -> str | None:
    if grant.paid is not None and grant.amount:
        return f"{Fraction(grant.paid, grant.amount)} {grant.currency}"
    if grant.purpose != "paid" and grant.source != "fee_credit":
        return FREE
    found = rates.at(grant.tenant_id, grant.asset, grant.created_at)
    return None if found is None else f"{found[1]} {found[0]}"


def _roll_up_events(connection: sa.Connection, rates: Rates) -> None:
    for rows in _batches(
        connection,
        """SELECT id, tenant_id, customer_id, occurred_at, recorded_at, fees, costs FROM events
           WHERE id > :after AND (fees IS NOT NULL OR costs IS NOT NULL)""",
    ):
        sums: Counter[tuple[Any, ...]] = Counter()
        changes = []
        events = [(row, *(_list(text) for text in (row.fees, row.costs))) for row in rows]
        known = _known_costs(connection, events)
        for row, fees, costs in events:
            changed = _value_fees(row, fees, rates)
            changed |= _mark_repeated(row, costs, known)
            _add_event(sums, row, fees, costs)
            if changed:
                changes.append({"id": row.id, "fees": _json(fees), "costs": _json(costs)})
        _update(
            connection, "UPDATE events SET fees = :fees, costs = :costs WHERE id = :id", changes
        )
        _add(connection, sums)


def _value_fees(row: Any, fees: list[Any], rates: Rates) -> bool:
    changed = False
    for fee in fees:
        _, asset, amount, *_ = fee
        if rates.is_custom(row.tenant_id, asset):
            earned = rates.earned(row.tenant_id, asset, amount, row.recorded_at)
            if earned is not None:
                fee.append(earned)
                changed = True
    return changed


def _known_costs(connection: sa.Connection, events: Iterable[Any]) -> dict[tuple[int, str], int]:
    """Which event of the batch, if any, is the first with each of its cost ids."""
    first: dict[tuple[int, str], int] = {}
    for row, _, costs in events:
        for cost in costs:
            first.setdefault((row.tenant_id, cost["id"]), row.id)
    insert = sa.text(
        "INSERT INTO cost_ids (tenant_id, key) VALUES (:tenant_id, :key) ON CONFLICT DO NOTHING"
    )
    known = {}
    for (tenant_id, cost_id), event_id in first.items():
        key = {"tenant_id": tenant_id, "key": client_key(cost_id)}
        if connection.execute(insert, key).rowcount:
            known[tenant_id, cost_id] = event_id
    return known


def _mark_repeated(row: Any, costs: list[Any], first: dict[tuple[int, str], int]) -> bool:
    repeated = [cost for cost in costs if first.get((row.tenant_id, cost["id"])) != row.id]
    for cost in repeated:
        cost["counted"] = False
    return bool(repeated)


def _add_event(sums: Counter[Any], row: Any, fees: list[Any], costs: list[Any]) -> None:
    day, touched = row.occurred_at // DAY, dict[str, list[int]]()
    for fee in fees:
        _, asset, amount, *_ = fee
        for code, units in (fee[6] if len(fee) > 6 else {asset: amount} if amount else {}).items():
            touched.setdefault(code, [0, 0])[0] += units
    for cost in costs:
        units, counted = int(Decimal(cost["amount"]) * PART), cost.get("counted", True)
        if counted:
            touched.setdefault(cost["currency"], [0, 0])[1] += units
        heading = "vendor" if counted else "repeated"
        category = cost.get("category") or "uncategorized"
        place = (row.tenant_id, day, heading, cost["vendor_id"], category, cost["currency"])
        sums[*place, "costs"] += units
        sums[*place, "events"] += 1
    for code, (revenue, spent) in touched.items():
        for heading, name in (("customer", str(row.customer_id)), ("all", "")):
            place = (row.tenant_id, day, heading, name, "", code)
            sums[*place, "revenue"] += revenue
            sums[*place, "costs"] += spent
            sums[*place, "events"] += 1


def _roll_up_charges(connection: sa.Connection, rates: Rates) -> None:
    for rows in _batches(
        connection,
        """SELECT t.id, t.tenant_id, t.customer_id, t.amount, t.details, a.asset,
                  COALESCE(t.executed_at, t.recorded_at) AS moment
           FROM ledger_transactions t JOIN ledger_accounts a ON a.id = t.account_id
           WHERE t.id > :after AND t.kind = 'charge'""",
        "t.id",
    ):
        sums: Counter[tuple[Any, ...]] = Counter()
        changes = []
        for row in rows:
            earned = rates.earned(row.tenant_id, row.asset, row.amount, row.moment)
            if earned is not None:
                details = {**exact_json.loads(row.details), "earned": earned}
                changes.append({"id": row.id, "details": _json(details)})
            elif row.amount:
                earned = {row.asset: row.amount}
            for code, units in (earned or {}).items():
                for heading, name in (("customer", str(row.customer_id)), ("all", "")):
                    place = (row.tenant_id, row.moment // DAY, heading, name, "", code)
                    sums[*place, "revenue"] += units
        _update(
            connection, "UPDATE ledger_transactions SET details = :details WHERE id = :id", changes
        )
        _add(connection, sums)


def _batches(connection: sa.Connection, query: str, order: str = "id") -> Iterator[Any]:
    after = 0
    sql = sa.text(f"{query} ORDER BY {order} LIMIT {BATCH}")
    while rows := connection.execute(sql, {"after": after}).all():
        yield rows
        after = rows[-1].id


def _add(connection: sa.Connection, sums: Counter[tuple[Any, ...]]) -> None:
    """Add to the rollups. The keys of `sums` end with which amount it is."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for (tenant_id, *place, what), units in sums.items():
        key = (tenant_id, 0, *place)
        row = rows.setdefault(
            key, {**dict(zip(KEY, key, strict=True)), **dict.fromkeys(AMOUNTS, 0)}
        )
        if what == "events":
            row["events"] = units
        else:
            row[what], row[f"{what}_rest"] = divmod(units, PART)
    columns = (*KEY, *AMOUNTS)
    added = ", ".join(f"{name} = rollups.{name} + excluded.{name}" for name in AMOUNTS)
    _update(
        connection,
        f"INSERT INTO rollups ({', '.join(columns)})"  # noqa: S608 - names of our own
        f" VALUES ({', '.join(f':{name}' for name in columns)})"
        f" ON CONFLICT ({', '.join(KEY)}) DO UPDATE SET {added}",
        list(rows.values()),
    )


def _update(connection: sa.Connection, sql: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(sa.text(sql), rows)


def _list(text: str | None) -> list[Any]:
    return exact_json.loads(text) if text else []


def _json(value: Any) -> str | None:
    return exact_json.dumps(value).decode() if value else None
