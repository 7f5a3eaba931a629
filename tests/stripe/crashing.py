"""Ends our process wherever its state meets the world: before and after each call of Stripe, and
before each commit. What it had in memory is gone; what it had committed, and what Stripe has done,
is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import pytest
import stripe
from sqlalchemy import event

from credyt_mcp.app import System
from credyt_mcp.storage.lane import Lane

CAN_CRASH: ContextVar[bool] = ContextVar("CAN_CRASH", default=False)
"""Only what a test does itself is cut short, not what runs beside it."""


class Crash(BaseException):
    """Nothing in the product catches it, as nothing catches a kill -9."""


class Seams:
    """Counts the places where the process may end, and ends it at the one that was asked for."""

    def __init__(self) -> None:
        self.left = 0

    def reached(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Crash

    def reached_by_us(self) -> None:
        if CAN_CRASH.get():
            self.reached()

    async def survive(self, work: Coroutine[Any, Any, Any], lane: Lane) -> Any:
        """The work's answer, or Crash itself where it or the write lane was cut short."""
        CAN_CRASH.set(True)
        done = asyncio.create_task(work)
        await asyncio.wait({done, lane._task}, return_when=asyncio.FIRST_COMPLETED)
        if not lane.alive:
            done.cancel()
        try:
            return await done
        except (Crash, asyncio.CancelledError):
            return Crash

    def around_stripe(self, patch: pytest.MonkeyPatch) -> None:
        """Where the SDK talks to the network."""
        seams = self

        class Client(stripe.RequestsClient):
            def request(self, *arguments: Any, **more: Any) -> Any:
                seams.reached_by_us()
                answer = super().request(*arguments, **more)
                seams.reached_by_us()
                return answer

        patch.setattr(stripe, "RequestsClient", Client)

    def around_commits(self, system: System) -> None:
        database, connection = system.billing.database, system.billing.lane._connection
        event.listen(database.engine, "commit", lambda _: self.reached_by_us())
        connection.commit = self._then(connection.commit)  # type: ignore[method-assign]

    def _then(self, commit: Callable[[], None]) -> Callable[[], None]:
        def commits() -> None:
            self.reached()
            commit()
            self.reached()

        return commits
