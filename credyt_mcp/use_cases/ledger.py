"""Prove the books: every invariant of the ledger, recomputed from its entries."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from credyt_mcp.storage import verification
from credyt_mcp.storage.database import Database
from credyt_mcp.use_cases.context import Billing, Command, Result


class VerifyLedger(Command):
    """Recompute every balance from the ledger's entries and report whatever does not hold."""


class LedgerReport(Result):
    ok: bool
    checked: Annotated[dict[str, int], Field(description="rows looked at, per table")]
    problems: list[str]


def verify_ledger(billing: Billing, command: VerifyLedger) -> LedgerReport:
    """The caller's own books; reads one snapshot and waits for nobody."""
    return _report(billing.database, billing.tenant.id)


def verify_all(database: Database) -> LedgerReport:
    """The books of every tenant in the database."""
    return _report(database, None)


def _report(database: Database, tenant_id: int | None) -> LedgerReport:
    checked, problems = verification.check(database, tenant_id)
    return LedgerReport(ok=not problems, checked=checked, problems=problems)
