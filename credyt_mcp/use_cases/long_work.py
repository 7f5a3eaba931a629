"""Work of seconds inside a server: one at a time, in a thread that keeps nobody waiting. It ends
when its caller goes away."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio.lowlevel import RunVar

R = TypeVar("R")

Step = Callable[[int], None]
"""Called with how many more events were walked; may raise to end it."""

EVENTS_MAX = 200_000
"""In one request; the command line has no limit."""
EVENTS_PER_BREATH, BREATH = 50, 0.001
"""It gives way every few milliseconds: a thread that only computes would make each of the others
wait five times as long for its turn."""

_LIMITER: RunVar[anyio.CapacityLimiter] = RunVar("long_work")


async def patiently(work: Callable[[Step], R]) -> R:
    """What `work` comes to. It must call its step often."""
    walked = 0

    def breathe(count: int) -> None:
        nonlocal walked
        before, walked = walked, walked + count
        if before // EVENTS_PER_BREATH != walked // EVENTS_PER_BREATH:
            anyio.from_thread.check_cancelled()
            time.sleep(BREATH)

    limiter = _LIMITER.get(None)
    if limiter is None:
        limiter = anyio.CapacityLimiter(1)
        _LIMITER.set(limiter)
    return await anyio.to_thread.run_sync(work, breathe, limiter=limiter)
