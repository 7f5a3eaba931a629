"""Recording usage: match prices, count, choose the asset, debit, exactly once. Pure.

Usage that happened is never dropped for lack of funds: it is billed in full and the balance may
turn negative. A request's events go through together or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from credyt_mcp import ids
from credyt_mcp.clock import from_micros
from credyt_mcp.domain.book import Authorization, Book, Customer, CustomerRef, Event
from credyt_mcp.domain.budgets import Who, cost_items, must_fit, spend, sums_by_code, usage_items
from credyt_mcp.domain.earnings import book_usage
from credyt_mcp.domain.fees import bill, price_event, tell_of_no_fee
from credyt_mcp.domain.holds import Authorized, begin_capture, end_capture, must_cover
from credyt_mcp.domain.money import Asset
from credyt_mcp.errors import IdReused, InvalidRequest, OutsideWindow, UnknownReference


@dataclass(eq=False, slots=True)
class UsageEvent:
    """One thing that happened in the app, under the app's own id for it; `key` stands for that id
    in an index. Never changed once made."""

    id: str
    event_type: str
    occurred_at: int | None
    """None: the moment at which it is booked."""

    subject: str | None = None
    user_id: str | None = None
    description: str | None = None
    data: dict[str, Any] | None = None
    costs: list[Any] | None = None
    authorization_id: str | None = None
    final: bool = True
    depends_on: tuple[int, ...] = ()
    """Customers (row ids) whose data went into it."""

    key: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.key = ids.client_key(self.id)

    def moment(self, book: Book) -> int:
        return book.now if self.occurred_at is None else self.occurred_at


class EventOutcome(NamedTuple):
    event: Event
    duplicate: bool
    warnings: list[str]
    captured: Authorized | None = None


class Available(NamedTuple):
    """What could be spent of an account, in units of its asset."""

    label: str
    asset: Asset
    units: int


class UsageRecorded(NamedTuple):
    """What became of each event, and what was available when all were recorded."""

    outcomes: list[EventOutcome]
    available: list[Available]


@dataclass(frozen=True)
class RecordUsage:
    """Bill events of one customer, at most `max_age` old and `max_ahead` in the future
    (microseconds).

    With `enforce`, and always in an account with a hard limit, usage that the wallet does not
    cover is refused. An event that names an authorization captures it.
    """

    ref: CustomerRef
    events: tuple[UsageEvent, ...]
    max_age: int
    max_ahead: int
    enforce: bool = False

    @property
    def keys(self) -> list[tuple[int, bytes]]:
        return [(self.ref.tenant_id, event.key) for event in self.events]

    @property
    def authorization_keys(self) -> list[tuple[int, bytes]]:
        named = [event.authorization_id for event in self.events if event.authorization_id]
        return [(self.ref.tenant_id, ids.client_key(name)) for name in named]

    @property
    def priced_events(self) -> tuple[UsageEvent, ...]:
        return self.events

    @property
    def spenders(self) -> list[tuple[str | None, str | None]]:
        return [(event.user_id, event.subject) for event in self.events]

    def decide(self, book: Book) -> UsageRecorded:
        customer = book.customer(self.ref)
        last_use = {event.authorization_id: index for index, event in enumerate(self.events)}
        outcomes = []
        for index, event in enumerate(self.events):
            final = event.final and index == last_use[event.authorization_id]
            try:
                outcomes.append(self._record(book, customer, event, final))
            except InvalidRequest as error:
                raise error.renamed(f"events[{index}].") from None
        accounts = customer.accounts.values()
        available = [Available(one.label, one.asset, one.available) for one in accounts]
        return UsageRecorded(outcomes, available)

    def _record(
        self, book: Book, customer: Customer, event: UsageEvent, final: bool
    ) -> EventOutcome:
        known = book.events.get((customer.tenant_id, event.key))
        if known is not None:
            # occurred_at may differ: a client that stamps each try anew still means one event.
            same = (known.customer_id, known.event_type, known.data or {}) == (
                customer.id,
                event.event_type,
                event.data or {},
            )
            if not same:
                raise IdReused(f"event id '{event.id}' was already used for other usage")
            return EventOutcome(known, duplicate=True, warnings=[])
        occurred_at = event.moment(book)
        self._check_window(event, occurred_at, book.now)
        captured = self._authorization(book, customer, event)
        row = _row_of(book, customer, event, captured)
        if captured is not None:
            begin_capture(book, captured)
        priced = price_event(book, customer, event, captured)
        if customer.has_budgets and self.enforce and (captured is None or captured.late):
            must_fit(book, Who.of(row), usage_items(priced.stored, event.costs, occurred_at))
        for account, units in priced.owed.items():
            if units > 0 and (self.enforce or account.hard_limit):
                must_cover(account, units)
        fees = bill(book, customer, priced, row)
        book.record(row)
        if not priced.fees:
            tell_of_no_fee(book, customer, event, priced.warnings)
        book_usage(book, row, [(fee.price, fee.revenue) for fee in fees], priced.warnings)
        if event.depends_on:
            book.tallies.pools.depend(row, event.depends_on)
        if customer.has_budgets:
            spend(book, Who.of(row), usage_items(fees, row.costs, occurred_at))
        if captured is not None:
            costs = sums_by_code(cost_items(row.costs, 0)) if captured.costs else None
            end_capture(book, captured, priced.owed, final=final, costs=costs)
            done = Authorized(captured, customer, warnings=priced.warnings)
            return EventOutcome(row, False, priced.warnings, done)
        return EventOutcome(row, False, priced.warnings)

    def _authorization(
        self, book: Book, customer: Customer, event: UsageEvent
    ) -> Authorization | None:
        """Raises UnknownReference for one that is not this customer's."""
        if event.authorization_id is None:
            return None
        key = ids.client_key(event.authorization_id)
        found = book.authorizations.get((customer.tenant_id, key))
        if found is None or found.customer_id != customer.id:
            raise UnknownReference(
                "authorization_id",
                f"the customer has no authorization '{event.authorization_id}'",
                hint="Send the event without it; it is billed all the same.",
            )
        return found

    def _check_window(self, event: UsageEvent, occurred_at: int, now: int) -> None:
        oldest, newest = now - self.max_age, now + self.max_ahead
        requested = [cost["booked_at"] for cost in event.costs or () if "booked_at" in cost]
        moments = [
            ("occurred_at", occurred_at),
            *(("llm_usage.requested_at", at) for at in requested),
        ]
        for name, moment in moments:
            if moment < oldest:
                limit = from_micros(oldest).isoformat(timespec="seconds")
                raise OutsideWindow(name, f"must not be before {limit}")
            if moment > newest:
                limit = from_micros(newest).isoformat(timespec="seconds")
                raise OutsideWindow(name, f"must not be after {limit}")


def _row_of(
    book: Book, customer: Customer, event: UsageEvent, captured: Authorization | None
) -> Event:
    """Without fees yet. An event that names no end user or task is of those of its hold."""
    user_id, subject = event.user_id, event.subject
    if captured is not None:
        user_id, subject = user_id or captured.user_id, subject or captured.subject
    return Event(
        tenant_id=customer.tenant_id,
        key=event.key,
        client_id=None if ids.is_uuid_key(event.id) else event.id,
        customer_id=customer.id,
        event_type=event.event_type,
        occurred_at=event.moment(book),
        recorded_at=book.now,
        subject=subject,
        user_id=user_id,
        description=event.description,
        data=event.data,
        fees=None,
        costs=event.costs,
    )
