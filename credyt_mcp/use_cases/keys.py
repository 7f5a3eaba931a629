"""API keys: making, listing and revoking them. A key is shown once, ever.

The use cases work on the caller's own keys, the functions for the command line on everybody's.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from credyt_mcp.clock import Clock
from credyt_mcp.errors import Forbidden, InvalidRequest, NotFound
from credyt_mcp.ids import new_id, new_secret, secret_hash
from credyt_mcp.storage import audit, keys, tenants
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.tables import ApiKeyRow, TenantRow
from credyt_mcp.use_cases.context import (
    LOCAL,
    Billing,
    Command,
    PageOf,
    Result,
    ShortText,
    Tenant,
)
from credyt_mcp.use_cases.scopes import ALL_SCOPES, Scope, listed

Environment = Literal["test", "live"]


class CreateApiKey(Command):
    """A further key of this account, in the environment of the key that asks."""

    name: Annotated[ShortText, Field(description="what the key is for")]
    scopes: Annotated[
        list[Scope] | None,
        Field(min_length=1, description="default: those of the key that asks, which is the most"),
    ] = None


class RevokeApiKey(Command):
    """Close a key for good; what it did stays."""

    key_id: str


class KeyCreated(Result):
    """`key` is shown here and never again."""

    id: str
    key: str
    name: str
    environment: str
    scopes: list[Scope]


class KeyListed(Result):
    id: str
    name: str
    environment: str
    shown: Annotated[str, Field(description="how the key begins")]
    scopes: list[Scope]
    created_at: datetime
    last_used_at: Annotated[
        datetime | None, Field(description="up to a minute behind; absent while never used")
    ] = None
    revoked_at: datetime | None = None


class KeyPage(Result):
    items: list[KeyListed]
    total_count: int
    limit: int
    offset: int


def create_api_key(billing: Billing, command: CreateApiKey) -> KeyCreated:
    """Raises Forbidden for a scope that the key which asks lacks, or for a connected account."""
    if billing.tenant.parent_id is not None:
        raise Forbidden(
            "a connected account has no API keys",
            hint="Use the platform's key with X-CREDYT-ACCOUNT; leave that header out to make one.",
        )
    scopes = frozenset(command.scopes) if command.scopes is not None else billing.scopes
    for scope in listed(scopes):
        billing.require(scope)
    database, now = billing.database, billing.clock.now()
    return _made(database, now, billing.tenant, command.name, scopes, billing.actor)


def list_api_keys(billing: Billing, command: PageOf) -> KeyPage:
    """The account's keys in this environment, newest first, without their text."""
    with billing.database.read() as session:
        rows, total = keys.page(session, billing.tenant.id, command.offset, command.limit)
    items = [_listed(row, billing.tenant.environment) for row in rows]
    return KeyPage(items=items, total_count=total, limit=command.limit, offset=command.offset)


def revoke_api_key(billing: Billing, command: RevokeApiKey) -> None:
    """Raises NotFound. A key may revoke itself; servers forget it within five seconds."""
    _revoke(billing.database, billing.clock.now(), command.key_id, billing.actor, billing.tenant.id)


def scopes_of(row: ApiKeyRow) -> frozenset[Scope]:
    return ALL_SCOPES & frozenset(row.scopes.split())


def as_tenant(row: TenantRow) -> Tenant:
    return Tenant(row.id, row.account_id, row.account_name, row.environment, row.parent_id)


def default_tenant(database: Database, clock: Clock, environment: Environment) -> Tenant:
    """The default account in that environment; both are made on first use."""
    with database.write(alone=True) as session:
        first = tenants.first_account(session)
        account_id = first.account_id if first else new_id("acc")
        for name in ("test", "live"):
            if tenants.find(session, account_id, name) is None:
                session.add(
                    TenantRow(
                        account_id=account_id,
                        account_name="default",
                        environment=name,
                        created_at=clock.now(),
                    )
                )
                session.flush()
        row = tenants.find(session, account_id, environment)
        assert row is not None
        return as_tenant(row)


def admit_key(database: Database, clock: Clock, tenant: Tenant, key: str) -> None:
    """Make a key given in the configuration usable, unless it is known already.

    Raises InvalidRequest unless it starts with `key_`.
    """
    if not key.startswith("key_"):
        raise InvalidRequest("CREDYT_API_KEY", "must start with key_")
    with database.write(alone=True) as session:
        if not keys.known(session, secret_hash(key)):
            session.add(_row(tenant, "CREDYT_API_KEY", key, ALL_SCOPES, clock.now()))


def create_key(
    database: Database,
    clock: Clock,
    name: str,
    environment: Environment,
    scopes: frozenset[Scope] = ALL_SCOPES,
) -> KeyCreated:
    """A new key of the default account."""
    tenant = default_tenant(database, clock, environment)
    return _made(database, clock.now(), tenant, name, scopes, LOCAL)


def list_keys(database: Database) -> list[KeyListed]:
    """The keys of all tenants, oldest first."""
    with database.read() as session:
        return [_listed(row, tenant.environment) for row, tenant in keys.everyone(session)]


def revoke_key(database: Database, clock: Clock, key_id: str) -> None:
    """Any tenant's key. Raises NotFound for an id that is no key's."""
    _revoke(database, clock.now(), key_id, LOCAL, None)


def _made(
    database: Database,
    now: datetime,
    tenant: Tenant,
    name: str,
    scopes: frozenset[Scope],
    actor: str,
) -> KeyCreated:
    key = new_secret("key")
    row = _row(tenant, name, key, scopes, now)
    after = {"name": name, "scopes": listed(scopes)}
    with database.write() as session:
        session.add(row)
        audit.add(session, tenant.id, actor, "key.created", row.id, now, after=after)
        return KeyCreated(
            id=row.id, key=key, name=name, environment=tenant.environment, scopes=listed(scopes)
        )


def _row(tenant: Tenant, name: str, key: str, scopes: frozenset[Scope], now: datetime) -> ApiKeyRow:
    return ApiKeyRow(
        id=new_id("apk"),
        tenant_id=tenant.id,
        name=name,
        shown=f"{key[:8]}…",
        key_hash=secret_hash(key),
        scopes=" ".join(listed(scopes)),
        created_at=now,
    )


def _revoke(
    database: Database, now: datetime, key_id: str, actor: str, tenant_id: int | None
) -> None:
    with database.write() as session:
        row = keys.find(session, key_id, tenant_id)
        if row is None:
            raise NotFound(
                f"there is no key '{key_id}'",
                hint="`credyt-mcp keys list`, or GET /keys, shows them.",
            )
        if row.revoked_at is None:
            row.revoked_at = now
            session.add(row)
            audit.add(session, row.tenant_id, actor, "key.revoked", row.id, now)


def _listed(row: ApiKeyRow, environment: str) -> KeyListed:
    return KeyListed(
        id=row.id,
        name=row.name,
        environment=environment,
        shown=row.shown,
        scopes=listed(scopes_of(row)),
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
