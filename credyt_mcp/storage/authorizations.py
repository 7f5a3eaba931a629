"""Reads authorizations as the domain sees them. They change in the lane only, see book.py."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, select

from credyt_mcp.clock import to_micros
from credyt_mcp.domain.book import Authorization, Customer
from credyt_mcp.domain.wallets import as_of
from credyt_mcp.ids import client_key
from credyt_mcp.storage import wallets
from credyt_mcp.storage.ledger_tables import AuthorizationRow
from credyt_mcp.storage.tables import CustomerRow


def get(
    session: Session, tenant_id: int, authorization_id: str, now: datetime
) -> tuple[Authorization, Customer] | None:
    """The authorization at `now`, in its customer's wallet."""
    found = session.exec(
        select(AuthorizationRow, CustomerRow)
        .join(CustomerRow, col(CustomerRow.id) == col(AuthorizationRow.customer_id))
        .where(
            AuthorizationRow.tenant_id == tenant_id,
            AuthorizationRow.key == client_key(authorization_id),
        )
    ).first()
    if found is None:
        return None
    row, customer_row = found
    customer = wallets.load(session, customer_row, now)
    authorization = wallets.authorization_of(row, customer)
    # If it is due, it is the one among the due that must be seen to expire.
    customer.authorizations = [
        authorization if other.id == authorization.id else other
        for other in customer.authorizations
    ]
    as_of(customer, to_micros(now))
    return authorization, customer
