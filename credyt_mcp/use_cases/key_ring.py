"""Who is calling: from an API key to its tenant, remembered, counted, and held to its rate.

What is remembered is per process, and bounded: a key that is not ours leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import anyio

from credyt_mcp.clock import Clock
from credyt_mcp.errors import Forbidden, RateLimited, Unauthorized
from credyt_mcp.ids import secret_hash
from credyt_mcp.storage import accounts, keys
from credyt_mcp.storage.database import Database
from credyt_mcp.use_cases.context import Tenant
from credyt_mcp.use_cases.keys import as_tenant, scopes_of
from credyt_mcp.use_cases.scopes import Scope

KNOWN_FOR_SECONDS = 5.0
"""How long a key is taken as good without asking again, and so how late a revocation may bite."""

REMEMBERED_MAX = 10_000
NOTE_SECONDS = 60
BURST_SECONDS = 2
"""A key that was quiet may spend this much of its rate at once."""

log = logging.getLogger(__name__)


class Meter:
    """What a key may still ask: a bucket that refills with time. 0 for `rate` is no limit."""

    __slots__ = ("_left", "_rate", "noted_at", "used_at")

    def __init__(self, rate: int) -> None:
        self._rate, self._left = rate, float(rate * BURST_SECONDS)
        self.used_at = self.noted_at = -math.inf

    def take(self, now: float) -> None:
        """Raises RateLimited, with the whole seconds after which there is room again."""
        since, self.used_at = now - self.used_at, now
        if not self._rate:
            return
        left = min(self._left + since * self._rate, self._rate * BURST_SECONDS)
        self._left = left - 1 if left >= 1 else left
        if left < 1:
            raise RateLimited(
                f"this key may send {self._rate} requests a second",
                retry_after_seconds=math.ceil((1 - left) / self._rate),
            )


class Caller(NamedTuple):
    """For whom the call is, and which key made it: a platform's may act for another account."""

    tenant: Tenant
    key_id: str
    scopes: frozenset[Scope]
    meter: Meter


class KeyRing:
    """Answers whose key it is, remembering answers for `KNOWN_FOR_SECONDS`."""

    def __init__(
        self,
        database: Database,
        rate_limit: int = 0,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._rate_limit, self._seconds = database, rate_limit, seconds
        self._known: dict[bytes, tuple[Caller, float]] = {}
        self._asking: dict[str, asyncio.Task[Caller]] = {}
        self._connected: dict[tuple[int, str], Tenant] = {}
        self._meters: dict[str, Meter] = {}

    async def admit(self, key: str, account_id: str | None = None) -> Caller:
        """The caller, acting for `account_id` where that is given.

        Raises Unauthorized, RateLimited, or Forbidden for an account that the key cannot act for.
        """
        caller = await self.caller(key)
        caller.meter.take(self._seconds())
        if account_id is None or account_id == caller.tenant.account_id:
            return caller
        platform = caller.tenant.id
        tenant = self._connected.get((platform, account_id))
        if tenant is None:
            tenant = await anyio.to_thread.run_sync(self._connected_of, platform, account_id)
        return caller._replace(tenant=tenant)

    def remembered(self, key: str) -> Caller | None:
        """The caller, if it was asked for a moment ago: no database, safe on the event loop."""
        caller, until = self._known.get(secret_hash(key), (None, 0.0))
        return caller if until > self._seconds() else None

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
            found = keys.by_hash(session, key_hash)
        if found is None:
            raise Unauthorized("the API key is unknown or revoked")
        tenant, row = found
        meter = self._meters.setdefault(row.id, Meter(self._rate_limit))
        caller = Caller(as_tenant(tenant), row.id, scopes_of(row), meter)
        if len(self._known) > REMEMBERED_MAX:
            self._known.clear()
        self._known[key_hash] = (caller, self._seconds() + KNOWN_FOR_SECONDS)
        return caller

    def _connected_of(self, platform_id: int, account_id: str) -> Tenant:
        """Kept for good: a connected account never changes its platform, nor goes away."""
        with self._database.read() as session:
            row = accounts.find(session, platform_id, account_id)
        if row is None or row.account_id != account_id:
            raise Forbidden("X-CREDYT-ACCOUNT names an account that is not this key's to act for")
        if len(self._connected) > REMEMBERED_MAX:
            self._connected.clear()
        tenant = self._connected[platform_id, account_id] = as_tenant(row)
        return tenant

    def note_uses(self, now: datetime) -> None:
        """Write when keys were last used, for those used since this was last called."""
        used = {key: meter for key, meter in self._meters.items() if meter.used_at > meter.noted_at}
        if not used:
            return
        with self._database.write() as session:
            for key_id, meter in used.items():
                used_at = meter.used_at
                ago = timedelta(seconds=max(self._seconds() - used_at, 0))
                keys.note_use(session, key_id, now - ago)
                meter.noted_at = used_at


async def keep_noting_uses(ring: KeyRing, clock: Clock) -> None:
    """Note uses now and then, off every caller's path, and once more when cancelled."""
    try:
        while True:
            await anyio.sleep(NOTE_SECONDS)
            await _noted(ring, clock)
    finally:
        with anyio.CancelScope(shield=True):
            await _noted(ring, clock)


async def _noted(ring: KeyRing, clock: Clock) -> None:
    try:
        await anyio.to_thread.run_sync(ring.note_uses, clock.now())
    except Exception:
        log.exception("the last uses of keys were not noted")
