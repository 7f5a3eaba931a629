"""API keys: who is calling, and starting several processes at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlmodel import col, select

from credyt_mcp.app import System, running
from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import InvalidRequest, Unauthorized
from credyt_mcp.settings import Settings
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.ledger_tables import AuditRow
from credyt_mcp.use_cases.accounts import create_connected_account
from credyt_mcp.use_cases.key_ring import KeyRing
from credyt_mcp.use_cases.keys import (
    admit_key,
    create_api_key,
    create_key,
    default_tenant,
    list_keys,
    revoke_api_key,
    revoke_key,
)
from credyt_mcp.use_cases.scopes import IN_ORDER
from tests.conftest import API_KEY, Call

TOGETHER = 6


def test_processes_that_start_at_once_share_one_account_and_one_key(
    database_url: str, clock: FrozenClock
) -> None:
    meet = Barrier(TOGETHER)

    def start() -> str:
        database = Database(database_url)
        meet.wait()
        tenant = default_tenant(database, clock, "test")
        admit_key(database, clock, tenant, "key_shared")
        database.close()
        return tenant.account_id

    with ThreadPoolExecutor(TOGETHER) as threads:
        accounts = {done.result() for done in [threads.submit(start) for _ in range(TOGETHER)]}
    assert len(accounts) == 1
    database = Database(database_url)
    assert [key.name for key in list_keys(database)] == ["CREDYT_API_KEY"]
    database.close()


async def test_a_key_opens_its_environment_until_it_is_revoked(
    system: System, clock: FrozenClock
) -> None:
    database = system.billing.database
    made = create_key(database, clock, "app", "live")
    assert KeyRing(database).caller_of(made.key).tenant.environment == "live"
    revoke_key(database, clock, made.id)
    with pytest.raises(Unauthorized):
        KeyRing(database).caller_of(made.key)
    # A revoked key cannot come back by being put into the configuration.
    admit_key(database, clock, system.billing.tenant, made.key)
    with pytest.raises(Unauthorized):
        KeyRing(database).caller_of(made.key)


async def test_a_configured_key_must_look_like_one(system: System, clock: FrozenClock) -> None:
    with pytest.raises(InvalidRequest, match="key_"):
        admit_key(system.billing.database, clock, system.billing.tenant, "sk_live_1")


async def test_what_is_done_to_keys_and_accounts_is_audited(
    system: System, call: Call, clock: FrozenClock
) -> None:
    account = await call(create_connected_account, name="Acme", external_id="acme")
    key = await call(create_api_key, name="app", scopes=["read"])
    await call(revoke_api_key, key_id=key.id)
    by_command = create_key(system.billing.database, clock, "ci", "test")
    with system.billing.database.read() as session:
        rows = session.exec(select(AuditRow).order_by(col(AuditRow.id))).all()
    assert [(row.actor, row.action, row.target, row.after) for row in rows] == [
        ("local", "account.created", account.id, {"name": "Acme", "external_id": "acme"}),
        ("local", "key.created", key.id, {"name": "app", "scopes": ["read"]}),
        ("local", "key.revoked", key.id, {}),
        ("local", "key.created", by_command.id, {"name": "ci", "scopes": [*IN_ORDER]}),
    ]


async def test_the_use_of_a_key_is_noted_when_the_server_ends(
    settings: Settings, clock: FrozenClock
) -> None:
    async with running(settings, clock=clock) as system:
        await system.keys.admit(API_KEY)
        [key] = list_keys(system.billing.database)
        assert key.last_used_at is None
    database = Database(settings.database_url)
    [key] = list_keys(database)
    database.close()
    assert key.last_used_at is not None
    assert abs(key.last_used_at - clock.now()) < timedelta(minutes=1)
