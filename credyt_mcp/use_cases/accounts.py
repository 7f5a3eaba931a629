"""Connected accounts: a platform makes tenants of its own and acts for them with its own keys.

Each is fully apart, with its own catalogue, customers and books. It exists in the environment of
the key that made it, and has neither keys nor connected accounts of its own.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from credyt_mcp.errors import Conflict, Forbidden, InvalidRequest, NotFound
from credyt_mcp.ids import new_id
from credyt_mcp.storage import accounts, audit, unique
from credyt_mcp.storage.tables import TenantRow
from credyt_mcp.use_cases.context import Billing, Command, PageOf, Result, ShortText


class CreateConnectedAccount(Command):
    """An account of a business that sells through your platform."""

    name: ShortText
    external_id: Annotated[ShortText | None, Field(description="your own id for it")] = None
    metadata: dict[str, str] = Field(default_factory=dict)


class AccountCreated(Result):
    id: str


class ListConnectedAccounts(PageOf):
    external_id: str | None = None


class GetConnectedAccount(Command):
    """A connected account of yours."""

    account_id: Annotated[str, Field(description="account id, or your external id")]


class GetAccountContext(Command):
    """Which account and environment a key works on."""


class AccountContext(Result):
    account_id: str
    environment: Literal["live", "test"]
    name: str


class ConnectedAccount(Result):
    id: str
    external_id: str | None = None
    name: str
    created_at: datetime
    metadata: dict[str, str]


class ConnectedAccountPage(Result):
    items: list[ConnectedAccount]
    total_count: int
    limit: int
    offset: int


def create_connected_account(billing: Billing, command: CreateConnectedAccount) -> AccountCreated:
    """Raises Conflict when the external id is taken, Forbidden for a connected account."""
    platform, now = billing.tenant, billing.clock.now()
    if platform.parent_id is not None:
        raise Forbidden(
            "a connected account has no connected accounts of its own",
            hint="Leave out X-CREDYT-ACCOUNT to make another account of the platform.",
        )
    if command.external_id is not None and command.external_id.startswith("acc_"):
        raise InvalidRequest("external_id", "must not start with acc_, as our own ids do")
    row = TenantRow(
        account_id=new_id("acc"),
        account_name=command.name,
        environment=platform.environment,
        parent_id=platform.id,
        external_id=command.external_id,
        details=command.metadata,
        created_at=now,
    )
    with billing.database.write() as session:
        if not unique.save(session, row):
            raise Conflict(
                f"an account with external_id '{command.external_id}' exists already",
                hint="Use it; GET /accounts?external_id= shows it.",
            )
        after = {"name": row.account_name, "external_id": row.external_id}
        target = row.account_id
        audit.add(session, platform.id, billing.actor, "account.created", target, now, after=after)
    return AccountCreated(id=row.account_id)


def list_connected_accounts(
    billing: Billing, command: ListConnectedAccounts
) -> ConnectedAccountPage:
    """The platform's accounts in this environment, newest first."""
    with billing.database.read() as session:
        rows, total = accounts.page(
            session, billing.tenant.id, command.external_id, command.offset, command.limit
        )
    return ConnectedAccountPage(
        items=[_shown(row) for row in rows],
        total_count=total,
        limit=command.limit,
        offset=command.offset,
    )


def get_connected_account(billing: Billing, command: GetConnectedAccount) -> ConnectedAccount:
    with billing.database.read() as session:
        row = accounts.find(session, billing.tenant.id, command.account_id)
    if row is None:
        raise NotFound(f"there is no connected account '{command.account_id}'")
    return _shown(row)


def get_account_context(billing: Billing, command: GetAccountContext) -> AccountContext:
    """The account that the call works on: with X-CREDYT-ACCOUNT, the connected one."""
    tenant = billing.tenant
    return AccountContext(
        account_id=tenant.account_id,
        environment=tenant.environment,
        name=tenant.account_name,
    )


def _shown(row: TenantRow) -> ConnectedAccount:
    return ConnectedAccount(
        id=row.account_id,
        external_id=row.external_id,
        name=row.account_name,
        created_at=row.created_at,
        metadata=row.details or {},
    )
