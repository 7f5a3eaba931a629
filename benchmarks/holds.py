"""Checks the holds in the books after a load, straight from the rows."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from sqlalchemy import text

from credyt_mcp import exact_json
from credyt_mcp.storage.database import Database


def check_holds(url: str) -> dict[str, Any]:
    """Counts by status, after proving that each account's `held` is the sum of its open holds.

    Raises AssertionError for a mismatch.
    """
    held: dict[int, int] = {}
    statuses: dict[str, int] = {}
    database = Database(url)
    with closing(database), database.read() as session:
        connection = session.connection()
        for status, legs in connection.execute(text("SELECT status, legs FROM authorizations")):
            statuses[status] = statuses.get(status, 0) + 1
            if status == "open":
                for account, _, units, _ in (
                    exact_json.loads(legs) if isinstance(legs, str) else legs
                ):
                    held[account] = held.get(account, 0) + units
        stored = connection.execute(text("SELECT id, held FROM ledger_accounts WHERE held <> 0"))
        mismatches = [row for row in stored if held.pop(row[0], 0) != row[1]]
    assert not mismatches, f"held is not the sum of open holds: {mismatches[:5]}"
    assert not any(held.values()), f"open holds that no account holds: {held}"
    return {**statuses, "mismatches": 0}
