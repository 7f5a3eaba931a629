"""The write lane: the one path by which money moves. One lane a process, group commit, no timer.

Callers wait on a future. The lane takes what has queued, opens one transaction, loads the book,
lets each command decide, writes, commits, and only then answers. A single call is a batch of one.
On SQLite statements run on the event loop (microseconds each) and only COMMIT in a thread; on
Postgres, where statements wait on a network, the whole batch runs in a thread. Nothing here may
call a network service or know what a command means.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple

from credyt_mcp.clock import Clock, to_micros
from credyt_mcp.errors import CredytError, Overloaded
from credyt_mcp.storage.book import BookStore, Command
from credyt_mcp.storage.database import Database

BATCH_MAX = 128
QUEUE_MAX = 20_000

log = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """What a command came to: a result, or the error it is refused with."""

    result: Any = None
    error: BaseException | None = None


class _Waiting(NamedTuple):
    command: Command
    answer: asyncio.Future[Any]


class Lane:
    """Start it inside a running event loop; `submit` from that loop."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._gate = database.gate
        self._clock = clock
        self._store = BookStore(database.lane_connection())
        self._connection = self._store.connection
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lane")
        self._closing = False
        self._task = asyncio.create_task(self._run(), name="write lane")

    async def submit(self, command: Command) -> Any:
        """The command's result, once it is durable.

        Raises the CredytError it was refused with, or Overloaded when too many wait.
        """
        if self._closing or len(self._queue) >= QUEUE_MAX:
            raise Overloaded("the write queue is full")
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(command, answer))
        self._wake.set()
        # A caller that goes away must not take the answer from a command under way.
        return await asyncio.shield(answer)

    async def close(self) -> None:
        """Answer everything accepted, then stop."""
        self._closing = True
        self._wake.set()
        await self._task
        self._thread.shutdown()
        self._connection.close()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                size = min(BATCH_MAX, len(self._queue))
                batch = [self._queue.popleft() for _ in range(size)]
                outcomes = await self._attempt([waiting.command for waiting in batch])
                for waiting, outcome in zip(batch, outcomes, strict=True):
                    _answer(waiting.answer, outcome)
            if self._closing:
                return

    async def _attempt(self, commands: list[Command]) -> list[Outcome]:
        """Outcomes of a batch, committed; never raises."""
        try:
            return await self._transact(commands, self._together)
        except Exception:
            log.exception("a batch of %d commands failed and is replayed", len(commands))
        try:
            return await self._transact(commands, self._one_by_one)
        except Exception as error:
            log.exception("the replay failed as well")
            return [Outcome(error=error)] * len(commands)

    async def _transact(
        self, commands: list[Command], work: Callable[[list[Command]], list[Outcome]]
    ) -> list[Outcome]:
        if not self._gate.acquire(blocking=False):
            await self._in_thread(self._gate.acquire)
        try:
            if self._connection.blocks:
                answers: list[Outcome] = await self._in_thread(
                    self._work_and_commit, commands, work
                )
                return answers
            self._connection.begin()
            try:
                outcomes = work(commands)
                await self._in_thread(self._connection.commit)
            except BaseException:
                self._take_back()
                raise
            return outcomes
        finally:
            self._gate.release()

    def _work_and_commit(
        self, commands: list[Command], work: Callable[[list[Command]], list[Outcome]]
    ) -> list[Outcome]:
        try:
            self._connection.begin()
            outcomes = work(commands)
            self._connection.commit()
        except BaseException:
            self._take_back()
            raise
        return outcomes

    def _take_back(self) -> None:
        self._store.forget()
        with suppress(Exception):  # the connection itself may be what failed
            self._connection.rollback()

    def _together(self, commands: list[Command]) -> list[Outcome]:
        book = self._store.load(commands, to_micros(self._clock.now()))
        outcomes = []
        for command in commands:
            book.mark()
            try:
                outcomes.append(Outcome(result=command.decide(book)))
            except CredytError as refusal:
                book.undo()
                outcomes.append(Outcome(error=refusal))
        self._store.save(book)
        return outcomes

    def _one_by_one(self, commands: list[Command]) -> list[Outcome]:
        """Each command under a savepoint of its own, so that one that fails harms no other."""
        outcomes = []
        for command in commands:
            self._connection.execute("SAVEPOINT one")
            try:
                outcomes += self._together([command])
            except Exception as error:
                log.exception("a command failed")
                self._connection.execute("ROLLBACK TO SAVEPOINT one")
                self._store.forget()
                outcomes.append(Outcome(error=error))
            self._connection.execute("RELEASE SAVEPOINT one")
        return outcomes

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)


def _answer(answer: asyncio.Future[Any], outcome: Outcome) -> None:
    if answer.done():
        return
    if outcome.error is not None:
        answer.set_exception(outcome.error)
    else:
        answer.set_result(outcome.result)
