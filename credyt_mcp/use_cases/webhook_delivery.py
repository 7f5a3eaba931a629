"""The courier: takes what is in the outbox to its destinations, at least once, in order.

Every process runs one; they share the work through leases. A fact is in the outbox from the
transaction that made it, so that a crash anywhere here loses nothing: what was not marked as done
is done again. No transaction is open while the network is.
"""

from __future__ import annotations

import logging
import secrets
from datetime import datetime, timedelta
from typing import Any

import anyio
from anyio import CapacityLimiter
from anyio.abc import TaskGroup
from sqlmodel import Session

from credyt_mcp import exact_json
from credyt_mcp.delivery.webhooks import Answer, Message, Sender
from credyt_mcp.domain.webhooks import (
    DISABLE_AFTER,
    JITTER_PERCENT,
    RECOVERED_AFTER,
    envelope,
    next_attempt,
)
from credyt_mcp.storage import deliveries, notices, webhooks
from credyt_mcp.storage.deliveries import Due
from credyt_mcp.storage.webhook_tables import WebhookDeliveryRow, WebhookDestinationRow
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.webhooks import private_allowed

POLL_SECONDS = 1.0
LEASE = timedelta(seconds=60)
DESTINATIONS_AT_ONCE = 32
SENDS_AT_ONCE = 8
"""To one destination, so of different customers."""
THREADS = 4
"""The courier's own, so that requests never wait for it to get one."""

log = logging.getLogger(__name__)


class Batch:
    """Deliveries to one destination that are leased to us, and what came of each."""

    def __init__(self, destination: WebhookDestinationRow, due: list[Due]) -> None:
        self.destination = destination
        self.due = due
        self.answers: dict[int, Answer] = {}

    @property
    def any_arrived(self) -> bool:
        return any(answer.ok for answer in self.answers.values())


class Courier:
    def __init__(self, billing: Billing, sender: Sender) -> None:
        self._billing = billing
        self._sender = sender
        self._serving: set[int] = set()
        self._threads = CapacityLimiter(THREADS)

    async def keep_delivering(self) -> None:
        """Deliver what is due until cancelled. A failure is logged and tried again."""
        async with anyio.create_task_group() as group:
            while True:
                try:
                    await self._start(group)
                except Exception:
                    log.exception("webhooks could not be looked up")
                await anyio.sleep(POLL_SECONDS)

    async def deliver_due(self) -> None:
        """Deliver until nothing more is due."""
        while True:
            async with anyio.create_task_group() as group:
                if not await self._start(group):
                    return

    async def _start(self, group: TaskGroup) -> int:
        """Begin to serve destinations with something due; answers how many."""
        free = DESTINATIONS_AT_ONCE - len(self._serving)
        due = [one for one in await self._in_thread(self._look) if one not in self._serving]
        # By lot: however many destinations never answer, each of the others gets its turn.
        chosen = secrets.SystemRandom().sample(due, min(free, len(due)))
        self._serving.update(chosen)
        for destination_id in chosen:
            group.start_soon(self._serve, destination_id)
        return len(chosen)

    async def _serve(self, destination_id: int) -> None:
        """Send to one destination as long as there is something due and it takes it."""
        try:
            async with self._sender.connections() as client:
                batch = await self._in_thread(self._settle_and_claim, destination_id, None)
                while batch is not None:
                    async with anyio.create_task_group() as group:
                        for due in batch.due:
                            group.start_soon(self._send, client, batch, due)
                    batch = await self._in_thread(self._settle_and_claim, destination_id, batch)
        except Exception:
            log.exception("webhooks could not be sent")
        finally:
            self._serving.discard(destination_id)

    async def _send(self, client: Any, batch: Batch, due: Due) -> None:
        destination, notice, tenant = batch.destination, due.notice, due.tenant
        connected = tenant.id != destination.tenant_id
        body = envelope(
            notice.public_id,
            notice.kind,
            notice.created_at,
            tenant.environment == "live",
            notice.details,
            tenant.account_id if connected else None,
        )
        message = Message(
            id=notice.public_id,
            body=exact_json.dumps(body),
            url=destination.url,
            secret=self._billing.providers.vault.open(destination.secret),
            allow_private=private_allowed(self._billing.settings, tenant.environment),
        )
        answer = await self._sender.send(client, message, self._billing.clock.now())
        batch.answers[due.delivery.id] = answer

    def _look(self) -> list[int]:
        """Empty the outbox into deliveries; answers the destinations with something due."""
        database, now = self._billing.database, self._billing.clock.now()
        with database.read() as session:
            news = deliveries.tenants_with_news(session)
        for tenant_id in news:
            more = True
            while more:
                with database.write() as session:
                    more = deliveries.dispatch(session, tenant_id, now)
        with database.read() as session:
            return list(deliveries.due_destinations(session, now))

    def _settle_and_claim(self, destination_id: int, batch: Batch | None) -> Batch | None:
        """Write down what came of a batch and take the next, in one transaction. A destination
        that took nothing is left alone until the next look."""
        now = self._billing.clock.now()
        with self._billing.database.write() as session:
            destination = webhooks.lock(session, destination_id)
            if destination is None:
                return None
            if batch is not None:
                self._settle(session, destination, batch, now)
                if not batch.any_arrived:
                    return None
            due = deliveries.claim(session, destination_id, now, now + LEASE, SENDS_AT_ONCE)
            return Batch(destination, due) if due else None

    def _settle(
        self, session: Session, destination: WebhookDestinationRow, batch: Batch, now: datetime
    ) -> None:
        done: set[int] = set()
        for due in batch.due:
            row = deliveries.leased(session, due.delivery)
            answer = batch.answers.get(due.delivery.id)
            if row is None or answer is None:
                continue  # it was cut short, or took so long that another process has it
            _attempted(row, answer, now)
            if row.state != "pending" and row.object is not None:
                done.add(row.object)
        assert destination.id is not None
        failing_since, arrived = destination.failing_since, batch.any_arrived
        destination.failing_since = None if arrived else failing_since or now
        failed_for = timedelta(0) if failing_since is None else now - failing_since
        if not destination.enabled or (not arrived and failed_for >= DISABLE_AFTER):
            deliveries.park(session, destination.id)
            if destination.enabled:
                _disable(session, destination, now)
        elif arrived and failed_for >= RECOVERED_AFTER:
            deliveries.release_all(session, destination.id, now)
        elif done:
            deliveries.release_next(session, destination.id, done, now)

    async def _in_thread(self, function: Any, *arguments: Any) -> Any:
        return await anyio.to_thread.run_sync(function, *arguments, limiter=self._threads)


def _attempted(row: WebhookDeliveryRow, answer: Answer, now: datetime) -> None:
    """Write down an attempt, and when the next is."""
    row.attempts += 1
    row.first_attempt_at = row.first_attempt_at or now
    row.response_status, row.response_text, row.error = answer.status, answer.text, answer.error
    row.leased_until = row.next_attempt_at = None
    if answer.ok:
        row.state, row.successful_at, row.failed_at = "delivered", now, None
        return
    row.failed_at = now
    jitter = secrets.randbelow(2 * JITTER_PERCENT + 1) - JITTER_PERCENT
    row.next_attempt_at = next_attempt(row.first_attempt_at, row.attempts, now, jitter)
    if row.next_attempt_at is None:
        row.state = "given_up"


def _disable(session: Session, destination: WebhookDestinationRow, now: datetime) -> None:
    reason = f"no webhook arrived for {DISABLE_AFTER.days} days"
    destination.enabled, destination.disabled_reason, destination.updated_at = 0, reason, now
    data = {
        "webhook_id": destination.public_id,
        "url": destination.url,
        "reason": reason,
        "occurred_at": now,
    }
    notices.add(session, destination.tenant_id, "webhook.disabled", 0, data, now)
