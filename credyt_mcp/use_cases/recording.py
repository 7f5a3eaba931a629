"""The step that all ways of reporting usage share: check costs, hand the events to the lane."""

from __future__ import annotations

from collections.abc import Sequence

from credyt_mcp.clock import DAY, SECOND, to_micros
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.domain.usage import RecordUsage, UsageEvent, UsageRecorded
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.event_costs import stored_costs
from credyt_mcp.use_cases.usage_fields import UsageEventFields


async def record(
    billing: Billing,
    ref: CustomerRef,
    given: Sequence[UsageEventFields],
    *,
    enforce: bool = False,
) -> UsageRecorded:
    """Bill `given`, all or none. Errors name fields under `events[i]`."""
    costs = await stored_costs(billing, given)
    prepared = tuple(
        UsageEvent(
            id=event.id,
            event_type=event.event_type,
            occurred_at=None if event.occurred_at is None else to_micros(event.occurred_at),
            subject=event.subject,
            description=event.description,
            data=event.data,
            costs=cost,
            authorization_id=event.authorization_id,
            final=event.final,
        )
        for event, cost in zip(given, costs, strict=True)
    )
    settings = billing.settings
    command = RecordUsage(
        ref,
        prepared,
        max_age=settings.event_max_age_days * DAY,
        max_ahead=settings.event_max_ahead_seconds * SECOND,
        enforce=enforce,
    )
    recorded: UsageRecorded = await billing.lane.submit(command)
    return recorded
