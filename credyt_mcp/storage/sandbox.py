"""Keeps the sandbox provider's checkouts. They are the provider's books: ours never join them."""

from __future__ import annotations

from dataclasses import asdict
from typing import cast

from sqlmodel import Session, select

from credyt_mcp.domain.checkouts import Checkout, CheckoutStatus
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.tables import SandboxSessionRow


class StoredSessions:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, checkout: Checkout) -> Checkout:
        with self._database.write() as session:
            known = session.exec(
                select(SandboxSessionRow).where(SandboxSessionRow.reference == checkout.reference)
            ).first()
            if known is not None:
                return _checkout(known)
            session.add(SandboxSessionRow(**asdict(checkout)))
        return checkout

    def get(self, checkout_id: str) -> Checkout | None:
        with self._database.read() as session:
            row = session.get(SandboxSessionRow, checkout_id)
            return None if row is None else _checkout(row)

    def mark_paid(self, checkout_id: str) -> None:
        with self._database.write() as session:
            row = _locked(session, checkout_id)
            row.status = "paid"
            session.add(row)


def _locked(session: Session, checkout_id: str) -> SandboxSessionRow:
    return session.exec(
        select(SandboxSessionRow).where(SandboxSessionRow.id == checkout_id).with_for_update()
    ).one()


def _checkout(row: SandboxSessionRow) -> Checkout:
    fields = row.model_dump()
    return Checkout(**{**fields, "status": cast("CheckoutStatus", row.status)})
