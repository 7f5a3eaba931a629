"""Reads wallets as the domain sees them, and opens their accounts. Money moves in the lane only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, select

from credyt_mcp.clock import to_micros
from credyt_mcp.domain.book import Authorization, Customer, Leg
from credyt_mcp.domain.grants import Basis, Grant
from credyt_mcp.domain.ledger import Account
from credyt_mcp.domain.money import Asset
from credyt_mcp.ids import client_key
from credyt_mcp.storage import assets
from credyt_mcp.storage.ledger_tables import (
    AuthorizationRow,
    GrantRow,
    LedgerAccountRow,
    LedgerTransactionRow,
)
from credyt_mcp.storage.tables import CustomerRow

AccountKey = tuple[str, str]
"""Name and asset code."""


@dataclass(frozen=True)
class GrantFilter:
    """Absent fields do not narrow; periods are half-open."""

    purpose: str | None = None
    not_expired_at: datetime | None = None
    effective_from: datetime | None = None
    effective_to: datetime | None = None
    expired_from: datetime | None = None
    expired_to: datetime | None = None


def load(session: Session, row: CustomerRow, now: datetime) -> Customer:
    """A customer's accounts with their open grants and authorizations, as they were last booked."""
    assert row.id is not None
    customer = Customer(row.id, row.tenant_id, row.public_id, ())
    found = session.exec(
        select(LedgerAccountRow, GrantRow)
        .outerjoin(
            GrantRow,
            (col(GrantRow.account_id) == col(LedgerAccountRow.id)) & (col(GrantRow.live) == 1),
        )
        .where(
            LedgerAccountRow.tenant_id == row.tenant_id,
            LedgerAccountRow.customer_id == row.id,
            LedgerAccountRow.kind == "wallet",
        )
        .order_by(col(LedgerAccountRow.id), col(GrantRow.id))
    )
    known: dict[str, Asset] = {}
    for account_row, grant_row in found:
        key = (account_row.name, account_row.asset)
        if key not in customer.accounts:
            asset = known.get(account_row.asset) or assets.find(
                session, row.tenant_id, account_row.asset
            )
            assert asset is not None, "an account's asset exists"
            known[account_row.asset] = asset
            customer.accounts[key] = _account(account_row, asset)
        if grant_row is not None:
            customer.accounts[key].grants.append(_grant(grant_row))
    due = select(AuthorizationRow).where(
        AuthorizationRow.tenant_id == row.tenant_id,
        AuthorizationRow.customer_id == row.id,
        AuthorizationRow.status == "open",
        col(AuthorizationRow.expires_at) <= now,
    )
    customer.authorizations = [authorization_of(held, customer) for held in session.exec(due)]
    return customer


def authorization_of(row: AuthorizationRow, customer: Customer) -> Authorization:
    """A row as the domain's object, its legs on the customer's accounts."""
    accounts = {account.id: account for account in customer.accounts.values()}
    return Authorization(
        id=row.id,
        tenant_id=row.tenant_id,
        key=row.key,
        client_id=row.client_id,
        customer_id=row.customer_id,
        status=row.status,
        legs=[Leg(accounts[account_id], *units) for account_id, *units in row.legs],
        request=row.request,
        subject=row.subject,
        expires_at=to_micros(row.expires_at),
        created_at=to_micros(row.created_at),
        closed_at=None if row.closed_at is None else to_micros(row.closed_at),
        **row.details,
    )


def account_keys(session: Session, customer: CustomerRow) -> list[AccountKey]:
    return list(
        session.exec(
            select(LedgerAccountRow.name, LedgerAccountRow.asset)
            .where(
                LedgerAccountRow.tenant_id == customer.tenant_id,
                LedgerAccountRow.customer_id == customer.id,
                LedgerAccountRow.kind == "wallet",
            )
            .order_by(col(LedgerAccountRow.id))
        )
    )


def open_accounts(
    session: Session, customer: CustomerRow, wanted: Iterable[AccountKey], now: datetime
) -> None:
    """Open those accounts that do not exist, at zero. The customer must be new or locked."""
    assert customer.id is not None
    existing = set(account_keys(session, customer))
    for name, asset in dict.fromkeys(wanted):
        if (name, asset) not in existing:
            session.add(
                LedgerAccountRow(
                    tenant_id=customer.tenant_id,
                    customer_id=customer.id,
                    kind="wallet",
                    name=name,
                    asset=asset,
                    created_at=now,
                )
            )


def grants(
    session: Session, account: Account, wanted: GrantFilter, offset: int, limit: int
) -> tuple[list[GrantRow], int]:
    """Grants of an account, newest first, and how many match."""
    conditions = [col(GrantRow.account_id) == account.id, *_conditions(wanted)]
    total = session.exec(select(func.count()).select_from(GrantRow).where(*conditions)).one()
    newest = select(GrantRow).where(*conditions).order_by(col(GrantRow.id).desc())
    return list(session.exec(newest.offset(offset).limit(limit))), total


def transaction(
    session: Session, tenant_id: int, transaction_id: str
) -> LedgerTransactionRow | None:
    """The transaction a caller made under that id."""
    return session.exec(
        select(LedgerTransactionRow).where(
            LedgerTransactionRow.tenant_id == tenant_id,
            LedgerTransactionRow.key == client_key(transaction_id),
        )
    ).first()


def account_of(session: Session, transaction: LedgerTransactionRow) -> LedgerAccountRow:
    return session.exec(
        select(LedgerAccountRow).where(LedgerAccountRow.id == transaction.account_id)
    ).one()


def _conditions(wanted: GrantFilter) -> list[Any]:
    conditions: list[Any] = []
    expires_at, effective_at = col(GrantRow.expires_at), col(GrantRow.effective_at)
    if wanted.purpose is not None:
        conditions.append(col(GrantRow.purpose) == wanted.purpose)
    if wanted.not_expired_at is not None:
        conditions.append(expires_at.is_(None) | (expires_at > wanted.not_expired_at))
    if wanted.effective_from is not None:
        conditions.append(effective_at >= wanted.effective_from)
    if wanted.effective_to is not None:
        conditions.append(effective_at < wanted.effective_to)
    if wanted.expired_from is not None:
        conditions.append(expires_at >= wanted.expired_from)
    if wanted.expired_to is not None:
        conditions.append(expires_at < wanted.expired_to)
    return conditions


def _account(row: LedgerAccountRow, asset: Asset) -> Account:
    return Account(
        id=row.id,
        tenant_id=row.tenant_id,
        customer_id=row.customer_id,
        kind="wallet",
        name=row.name,
        asset=asset,
        balance=row.balance,
        held=row.held,
        overdraft_limit=row.overdraft_limit,
        hard_limit=bool(row.hard_limit),
        low_threshold=row.low_threshold,
    )


def _grant(row: GrantRow) -> Grant:
    return Grant(
        id=row.id,
        purpose=row.purpose,
        source=row.source,
        priority=row.priority,
        amount=row.amount,
        remaining=row.remaining,
        effective_at=to_micros(row.effective_at),
        expires_at=None if row.expires_at is None else to_micros(row.expires_at),
        booked=bool(row.booked),
        basis=None if row.basis is None else Basis.parse(row.basis),
    )
