"""Keeps the sandbox provider's checkouts, cards and charges. They are the provider's books: ours
never join them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, cast

from sqlmodel import Session, col, select

from credyt_mcp.domain.checkouts import (
    CardCharge,
    Checkout,
    CheckoutStatus,
    KeptCard,
    RefundOutcome,
    refund_outcome,
)
from credyt_mcp.domain.disputes import Movement
from credyt_mcp.domain.sandbox_reversals import SandboxReversal, Step, must_be_left
from credyt_mcp.errors import NotFound
from credyt_mcp.storage import unique
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.payment_tables import SandboxCardRow, SandboxChargeRow, SandboxSessionRow
from credyt_mcp.storage.reversal_tables import SandboxReversalRow


class StoredSessions:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, checkout: Checkout) -> Checkout:
        with self._database.write() as session:
            if unique.save(session, _row(checkout)):
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

    def end(
        self, checkout_id: str, status: CheckoutStatus, card: KeptCard | None = None
    ) -> Checkout:
        with self._database.write() as session:
            row = _locked(session, checkout_id)
            if row.status == "open":
                row.status = status
                if card is not None:
                    row.refunds = refund_outcome(card.number)
                    if row.save_card and row.customer_key is not None:
                        row.card = _keep(session, row.tenant_id, row.customer_key, card)
                session.add(row)
            return _checkout(row)

    def cards(self, tenant_id: int, customer_key: str) -> list[KeptCard]:
        with self._database.read() as session:
            rows = session.exec(_own(tenant_id, customer_key)).all()
            return [
                KeptCard(row.id, row.number, bool(row.authenticated), row.created_at)
                for row in rows
            ]

    def remove_card(self, tenant_id: int, customer_key: str, card_id: str) -> bool:
        with self._database.write() as session:
            rows = session.exec(_own(tenant_id, customer_key)).all()
            found = next((row for row in rows if row.id == card_id), None)
            if found is not None:
                session.delete(found)
            return found is not None

    def charge(self, tenant_id: int, key: str) -> CardCharge | None:
        with self._database.read() as session:
            row = session.get(SandboxChargeRow, (tenant_id, key))
            return None if row is None else CardCharge(**row.model_dump())

    def add_charge(self, charge: CardCharge, paid: Checkout | None) -> CardCharge:
        with self._database.write() as session:
            if unique.save(session, SandboxChargeRow(**asdict(charge))):
                if paid is not None:
                    session.add(_row(paid))
                return charge
            session.rollback()
        with self._database.read() as session:
            row = session.get_one(SandboxChargeRow, (charge.tenant_id, charge.key))
            return CardCharge(**row.model_dump())

    def payments(self, tenant_id: int, limit: int) -> list[Checkout]:
        row = SandboxSessionRow
        paid = select(row).where(row.tenant_id == tenant_id, row.status == "paid")
        with self._database.read() as session:
            newest = paid.order_by(col(row.created_at).desc()).limit(limit)
            return [_checkout(one) for one in session.exec(newest)]

    def reversals(self, checkout_id: str) -> tuple[SandboxReversal, ...]:
        with self._database.read() as session:
            return _reversals(session, checkout_id)

    def add_reversal(self, reversal: SandboxReversal, paid_minor: int) -> SandboxReversal:
        with self._database.write() as session:
            _locked(session, reversal.checkout_id)
            known = _reversals(session, reversal.checkout_id)
            for one in known:
                if reversal.key is not None and one.key == reversal.key:
                    return one
            must_be_left(paid_minor, known, reversal.amount_minor, reversal.kind)
            session.add(SandboxReversalRow(**asdict(reversal)))
        return reversal

    def step(self, tenant_id: int, reversal_id: str, step: Step) -> SandboxReversal:
        with self._database.write() as session:
            row = session.get(SandboxReversalRow, reversal_id, with_for_update=True)
            if row is None or row.tenant_id != tenant_id:
                raise NotFound(f"the sandbox has no refund or dispute '{reversal_id}'")
            after = _reversal(row).after(step)
            row.status, row.movements = after.status, list(after.movements)
            session.add(row)
        return after


def _reversals(session: Session, checkout_id: str) -> tuple[SandboxReversal, ...]:
    row = SandboxReversalRow
    own = select(row).where(row.checkout_id == checkout_id)
    # Ids of either kind rise with time, after their prefix.
    found = sorted(session.exec(own), key=lambda one: one.id.partition("_")[2])
    return tuple(map(_reversal, found))


def _reversal(row: SandboxReversalRow) -> SandboxReversal:
    movements = tuple(Movement(*movement) for movement in row.movements)
    return SandboxReversal(**{**row.model_dump(), "movements": movements})


def _own(tenant_id: int, customer_key: str) -> Any:
    """A customer's cards, newest first."""
    row = SandboxCardRow
    own = select(row).where(row.tenant_id == tenant_id, row.customer_key == customer_key)
    return own.order_by(col(row.created_at).desc(), col(row.id).desc())


def _keep(session: Session, tenant_id: int, customer_key: str, card: KeptCard) -> str:
    """The id under which the card is kept; one that was kept before keeps its own."""
    rows = session.exec(_own(tenant_id, customer_key)).all()
    row = next((row for row in rows if row.number == card.number), None)
    if row is None:
        row = SandboxCardRow(
            id=card.id,
            tenant_id=tenant_id,
            customer_key=customer_key,
            number=card.number,
            created_at=card.created_at,
        )
    row.authenticated, row.created_at = int(card.authenticated), card.created_at
    session.add(row)
    return row.id


def _locked(session: Session, checkout_id: str) -> SandboxSessionRow:
    return session.exec(
        select(SandboxSessionRow).where(SandboxSessionRow.id == checkout_id).with_for_update()
    ).one()


def _row(checkout: Checkout) -> SandboxSessionRow:
    flags = {"save_card": int(checkout.save_card), "setup": int(checkout.setup)}
    return SandboxSessionRow(**{**asdict(checkout), **flags})


def _checkout(row: SandboxSessionRow) -> Checkout:
    fields = row.model_dump()
    status = cast("CheckoutStatus", row.status)
    flags = {"save_card": bool(row.save_card), "setup": bool(row.setup)}
    refunds = cast("RefundOutcome", row.refunds)
    return Checkout(**{**fields, **flags, "status": status, "refunds": refunds})
