"""API keys: who is calling, and starting several processes at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import InvalidRequest, Unauthorized
from credyt_mcp.storage.database import Database
from credyt_mcp.use_cases.key_ring import KeyRing
from credyt_mcp.use_cases.keys import (
    admit_key,
    create_key,
    default_tenant,
    list_keys,
    revoke_key,
)

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
