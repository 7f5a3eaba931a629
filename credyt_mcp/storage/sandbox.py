"""Keeps the sandbox provider's checkouts, cards and charges. They are the provider's books: ours
never join them."""

from __future__ import annotations

from dataclasses import asdict
from typing import cast

from sqlmodel import Session, select

from credyt_mcp.domain.checkouts import CardCharge, Checkout, CheckoutStatus
from credyt_mcp.storage import unique
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.payment_tables import SandboxCardRow, SandboxChargeRow, SandboxSessionRow


class StoredSessions:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, checkout: Checkout) -> Checkout:
        fields = {**asdict(checkout), "save_card": int(checkout.save_card)}
        with self._database.write() as session:
            if unique.save(session, SandboxSessionRow(**fields)):
                return checkout
            session.rollback()
        with self._database.read() as session:
            known = select(SandboxSessionRow).where(
                SandboxSessionRow.reference == checkout.reference
            )
            return _checkout(session.exec(known).one())

    def get(self, checkout_id: str) -> Checkout | None:
        with self._database.read() as session:
            row = session.get(SandboxSessionRow, checkout_id)
            return None if row is None else _checkout(row)

    def end(self, checkout_id: str, status: CheckoutStatus, card: str | None = None) -> Checkout:
        with self._database.write() as session:
            row = _locked(session, checkout_id)
            if row.status == "open":
                row.status = status
                session.add(row)
                if card is not None and row.save_card and row.customer_key is not None:
                    session.merge(
                        SandboxCardRow(
                            tenant_id=row.tenant_id, customer_key=row.customer_key, number=card
                        )
                    )
            return _checkout(row)

    def card(self, tenant_id: int, customer_key: str) -> str | None:
        with self._database.read() as session:
            row = session.get(SandboxCardRow, (tenant_id, customer_key))
            return None if row is None else row.number

    def add_charge(self, charge: CardCharge) -> CardCharge:
        with self._database.write() as session:
            if unique.save(session, SandboxChargeRow(**asdict(charge))):
                return charge
            session.rollback()
        with self._database.read() as session:
            row = session.get_one(SandboxChargeRow, (charge.tenant_id, charge.key))
            return CardCharge(**row.model_dump())


def _locked(session: Session, checkout_id: str) -> SandboxSessionRow:
    return session.exec(
        select(SandboxSessionRow).where(SandboxSessionRow.id == checkout_id).with_for_update()
    ).one()


def _checkout(row: SandboxSessionRow) -> Checkout:
    fields = row.model_dump()
    status = cast("CheckoutStatus", row.status)
    return Checkout(**{**fields, "status": status, "save_card": bool(row.save_card)})
