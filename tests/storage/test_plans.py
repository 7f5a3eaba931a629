"""The lane's look-ups on Postgres: one index each, on an empty table, without statistics."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg
import pytest

from credyt_mcp import exact_json
from credyt_mcp.storage import book, rollups, top_up_book
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.lane_connection import (
    PostgresLaneConnection,
    _as_json,
)
from credyt_mcp.storage.lane_statements import postgres_find

LOOK_UPS: list[tuple[Any, tuple[str, ...], dict[str, Any], str]] = [
    (book.EVENTS, ("tenant_id", "key"), {"tenant_id": 1, "key": b"k"}, "events_tenant_id_key_key"),
    (
        book.TRANSACTIONS,
        ("tenant_id", "key"),
        {"tenant_id": 1, "key": b"k"},
        "ledger_transactions_tenant_id_key_key",
    ),
    (
        book.AUTHORIZATIONS,
        ("tenant_id", "key"),
        {"tenant_id": 1, "key": b"k"},
        "authorizations_tenant_id_key_key",
    ),
    (
        top_up_book.RULES,
        ("tenant_id", "customer_id"),
        {"tenant_id": 1, "customer_id": 1},
        "auto_top_ups_customer",
    ),
    (
        top_up_book.CHARGES,
        ("tenant_id", "top_up_id"),
        {"tenant_id": 1, "top_up_id": "top_1"},
        "auto_charges_tenant_id_top_up_id_key",
    ),
    (rollups.COST_IDS, ("tenant_id", "key"), {"tenant_id": 1, "key": b"k"}, "cost_ids_pkey"),
]


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("look_up", LOOK_UPS, ids=lambda look_up: look_up[0].name)
def test_a_repeat_check_uses_its_unique_index(
    database_url: str, look_up: tuple[Any, tuple[str, ...], dict[str, Any], str]
) -> None:
    table, by, key, index = look_up
    database = Database(database_url)
    with closing(database), closing(database.lane_connection()) as connection:
        assert isinstance(connection, PostgresLaneConnection)
        plan = _plan(connection._connection, postgres_find(table, by, "", ""), key)
    assert f"using {index}" in plan.lower(), plan
    assert all(f"{column} = " in plan.split("Index Cond")[1] for column in by), plan


def _plan(connection: psycopg.Connection[Any], sql: str, key: dict[str, Any]) -> str:
    document = exact_json.dumps([_as_json(key)]).decode()
    rows = connection.execute(f"EXPLAIN {sql}".encode(), (document,)).fetchall()
    return "\n".join(row["QUERY PLAN"] for row in rows)
