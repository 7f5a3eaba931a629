"""What a kind of work must say of itself, so that time can drive it: real time, and test clocks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from credyt_mcp.use_cases.context import Billing

SWEEP_SECONDS = 5


@dataclass(frozen=True)
class DueWork:
    """A kind of work that becomes due at moments of a tenant's time.

    `next_due(session, tenant_id)` is the earliest such moment that stands, past or to come.
    `run_due(billing, tenant_id)` does what is due by now, of one tenant or (None) of all, and
    answers how much it was. Any number of processes run it at once: what it does must be done
    once however often it is tried. Work that `asks_others` has a loop of its own, so that
    a provider which does not answer keeps nothing else waiting, nor other such work.
    It is looked for `every` so many seconds of real time.
    """

    kind: str
    next_due: Callable[[Session, int], datetime | None]
    run_due: Callable[[Billing, int | None], Awaitable[int]]
    asks_others: bool = False
    every: float = SWEEP_SECONDS
