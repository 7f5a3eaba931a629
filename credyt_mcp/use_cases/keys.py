"""API keys: who is calling, and making, listing and revoking keys. A key is shown once, ever."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Literal, NamedTuple

import anyio

from credyt_mcp.clock import Clock
from credyt_mcp.errors import InvalidRequest, NotFound, Unauthorized
from credyt_mcp.ids import new_id, new_secret, secret_hash
from credyt_mcp.storage import tenants
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.tables import ApiKeyRow, TenantRow
from credyt_mcp.use_cases.context import Result, Tenant

Environment = Literal["test", "live"]

KNOWN_FOR_SECONDS = 5.0
"""How long a key is taken as good without asking again, and so how late a revocation may bite."""


class KeyCreated(Result):
    id: str
    key: str
    name: str
    environment: str


class KeyListed(Result):
    id: str
    name: str
    environment: str
    shown: str
    created_at: datetime
    revoked_at: datetime | None = None


class Caller(NamedTuple):
    """Whose key was used, and which key."""

    tenant: Tenant
    key_id: str


class KeyRing:
    """Answers whose key it is, remembering answers for `KNOWN_FOR_SECONDS`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[bytes, tuple[Caller, float]] = {}
        self._asking: dict[str, asyncio.Task[Caller]] = {}

    def remembered(self, key: str) -> Caller | None:
        """The caller, if it was asked for a moment ago: no database, safe on the event loop."""
        caller, until = self._known.get(secret_hash(key), (None, 0.0))
        return caller if until > time.monotonic() else None

    async def caller(self, key: str) -> Caller:
        """The caller, asked for once however many requests wait to know; raises as `caller_of`."""
        known = self.remembered(key)
        if known is not None:
            return known
        asking = self._asking.get(key)
        if asking is None:
            asking = asyncio.create_task(anyio.to_thread.run_sync(self.caller_of, key))
            self._asking[key] = asking
            asking.add_done_callback(lambda _: self._asking.pop(key))
        return await asyncio.shield(asking)

    def caller_of(self, key: str) -> Caller:
        """Raises Unauthorized for a key that is unknown or revoked."""
        key_hash = secret_hash(key)
        with self._database.read() as session:
            found = tenants.by_key(session, key_hash)
        if found is None:
            raise Unauthorized("the API key is unknown or revoked")
        caller = Caller(as_tenant(found[0]), found[1])
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[key_hash] = (caller, time.monotonic() + KNOWN_FOR_SECONDS)
        return caller


def as_tenant(row: TenantRow) -> Tenant:
    return Tenant(row.id, row.account_id, row.account_name, row.environment)


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
        if not tenants.key_known(session, secret_hash(key)):
            tenants.add_key(
                session,
                tenant.id,
                new_id("apk"),
                "CREDYT_API_KEY",
                key,
                secret_hash(key),
                clock.now(),
            )


def create_key(database: Database, clock: Clock, name: str, environment: Environment) -> KeyCreated:
    """A new key of the default account; the only time its text is seen."""
    tenant = default_tenant(database, clock, environment)
    key = new_secret("key")
    with database.write() as session:
        row = tenants.add_key(
            session, tenant.id, new_id("apk"), name, key, secret_hash(key), clock.now()
        )
        return KeyCreated(id=row.id, key=key, name=name, environment=environment)


def list_keys(database: Database) -> list[KeyListed]:
    with database.read() as session:
        return [_listed(row, tenant) for row, tenant in tenants.keys(session)]


def revoke_key(database: Database, clock: Clock, key_id: str) -> None:
    """Raises NotFound for an id that is no key's."""
    with database.write() as session:
        row = tenants.get_key(session, key_id)
        if row is None:
            raise NotFound(f"there is no key '{key_id}'", hint="`credyt-mcp keys list` shows them.")
        if row.revoked_at is None:
            row.revoked_at = clock.now()
            session.add(row)


def _listed(row: ApiKeyRow, tenant: TenantRow) -> KeyListed:
    return KeyListed(
        id=row.id,
        name=row.name,
        environment=tenant.environment,
        shown=row.shown,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )
