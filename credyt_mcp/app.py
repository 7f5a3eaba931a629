"""Builds the running system from settings: the only place where all parts meet."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from credyt_mcp.clock import Clock, SystemClock
from credyt_mcp.delivery.webhooks import Sender
from credyt_mcp.errors import SchemaOutdated
from credyt_mcp.payments.sandbox import SandboxProvider
from credyt_mcp.payments.stripe import StripeProvider
from credyt_mcp.payments.stripe_access import StripeAccess, fingerprint
from credyt_mcp.settings import Settings
from credyt_mcp.storage import schema
from credyt_mcp.storage.clocks import TenantClocks
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.lane import Lane
from credyt_mcp.storage.provider_refs import StoredReferences
from credyt_mcp.storage.published_prices import PublishedPrices
from credyt_mcp.storage.sandbox import StoredSessions
from credyt_mcp.storage.sealing import Vault
from credyt_mcp.storage.vendors import KnownVendors
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.key_ring import KeyRing, keep_noting_uses
from credyt_mcp.use_cases.keys import Environment, admit_key, default_tenant
from credyt_mcp.use_cases.open_payments import keep_following_up
from credyt_mcp.use_cases.payment_providers import PaymentProviders
from credyt_mcp.use_cases.sweeping import keep_sweeping
from credyt_mcp.use_cases.webhook_delivery import Courier

GARBAGE_THRESHOLD = 50_000
"""New objects before the youngest are looked through for garbage."""


@dataclass(frozen=True)
class System:
    billing: Billing
    keys: KeyRing


def open_database(settings: Settings, *, auto_upgrade: bool = False) -> Database:
    """An open database with the current schema.

    Raises SchemaOutdated for a Postgres that is not, unless `auto_upgrade` says to bring it there;
    Misconfigured for a URL that is no database's, DatabaseUnavailable for one that does not answer.
    """
    database = Database(settings.database_url)
    try:
        if database.is_sqlite or auto_upgrade:
            schema.upgrade(database)
        elif not schema.is_current(database):
            raise SchemaOutdated("the Postgres database has an older schema or none")
    except BaseException:
        database.close()
        raise
    return database


def _providers(
    settings: Settings, database: Database, clock: Clock, clocks: TenantClocks
) -> PaymentProviders:
    server = None
    if settings.stripe_api_key is not None:
        key = settings.stripe_api_key.get_secret_value()
        server = StripeAccess(key, tuple(settings.stripe_webhook_secrets))

    def open_stripe(access: StripeAccess) -> StripeProvider:
        def references(account: str) -> StoredReferences:
            known = StoredReferences(database, StripeProvider.name, account)
            if access is server:
                known.adopt("", fingerprint(access.api_key))
            return known

        done_url = f"{settings.public_url.rstrip('/')}/providers/stripe/done"
        base = settings.stripe_api_base
        return StripeProvider(access, references, clock, done_url=done_url, api_base=base)

    sandbox = SandboxProvider(StoredSessions(database), settings.public_url, clocks.now)
    vault, environment = Vault(settings.secrets_keys), settings.stripe_environment
    return PaymentProviders(database, vault, sandbox, open_stripe, server, environment)


@asynccontextmanager
async def _patient_collector() -> AsyncIterator[None]:
    """What is remembered lives long, and all of it would be gone through again and again: with
    Python's own threshold that was a quarter of a busy server's time."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    clock: Clock | None = None,
    auto_upgrade: bool = False,
    environment: Environment = "test",
) -> AsyncIterator[System]:
    """The whole system, seen as the default account in `environment`, until the block ends."""
    clock = clock or SystemClock()
    database = await anyio.to_thread.run_sync(
        lambda: open_database(settings, auto_upgrade=auto_upgrade)
    )
    try:
        tenant = await anyio.to_thread.run_sync(default_tenant, database, clock, environment)
        if settings.api_key is not None:
            test = await anyio.to_thread.run_sync(default_tenant, database, clock, "test")
            key = settings.api_key.get_secret_value()
            await anyio.to_thread.run_sync(admit_key, database, clock, test, key)
        lane, clocks = Lane(database, clock), TenantClocks(database, clock)
        try:
            providers = _providers(settings, database, clock, clocks)
            prices, vendors = PublishedPrices(database), KnownVendors(database)
            billing = Billing(
                settings, clock, database, lane, prices, vendors, clocks, providers, tenant
            )
            keys = KeyRing(database, settings.rate_limit)
            async with _patient_collector(), anyio.create_task_group() as background:
                background.start_soon(keep_sweeping, billing)
                background.start_soon(keep_noting_uses, keys, clock)
                if settings.webhook_worker:
                    background.start_soon(Courier(billing, Sender()).keep_delivering)
                    background.start_soon(keep_following_up, billing)
                yield System(billing, keys)
                background.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            # The group wraps what the block raised, too, whose message is for people.
            if len(group.exceptions) == 1:
                raise group.exceptions[0] from None
            raise
        finally:
            await lane.close()
            clocks.close()
    finally:
        database.close()
