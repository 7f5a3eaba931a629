"""The write lane: the one path by which money moves. One lane a process, group commit, no timer.

Callers wait on a future. The lane takes what has queued, opens one transaction, loads the book,
lets each command decide, writes, commits, and only then answers. A single call is a batch of one.
On SQLite the statements of a small batch run on the event loop (microseconds each) and only COMMIT
in a thread; on Postgres, where statements wait on a network, and for bulky commands, everything
does. Nothing here may call a network service or know what a command means.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple

from credyt_mcp.clock import Clock
from credyt_mcp.domain.budgets import tell_of_refusal
from credyt_mcp.errors import CredytError, Overloaded
from credyt_mcp.storage.book import BookStore, Command
from credyt_mcp.storage.clocks import LaneClocks
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.lane_metrics import LaneMetrics

BATCH_MAX = 128
BULKY = 32
"""Commands of more events than this wait apart, so that single calls wait for one lot at most."""
BULK_MAX = 1000
"""Events in a lot of bulky commands: as many as one request may have."""
QUEUE_MAX = 10_000

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
        self._store = BookStore(database.lane_connection())
        self._connection = self._store.connection
        self._clocks = LaneClocks(self._connection, clock)
        self._single: deque[_Waiting] = deque()
        self._bulky: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lane")
        self._closing = False
        self._commit_seconds = 0.0
        self.metrics = LaneMetrics(lambda: self.queue_depth)
        self._task = asyncio.create_task(self._run(), name="write lane")

    @property
    def queue_depth(self) -> int:
        return len(self._single) + len(self._bulky)

    @property
    def alive(self) -> bool:
        return not self._task.done()

    def health(self) -> dict[str, Any]:
        return {
            "queue_depth": self.queue_depth,
            "last_commit_ms": round(self._commit_seconds * 1000, 3),
        }

    async def submit(self, command: Command) -> Any:
        """The command's result, once it is durable.

        Raises the CredytError it was refused with, or Overloaded when too many wait.
        """
        if self._closing or not self.alive or self.queue_depth >= QUEUE_MAX:
            raise Overloaded("the write queue is full" if self.alive else "the write lane is down")
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        queue = self._bulky if len(command.keys) > BULKY else self._single
        queue.append(_Waiting(command, answer))
        self._wake.set()
        # A caller that goes away cancels this future alone; the command goes on, see `_answer`.
        return await answer

    async def close(self) -> None:
        """Answer everything accepted, then stop."""
        self._closing = True
        self._wake.set()
        await self._task
        self._thread.shutdown()
        self._connection.close()

    async def _run(self) -> None:
        try:
            await self._serve_forever()
        finally:
            # Nobody may wait for ever on a lane that is gone.
            for waiting in (*self._single, *self._bulky):
                error = Overloaded("the write lane is down")
                _answer(waiting.answer, Outcome(error=error))

    async def _serve_forever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.queue_depth:
                singles = [self._single.popleft() for _ in range(min(BATCH_MAX, len(self._single)))]
                await self._serve(singles)
                await self._serve(self._next_bulky())
            if self._closing:
                return

    def _next_bulky(self) -> list[_Waiting]:
        """The next bulky command, with those behind it that fit in one of the largest size."""
        batch: list[_Waiting] = []
        size = 0
        while self._bulky:
            size += len(self._bulky[0].command.keys)
            if batch and size > BULK_MAX:
                break
            batch.append(self._bulky.popleft())
        return batch

    async def _serve(self, batch: list[_Waiting]) -> None:
        if not batch:
            return
        outcomes = await self._attempt([waiting.command for waiting in batch])
        self.metrics.batch_size.observe(len(batch))
        self.metrics.count(outcome.error for outcome in outcomes)
        for waiting, outcome in zip(batch, outcomes, strict=True):
            _answer(waiting.answer, outcome)

    async def _attempt(self, commands: list[Command]) -> list[Outcome]:
        """Outcomes of a batch, committed; never raises.

        A replay is safe even after a COMMIT whose fate is unknown: every command carries an id
        under which it is done once.
        """
        try:
            return await self._transact(commands, self._together)
        except Exception:
            log.exception("a batch of %d commands failed and is replayed", len(commands))
        self.metrics.replays.inc()
        try:
            return await self._transact(commands, self._one_by_one)
        except Exception as error:
            log.exception("the replay failed as well")
            return [Outcome(error=error)] * len(commands)

    async def _transact(
        self, commands: list[Command], work: Callable[[Sequence[Command]], list[Outcome]]
    ) -> list[Outcome]:
        if not self._gate.acquire(blocking=False):
            await self._in_thread(self._gate.acquire)
        try:
            if self._connection.blocks or len(commands[0].keys) > BULKY:
                outcomes: list[Outcome] = await self._in_thread(
                    self._work_and_commit, commands, work
                )
                return outcomes
            try:
                self._clocks.begin(commands)
                outcomes = work(commands)
                await self._in_thread(self._commit)
            except BaseException:
                self._take_back()
                raise
            return outcomes
        finally:
            self._gate.release()

    def _work_and_commit(
        self, commands: list[Command], work: Callable[[Sequence[Command]], list[Outcome]]
    ) -> list[Outcome]:
        try:
            self._clocks.begin(commands)
            outcomes = work(commands)
            self._commit()
        except BaseException:
            self._take_back()
            raise
        return outcomes

    def _commit(self) -> None:
        started = time.perf_counter()
        self._connection.commit()
        self._commit_seconds = time.perf_counter() - started
        self.metrics.commit.observe(self._commit_seconds)

    def _take_back(self) -> None:
        self._store.forget()
        with suppress(Exception):  # the connection itself may be what failed
            self._connection.rollback()

    def _together(self, commands: Sequence[Command]) -> list[Outcome]:
        """Decide and write them, in one book for each present that their tenants live in."""
        outcomes = {
            now: iter(self._decide(group, now)) for now, group in self._clocks.by_time(commands)
        }
        return [next(outcomes[self._clocks.now(command)]) for command in commands]

    def _decide(self, commands: Sequence[Command], now: int) -> list[Outcome]:
        book = self._store.load(commands, now)
        outcomes = []
        for command in commands:
            book.mark()
            try:
                outcomes.append(Outcome(result=command.decide(book)))
            except CredytError as refusal:
                book.undo()
                tell_of_refusal(book)
                # Its traceback holds these very outcomes, and all of the book.
                outcomes.append(Outcome(error=refusal.with_traceback(None)))
        # So does what would take the last command back. Left in such circles, all that a batch made
        # would wait for the garbage collector, which stops everybody for it.
        book.mark()
        self._store.save(book)
        return outcomes

    def _one_by_one(self, commands: Sequence[Command]) -> list[Outcome]:
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
    if answer.done():  # its caller went away
        return
    if outcome.error is not None:
        answer.set_exception(outcome.error)
    else:
        answer.set_result(outcome.result)
