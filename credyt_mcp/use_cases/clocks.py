"""The test clock: an account's test environment lives in a time of its own, moved by request.

The clock steps from one due moment to the next and lets what is due happen there, so months are
lived as they would have been, in seconds. A step is durable before its work is done: whatever
interrupts it, the clock stands somewhere on the way, and asking for the same moment goes on.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple, Self

import anyio
from pydantic import Field, model_validator

from credyt_mcp.domain.durations import later
from credyt_mcp.errors import Forbidden, InternalError, InvalidRequest
from credyt_mcp.storage import clocks
from credyt_mcp.use_cases.context import Billing, Command, Moment, Number, Result
from credyt_mcp.use_cases.due_work import DueWork
from credyt_mcp.use_cases.sweeping import WORK

STEP_YEARS_MAX, YEARS_MAX = 10, 500
IDLE_MAX = 5


class GetClock(Command):
    """What time it is for this account."""


class AdvanceClock(Command):
    """Test data only: move this account's clock ahead. All that falls due on the way happens, in
    order. Give one of:"""

    to: Annotated[Moment | None, Field(description="the new present")] = None
    advance_by: Annotated[
        str | None, Field(max_length=50, description="ISO 8601 duration, such as P1M or P7D")
    ] = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.to is None) == (self.advance_by is None):
            raise ValueError("give either to or advance_by")
        return self


class ClockView(Result):
    now: datetime
    real_now: datetime
    offset_seconds: Annotated[Number, Field(description="how far now is ahead of real time")]
    environment: Literal["test", "live"]


class WorkDone(Result):
    kind: str
    count: int


class ClockAdvanced(ClockView):
    ran: Annotated[list[WorkDone], Field(description="what fell due on the way and was done here")]


class _Step(NamedTuple):
    """The next moment to stand at, and what is due then; nothing once the target is reached."""

    moment: datetime
    due: list[DueWork]


def get_clock(billing: Billing, command: GetClock) -> ClockView:
    with billing.database.read() as session:
        offset = clocks.offset_of(session, billing.tenant.id)
    return _view(billing, offset)


async def advance_clock(billing: Billing, command: AdvanceClock) -> ClockAdvanced:
    """Raises Forbidden in the live environment, InvalidRequest for a moment that has passed or is
    too far ahead."""
    target = await anyio.to_thread.run_sync(_target, billing, command)
    ran: Counter[str] = Counter()
    idle = 0
    while (step := await anyio.to_thread.run_sync(_step, billing, target)).due:
        done = {work.kind: await work.run_due(billing, billing.tenant.id) for work in step.due}
        ran.update(done)
        # Another process may have been faster, now and then; work that stays due is a fault of it.
        idle = 0 if any(done.values()) else idle + 1
        if idle > IDLE_MAX:
            raise InternalError(f"{', '.join(done)} due at {step.moment} cannot be done")
    reached = await anyio.to_thread.run_sync(get_clock, billing, GetClock())
    counts = [WorkDone(kind=kind, count=count) for kind, count in ran.items() if count]
    return ClockAdvanced(**dict(reached), ran=counts)


def _target(billing: Billing, command: AdvanceClock) -> datetime:
    if billing.tenant.environment != "test":
        raise Forbidden(
            "the clock of the live environment is real time", hint="Use a key of test data."
        )
    now = billing.now()
    field, target = "to", command.to
    if command.advance_by is not None:
        field = "advance_by"
        try:
            target = later(now, command.advance_by)
        except ValueError as error:
            raise InvalidRequest(field, str(error)) from None
    assert target is not None
    if target < now:
        raise InvalidRequest(field, f"must not be before {now.isoformat()}: time goes on only")
    if target > now + timedelta(days=366 * STEP_YEARS_MAX):
        raise InvalidRequest(field, f"must not be more than {STEP_YEARS_MAX} years at once")
    if target > billing.clock.now() + timedelta(days=366 * YEARS_MAX):
        raise InvalidRequest(field, f"must not be more than {YEARS_MAX} years ahead of real time")
    return target


def _step(billing: Billing, target: datetime) -> _Step:
    """Move the clock to the next moment at which something is due, or else to the target."""
    tenant_id = billing.tenant.id
    with billing.database.read() as session:
        moments = [(work, work.next_due(session, tenant_id)) for work in WORK]
    moment = min([target, *(at for _, at in moments if at is not None)])
    due = [work for work, at in moments if at is not None and at <= moment]
    with billing.database.write() as session:
        clocks.move(session, tenant_id, moment, billing.clock)
    return _Step(moment, due)


def _view(billing: Billing, offset: timedelta) -> ClockView:
    real_now = billing.clock.now()
    return ClockView(
        now=real_now + offset,
        real_now=real_now,
        offset_seconds=Decimal(offset // timedelta(microseconds=1)) / 1_000_000,
        environment=billing.tenant.environment,
    )
