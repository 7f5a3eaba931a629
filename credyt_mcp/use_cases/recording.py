"""The step that all ways of reporting usage share: check costs, hand the events to the lane."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import anyio

from credyt_mcp.clock import DAY, SECOND, to_micros
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.domain.usage import RecordUsage, UsageEvent, UsageRecorded
from credyt_mcp.errors import Conflict, UnknownReference
from credyt_mcp.storage import customers
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.customers import CreateCustomer, add_customer
from credyt_mcp.use_cases.event_costs import stored_costs
from credyt_mcp.use_cases.usage_fields import UsageEventFields

INTERNAL = "internal"
"""External id of the customer that is made on first use, for work that is no customer's."""


async def record(
    billing: Billing,
    ref: CustomerRef,
    given: Sequence[UsageEventFields],
    *,
    enforce: bool = False,
) -> UsageRecorded:
    """Bill `given`, all or none. Errors name fields under `events[i]`."""
    internal = INTERNAL in (ref.id, ref.external_id)
    costs = await stored_costs(billing, given, internal=internal)
    depends: Sequence[tuple[int, ...]] = [()] * len(given)
    if any(event.depends_on for event in given):
        depends = await anyio.to_thread.run_sync(_depends_on, billing, given)
    prepared = tuple(
        UsageEvent(
            id=event.id,
            event_type=event.event_type,
            occurred_at=None if event.occurred_at is None else to_micros(event.occurred_at),
            subject=event.subject,
            user_id=event.user_id,
            description=event.description,
            data=event.data,
            costs=cost,
            authorization_id=event.authorization_id,
            final=event.final,
            depends_on=others,
        )
        for event, cost, others in zip(given, costs, depends, strict=True)
    )
    settings = billing.settings
    command = RecordUsage(
        ref,
        prepared,
        max_age=settings.event_max_age_days * DAY,
        max_ahead=settings.event_max_ahead_seconds * SECOND,
        enforce=enforce,
    )
    try:
        recorded: UsageRecorded = await billing.lane.submit(command)
    except UnknownReference:
        if not internal:
            raise
        await anyio.to_thread.run_sync(add_internal, billing)
        recorded = await billing.lane.submit(command)
    return recorded


def add_internal(billing: Billing) -> None:
    """The customer of what is done for nobody in particular, unless there is one."""
    row = CreateCustomer(external_id=INTERNAL, name="Internal")
    with suppress(Conflict), billing.database.write() as session:
        if customers.find(session, billing.tenant.id, INTERNAL) is None:
            add_customer(session, billing, row)


def _depends_on(billing: Billing, given: Sequence[UsageEventFields]) -> list[tuple[int, ...]]:
    """Row ids of the customers whose data went into each event. Raises UnknownReference."""
    found: dict[str, int] = {}
    with billing.database.read() as session:
        for place, event in enumerate(given):
            for index, name in enumerate(event.depends_on or ()):
                row = customers.find(session, billing.tenant.id, name)
                if row is None:
                    path = f"events[{place}].depends_on[{index}]"
                    raise UnknownReference(path, f"there is no customer '{name}'")
                found[name] = row.id
    return [tuple(dict.fromkeys(found[name] for name in event.depends_on or ())) for event in given]
