"""What a wallet account may not do: how far holds and usage may take it, when to be told."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import Field, StrictBool
from sqlmodel import Session

from credyt_mcp.domain.ledger import Account
from credyt_mcp.domain.money import Asset, from_units, to_units
from credyt_mcp.errors import InvalidRequest
from credyt_mcp.storage import customers, limits
from credyt_mcp.storage.tables import CustomerRow
from credyt_mcp.use_cases.context import (
    Amount,
    AmountOrZero,
    Billing,
    Command,
    Number,
    Result,
)
from credyt_mcp.use_cases.subscriptions import CustomerId, customer_of
from credyt_mcp.use_cases.wallets import AccountDetails, account_details, account_of


class LimitFields(Command):
    overdraft_limit: Annotated[
        AmountOrZero | None, Field(description="how far below zero holds may go; default 0")
    ] = None
    hard_limit: Annotated[
        StrictBool | None,
        Field(description="true: usage beyond the limit is refused and not recorded"),
    ] = None
    low_balance_threshold: Annotated[
        Amount | None, Field(description="falling below it makes one notice until it recovers")
    ] = None


class SetWalletLimits(LimitFields):
    """Change the limits of a wallet account; what is left out stays. Changes are audited."""

    customer_id: CustomerId
    account_id: Annotated[str, Field(description="such as default:USD")]


class GetLimitChanges(Command):
    customer_id: CustomerId
    account_id: str


class LimitChange(Result):
    actor: str
    before: dict[str, Number | bool | None]
    after: dict[str, Number | bool | None]
    created_at: datetime


class LimitChanges(Result):
    items: list[LimitChange]


def set_wallet_limits(billing: Billing, command: SetWalletLimits) -> AccountDetails:
    """Raises NotFound (customer, account), AmountOutOfRange."""
    if command.model_fields_set <= {"customer_id", "account_id"}:
        raise InvalidRequest("overdraft_limit", "give at least one limit to change")
    with billing.database.write() as session:
        found = customer_of(session, billing, command.customer_id)
        customer = customers.find(session, billing.tenant.id, found.public_id, lock=True)
        assert customer is not None
        account = account_of(session, billing, customer, command.account_id)
        apply(session, billing, account, command)
    with billing.database.read() as session:
        customer = customer_of(session, billing, command.customer_id)
        return account_details(account_of(session, billing, customer, command.account_id))


def get_limit_changes(billing: Billing, command: GetLimitChanges) -> LimitChanges:
    """Who changed an account's limits, newest first."""
    with billing.database.read() as session:
        customer: CustomerRow = customer_of(session, billing, command.customer_id)
        account = account_of(session, billing, customer, command.account_id)
        assert account.id is not None
        rows = limits.changes(session, billing.tenant.id, account.id)
    return LimitChanges(
        items=[
            LimitChange(
                actor=row["actor"],
                before=_shown(row["before"], account.asset),
                after=_shown(row["after"], account.asset),
                created_at=row["created_at"],
            )
            for row in rows
        ]
    )


def apply(session: Session, billing: Billing, account: Account, given: LimitFields) -> None:
    """Set what `given` sets; its customer must be locked."""
    asset, changed = account.asset, dict[str, int | None]()
    if given.overdraft_limit is not None:
        changed["overdraft_limit"] = to_units(given.overdraft_limit, asset, "overdraft_limit")
    if given.hard_limit is not None:
        changed["hard_limit"] = int(given.hard_limit)
    if given.low_balance_threshold is not None:
        threshold = to_units(given.low_balance_threshold, asset, "low_balance_threshold")
        changed["low_threshold"] = threshold
    assert account.id is not None
    limits.change(session, account.id, changed, billing.actor, billing.now())


def _shown(values: dict[str, int | None], asset: Asset) -> dict[str, Decimal | bool | None]:
    names = {"low_threshold": "low_balance_threshold"}
    return {
        names.get(name, name): bool(value)
        if name == "hard_limit"
        else (None if value is None else from_units(value, asset))
        for name, value in values.items()
    }
