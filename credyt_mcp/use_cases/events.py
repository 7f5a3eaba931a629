"""Usage events: submit and bill them exactly once, and read them back with their fees."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any

import anyio
from pydantic import Field

from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.domain.fees import StoredFee
from credyt_mcp.domain.money import from_units
from credyt_mcp.domain.usage import EventOutcome, UsageRecorded
from credyt_mcp.errors import InvalidRequest, NotFound, TooMany
from credyt_mcp.ids import client_id_of
from credyt_mcp.storage import events, shared_costs, unpriced
from credyt_mcp.storage.ledger_tables import EventRow
from credyt_mcp.storage.tables import CustomerRow
from credyt_mcp.use_cases.context import (
    Billing,
    Command,
    Number,
    PageOf,
    Result,
)
from credyt_mcp.use_cases.event_views import (
    EventFee,
    StoredCost,
    fees_of,
    stats_of,
    stored_cost,
)
from credyt_mcp.use_cases.profits import Profitability
from credyt_mcp.use_cases.recording import record
from credyt_mcp.use_cases.usage_fields import Data, UsageEventFields

EVENTS_MAX = 1000

Enforce = Annotated[
    bool, Field(description="refuse, and record nothing, if the wallet does not cover it")
]
CustomerId = Annotated[str, Field(description="customer id, or your external id")]


class SubmitEvents(Command):
    """Bill several usage events of one customer, all or none (at most 1,000). An id is billed
    once, however often it is sent."""

    customer_id: Annotated[str | None, Field(description="customer id, or your external id")] = None
    customer_external_id: str | None = None
    events: Annotated[
        list[UsageEventFields], Field(description='as record_event: [{"id","event_type","data"}]')
    ]
    authorization_id: Annotated[
        str | None, Field(description="authorization that all events capture")
    ] = None
    enforce: Enforce = False


class RecordEvent(UsageEventFields):
    """Record one thing that happened and debit the customer's wallet at once. Answers the fees,
    the new balances, and whether the id was known already (then nothing was billed). Usage is
    billed in full even if the balance turns negative."""

    customer_id: CustomerId
    enforce: Enforce = False


class GetEvent(Command):
    """One event with its fees, by the id you gave it."""

    event_id: Annotated[str, Field(description="the id you gave the event")]


class EventPageOf(PageOf):
    limit: Annotated[int, Field(ge=1, le=1000)] = 20
    event_id: str | None = None
    customer_id: str | None = None
    customer_external_id: str | None = None
    subject: str | None = None
    user_id: str | None = None
    period_from: date | None = None
    period_to: Annotated[date | None, Field(description="inclusive")] = None
    event_types: Annotated[str | None, Field(description="separated by commas")] = None
    has_fees: bool | None = None


class AcceptedEvent(Result):
    id: str
    duplicate: bool
    warnings: list[str] | None = None


class EventsAccepted(Result):
    events: list[AcceptedEvent]
    balances: dict[str, Number]


class CapturedHold(Result):
    """The authorization that the event captured: `exceeded` when it cost more than was held,
    `late` when the hold had expired. It was billed in full either way."""

    id: str
    status: str
    exceeded: bool
    late: bool


class EventRecorded(Result):
    event_id: str
    duplicate: bool
    authorization: CapturedHold | None = None
    fees: list[EventFee]
    balances: Annotated[dict[str, Number], Field(description="account id → available")]
    warnings: list[str]


class EventDetails(Result):
    id: str
    event_type: str
    occurred_at: datetime
    subject: str | None = None
    user_id: str | None = None
    description: str | None = None
    data: Data | None = None
    costs: list[StoredCost] | None = None
    depends_on: list[str] | None = None
    customer_id: str
    created_at: datetime
    fees: list[EventFee]
    stats: Profitability | None = None


class ListedEvent(Result):
    id: str
    customer_id: str
    external_id: str | None
    event_type: str
    subject: str | None = None
    user_id: str | None = None
    description: str | None = None
    occurred_at: datetime
    created_at: datetime
    total_fees: Number | None = None
    fee_currency: str | None = None
    has_fees: bool
    stats: Profitability | None = None


class EventPage(Result):
    items: list[ListedEvent]
    total_count: int
    limit: int
    offset: int


async def submit_events(billing: Billing, command: SubmitEvents) -> EventsAccepted:
    """Bill a batch.

    Raises TooMany, UnknownReference (customer, vendor), OutsideWindow, IdReused, InvalidRequest
    (a volume that is no number); in each case nothing is recorded.
    """
    if len(command.events) > EVENTS_MAX:
        raise TooMany("events", f"must be at most {EVENTS_MAX} in one request")
    if command.customer_id is None and command.customer_external_id is None:
        raise InvalidRequest("customer_id", "is required, or customer_external_id")
    ref = CustomerRef(
        billing.tenant.id,
        command.customer_id,
        command.customer_external_id if command.customer_id is None else command.customer_id,
    )
    events_given = [
        event
        if event.authorization_id or not command.authorization_id
        else event.model_copy(update={"authorization_id": command.authorization_id})
        for event in command.events
    ]
    recorded = await record(billing, ref, events_given, enforce=command.enforce)
    accepted = [
        AcceptedEvent(
            id=event.id, duplicate=outcome.duplicate, warnings=list(outcome.warnings) or None
        )
        for event, outcome in zip(command.events, recorded.outcomes, strict=True)
    ]
    return EventsAccepted(events=accepted, balances=_balances(recorded))


async def record_event(billing: Billing, command: RecordEvent) -> EventRecorded:
    """Bill one event; raises as `submit_events` does."""
    ref = CustomerRef(billing.tenant.id, command.customer_id, command.customer_id)
    try:
        recorded = await record(billing, ref, [command], enforce=command.enforce)
    except InvalidRequest as error:
        raise error.renamed("", without="events[0].") from None
    outcome: EventOutcome = recorded.outcomes[0]
    fees = outcome.event.fees or []
    if billing.prices.has(StoredFee(*fee).price for fee in fees):
        described = fees_of(billing, outcome.event.id, fees)
    else:
        described = await anyio.to_thread.run_sync(fees_of, billing, outcome.event.id, fees)
    return EventRecorded(
        event_id=command.id,
        duplicate=outcome.duplicate,
        fees=described,
        balances=_balances(recorded),
        warnings=outcome.warnings,
        authorization=_captured(outcome),
    )


def get_event(billing: Billing, command: GetEvent) -> EventDetails:
    with billing.database.read() as session:
        found = events.get(session, billing.tenant.id, command.event_id)
        if found is None:
            raise NotFound(f"there is no event '{command.event_id}'")
        event, customer = found
        late = unpriced.late_costs(session, [event.id]).get(event.id, [])
        costs = [*(event.costs or ()), *late]
        ruled = [cost["id"] for cost in costs if "rule" in cost]
        settled = shared_costs.allocations(session, event.tenant_id, ruled)
        others = shared_costs.depends_on(session, event.tenant_id, event.id)
    return EventDetails(
        id=command.event_id,
        event_type=event.event_type,
        occurred_at=event.occurred_at,
        subject=event.subject,
        user_id=event.user_id,
        description=event.description,
        data=event.data,
        costs=[stored_cost(cost, settled) for cost in costs] or None,
        depends_on=[one.external_id or one.public_id for one in others] or None,
        customer_id=customer.public_id,
        created_at=event.recorded_at,
        fees=fees_of(billing, event.id, event.fees or []),
        stats=stats_of(billing, event, late),
    )


def list_events(billing: Billing, command: EventPageOf) -> EventPage:
    """Events newest first; dates are UTC days, both included."""
    wanted = events.EventFilter(
        event_id=command.event_id,
        customer_id=command.customer_id,
        customer_external_id=command.customer_external_id,
        subject=command.subject,
        user_id=command.user_id,
        event_types=command.event_types.split(",") if command.event_types else (),
        has_fees=command.has_fees,
        occurred_from=_midnight(command.period_from) if command.period_from else None,
        occurred_before=(
            _midnight(command.period_to) + timedelta(days=1) if command.period_to else None
        ),
    )
    with billing.database.read() as session:
        rows, total = events.page(session, billing.tenant.id, wanted, command.offset, command.limit)
        late = unpriced.late_costs(session, [event.id for event, _ in rows if event.costs])
    items = [_listed(billing, event, customer, late.get(event.id, [])) for event, customer in rows]
    return EventPage(items=items, total_count=total, limit=command.limit, offset=command.offset)


def _captured(outcome: EventOutcome) -> CapturedHold | None:
    if outcome.captured is None:
        return None
    hold = outcome.captured.authorization
    return CapturedHold(
        id=hold.client_id, status=hold.status, exceeded=hold.exceeded, late=hold.late
    )


def _balances(recorded: UsageRecorded) -> dict[str, Decimal]:
    return {label: from_units(units, asset) for label, asset, units in recorded.available}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)


def _listed(
    billing: Billing, event: EventRow, customer: CustomerRow, late: list[Any]
) -> ListedEvent:
    fees = fees_of(billing, event.id, event.fees or [])
    assets = {fee.currency for fee in fees}
    return ListedEvent(
        id=client_id_of(event.key, event.client_id),
        customer_id=customer.public_id,
        external_id=customer.external_id,
        event_type=event.event_type,
        subject=event.subject,
        user_id=event.user_id,
        description=event.description,
        occurred_at=event.occurred_at,
        created_at=event.recorded_at,
        total_fees=sum((fee.amount for fee in fees), Decimal(0)) if len(assets) == 1 else None,
        fee_currency=assets.pop() if len(assets) == 1 else None,
        has_fees=bool(fees),
        stats=stats_of(billing, event, late),
    )
