"""Loads the refunds and disputes of a batch's top-ups into the book, and payments that others
collected, and writes what changed. Part of the money path, inside the lane's transaction, after the
wallets are locked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from credyt_mcp import exact_json
from credyt_mcp.domain.book import Book
from credyt_mcp.domain.external_payments import ExternalPayment
from credyt_mcp.domain.reversals import Reversal
from credyt_mcp.storage.lane_connection import LaneConnection, table_of
from credyt_mcp.storage.reversal_tables import ExternalPaymentRow, ReversalRow

REVERSALS = table_of(ReversalRow)
EXTERNALS = table_of(ExternalPaymentRow)
AGAINST_US = "kind = 'dispute' AND status IN ('inquiry', 'open', 'lost')"
_AS_JSON = ("taken", "movements")
_EXTERNAL = tuple(name for name in ExternalPayment.__dataclass_fields__ if name != "is_new")


def load(connection: LaneConnection, book: Book, commands: Sequence[Any]) -> None:
    """Refunds and disputes of the top-ups that are in the book; others' payments by their keys."""
    keys = {key for command in commands for key in getattr(command, "external_keys", ())}
    if keys:
        for row in connection.find(EXTERNALS, ("tenant_id", "key"), sorted(keys)):
            fields = {name: row[name] for name in _EXTERNAL}
            book.externals[row["tenant_id"], row["key"]] = ExternalPayment(**fields)
    named = set(book.top_ups) | _disputed(connection, book, commands)
    if not named:
        return
    book.reversals = {key: [] for key in named}
    for row in connection.find(REVERSALS, ("tenant_id", "top_up_id"), sorted(named)):
        book.reversals[row["tenant_id"], row["top_up_id"]].append(_reversal(row))


def _disputed(
    connection: LaneConnection, book: Book, commands: Sequence[Any]
) -> set[tuple[int, str]]:
    """Other top-ups that customers dispute, or have disputed and won, where a dispute is told."""
    told = {one.ref for one in commands if getattr(one, "disputes", ())} & book.customers.keys()
    found = sorted({(book.customers[ref].tenant_id, book.customers[ref].id) for ref in told})
    if not found:
        return set()
    rows = connection.find(REVERSALS, ("tenant_id", "customer_id"), found, AGAINST_US)
    return {(row["tenant_id"], row["top_up_id"]) for row in rows}


def save(connection: LaneConnection, book: Book) -> None:
    """The accounts of new rows have their ids by now."""
    changed = [_state(row) for row in book.changed.values() if isinstance(row, Reversal) and row.id]
    if changed:
        connection.update(REVERSALS, ("id",), changed)
    _save_externals(connection, book)
    for reversals in book.reversals.values():
        for reversal in (one for one in reversals if one.id is None):
            reversal.id = connection.insert_returning_id(REVERSALS, _row(reversal))


def _save_externals(connection: LaneConnection, book: Book) -> None:
    payments = list(book.externals.values())
    new = [{name: getattr(one, name) for name in _EXTERNAL} for one in payments if one.is_new]
    if new:
        connection.insert(EXTERNALS, new)
    changed = [
        {"tenant_id": row.tenant_id, "key": row.key, "refunded": row.refunded}
        for row in payments
        if id(row) in book.changed and not row.is_new
    ]
    if changed:
        connection.update(EXTERNALS, ("tenant_id", "key"), changed)


def _reversal(row: dict[str, Any]) -> Reversal:
    fields = {name: row[name] for name in Reversal.__dataclass_fields__ if name in row}
    fields |= {name: exact_json.loads(row[name]) for name in _AS_JSON}
    return Reversal(**{**fields, "is_out": bool(row["is_out"])})


def _row(reversal: Reversal) -> dict[str, Any]:
    fixed = ("tenant_id", "customer_id", "public_id", "top_up_id", "kind", "origin", "provider")
    return {
        **{name: getattr(reversal, name) for name in fixed},
        **{name: value for name, value in _state(reversal).items() if name != "id"},
        "amount": reversal.amount,
        "account_id": None if reversal.account is None else reversal.account.id,
        "created_at": reversal.created_at,
        "next_poll_at": reversal.next_poll_at,
        "polls": 0,
    }


def _state(reversal: Reversal) -> dict[str, Any]:
    """What may change in the lane; when it is asked after is changed elsewhere."""
    same = ("id", "external_id", "status", "credit", "frozen", "reason", "settled_at")
    return {
        **{name: getattr(reversal, name) for name in same},
        **{name: exact_json.dumps(getattr(reversal, name)).decode() for name in _AS_JSON},
        "is_out": int(reversal.is_out),
    }
