"""Wallets: what a customer has, account by account, grant by grant, and single transactions.

Reads never wait for the write lane. They look at the clock: credit that expired is gone at once,
credit that took effect is there, whether or not it has been booked.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from sqlmodel import Session

from credyt_mcp.clock import from_micros, to_micros
from credyt_mcp.domain.ledger import Account
from credyt_mcp.domain.money import from_units
from credyt_mcp.domain.wallets import as_of
from credyt_mcp.errors import NotFound
from credyt_mcp.storage import wallets
from credyt_mcp.storage.ledger_tables import GrantRow
from credyt_mcp.storage.tables import CustomerRow
from credyt_mcp.use_cases.budgets import BudgetView, of_customer
from credyt_mcp.use_cases.context import (
    Billing,
    Command,
    Moment,
    Number,
    PageOf,
    Result,
)
from credyt_mcp.use_cases.customer_now import read_now
from credyt_mcp.use_cases.subscriptions import CustomerId, customer_of

TRANSACTION_TYPES = {"adjustment": "adjustment", "charge": "fee"}


class GetWallet(Command):
    """What a customer can spend now, per account, and their budgets."""

    customer_id: CustomerId


class GetAccount(GetWallet):
    """One account of a wallet, with what is held and what is on its way, and its limits."""

    account_id: str


class GrantFields(PageOf):
    purpose: str | None = None
    exclude_expired: bool = False
    effective_from: Moment | None = None
    effective_to: Moment | None = None
    expired_from: Moment | None = None
    expired_to: Moment | None = None


class ListGrants(GrantFields):
    customer_id: CustomerId
    account_id: str


class GetTransaction(Command):
    customer_id: CustomerId
    transaction_id: str


class AccountSummary(Result):
    id: str
    name: str
    asset: str
    available: Number


class Wallet(Result):
    accounts: list[AccountSummary]
    budgets: Annotated[
        list[BudgetView] | None, Field(description="of all the customer's usage, if there are any")
    ] = None


class AccountDetails(AccountSummary):
    """`available` is net of holds, `pending_out` is what is held, `pending_in` takes effect later.

    Holds may take `available` down to -`overdraft_limit`; with `hard_limit` usage may go no further
    either. Falling below `low_balance_threshold` makes one notice until the balance recovers.
    """

    pending_in: Number
    pending_out: Number
    overdraft_limit: Number
    hard_limit: bool
    low_balance_threshold: Number | None = None


class CreditGrant(Result):
    """`available` is what is left of it to use now; `amount` what it was granted with."""

    id: str
    available: Number
    effective_at: datetime
    expires_at: datetime | None
    purpose: str
    created_at: datetime
    amount: Number
    source: str
    priority: int


class GrantPage(Result):
    items: list[CreditGrant]
    total_count: int
    limit: int
    offset: int


class TransactionDetails(Result):
    id: str
    type: str
    account_id: str
    asset: str
    amount: Number
    description: str | None = None
    metadata: dict[str, str] | None = None
    created_at: datetime
    executed_at: datetime | None = None
    reason: str | None = None
    provider: str | None = None
    external_reference: str | None = None
    refund_of: str | None = None
    subject: str | None = None
    input_units: Number | None = None
    input_volume: Number | None = None
    unit_price: Number | None = None
    volume_rate: Number | None = None
    package_size: Number | None = None


async def get_wallet(billing: Billing, command: GetWallet) -> Wallet:
    def read(session: Session, customer: CustomerRow) -> Wallet:
        accounts = accounts_now(session, billing, customer)
        return Wallet(
            accounts=[AccountSummary(**_summary(account)) for account in accounts],
            budgets=of_customer(session, customer, billing.now()),
        )

    return await read_now(billing, command.customer_id, read)


async def get_account(billing: Billing, command: GetAccount) -> AccountDetails:
    def read(session: Session, customer: CustomerRow) -> AccountDetails:
        return account_details(account_of(session, billing, customer, command.account_id))

    return await read_now(billing, command.customer_id, read)


async def list_grants(billing: Billing, command: ListGrants) -> GrantPage:
    """Grants of an account, newest first; of those that can be used, `available` adds up to what
    the account has. Periods are half-open."""

    def read(session: Session, customer: CustomerRow) -> GrantPage:
        account = account_of(session, billing, customer, command.account_id)
        wanted = wallets.GrantFilter(
            not_expired_at=billing.now() if command.exclude_expired else None,
            **command.model_dump(
                include={"purpose", "effective_from", "effective_to", "expired_from", "expired_to"}
            ),
        )
        rows, total = wallets.grants(session, account, wanted, command.offset, command.limit)
        left = {grant.id: grant.remaining for grant in account.grants if grant.booked}
        items = [_grant(row, account, left.get(row.id, 0)) for row in rows]
        return GrantPage(items=items, total_count=total, limit=command.limit, offset=command.offset)

    return await read_now(billing, command.customer_id, read)


def get_transaction(billing: Billing, command: GetTransaction) -> TransactionDetails:
    """An adjustment or charge by the caller's id for it. Fees of events are read with the event."""
    with billing.database.read() as session:
        customer = customer_of(session, billing, command.customer_id)
        row = wallets.transaction(session, billing.tenant.id, command.transaction_id)
        kind = TRANSACTION_TYPES.get(row.kind) if row is not None else None
        if row is None or kind is None or row.customer_id != customer.id:
            raise NotFound(f"there is no transaction '{command.transaction_id}'")
        account = _account_with_id(accounts_now(session, billing, customer), row.account_id)
    details: dict[str, Any] = dict(row.details)
    effective_at, executed_at = details.pop("effective_at", None), row.executed_at
    if executed_at is None and effective_at <= to_micros(billing.now()):
        executed_at = from_micros(effective_at)
    details.pop("expires_at", None)
    return TransactionDetails(
        **details,
        id=command.transaction_id,
        type=kind,
        account_id=account.label,
        asset=account.asset.code,
        amount=from_units(row.amount, account.asset),
        description=row.description,
        created_at=row.recorded_at,
        executed_at=executed_at,
    )


def account_details(account: Account) -> AccountDetails:
    asset, threshold = account.asset, account.low_threshold
    return AccountDetails(
        **_summary(account),
        pending_in=from_units(account.pending, asset),
        pending_out=from_units(account.held, asset),
        overdraft_limit=from_units(account.overdraft_limit, asset),
        hard_limit=account.hard_limit,
        low_balance_threshold=None if threshold is None else from_units(threshold, asset),
    )


def accounts_now(session: Session, billing: Billing, customer: CustomerRow) -> list[Account]:
    """The customer's accounts as they stand at this moment."""
    now = billing.now()
    return as_of(wallets.load(session, customer, now), to_micros(now))


def account_of(
    session: Session, billing: Billing, customer: CustomerRow, account_id: str
) -> Account:
    """The account of that id in any case, an equal spelling first. Raises NotFound."""
    accounts = accounts_now(session, billing, customer)
    alike = [one for one in accounts if one.label.casefold() == account_id.casefold()]
    if not alike:
        known = ", ".join(account.label for account in accounts)
        raise NotFound(
            f"the wallet has no account '{account_id}'",
            hint=f"It has: {known}." if known else "It has none yet: subscribe the customer.",
        )
    return next((one for one in alike if one.label == account_id), alike[0])


def _account_with_id(accounts: list[Account], account_id: int) -> Account:
    return next(account for account in accounts if account.id == account_id)


def _summary(account: Account) -> dict[str, Any]:
    return {
        "id": account.label,
        "name": account.name,
        "asset": account.asset.code,
        "available": from_units(account.available, account.asset),
    }


def _grant(row: GrantRow, account: Account, left: int) -> CreditGrant:
    return CreditGrant(
        id=f"grt_{row.id}",
        available=from_units(left, account.asset),
        effective_at=row.effective_at,
        expires_at=row.expires_at,
        purpose=row.purpose,
        created_at=row.created_at,
        amount=from_units(row.amount, account.asset),
        source=row.source,
        priority=row.priority,
    )
