"""Recording usage: match prices, count, choose the asset, debit, exactly once. Pure.

Usage that happened is never dropped for lack of funds: it is billed in full and the balance may
turn negative. A request's events go through together or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from credyt_mcp import ids
from credyt_mcp.clock import from_micros, to_micros
from credyt_mcp.domain.book import Book, Count, Customer, CustomerRef, Event, RateCard
from credyt_mcp.domain.compiled_prices import UsagePrice
from credyt_mcp.domain.grants import DEFAULT_PRIORITY, Grant
from credyt_mcp.domain.ledger import Account, move
from credyt_mcp.domain.metering import matching
from credyt_mcp.domain.pricing import (
    NO_COUNTS,
    CounterKey,
    Counts,
    FeeOption,
    Unpriced,
    Usage,
    counter_key,
    measure,
    quote,
)
from credyt_mcp.errors import IdReused, InvalidRequest, OutsideWindow


class StoredFee(NamedTuple):
    """A fee inside an event row. The price is immutable, so where in it the fee came from is
    enough to tell the rest; `price` is the database's id, `amount` ledger units of `asset`."""

    price: int
    asset: str
    amount: int
    volume: Any
    entry: int
    value: int


@dataclass(frozen=True)
class UsageEvent:
    """One thing that happened in the app, under the app's own id for it."""

    id: str
    event_type: str
    occurred_at: int
    subject: str | None = None
    description: str | None = None
    data: dict[str, Any] | None = None
    costs: list[Any] | None = None


@dataclass(frozen=True)
class EventOutcome:
    event: Event
    duplicate: bool
    warnings: list[str]


@dataclass(frozen=True)
class UsageRecorded:
    customer: Customer
    outcomes: list[EventOutcome]


@dataclass(frozen=True)
class RecordUsage:
    """Bill events of one customer; `occurred_at` must lie in [oldest, newest] (microseconds)."""

    ref: CustomerRef
    events: tuple[UsageEvent, ...]
    oldest: int
    newest: int

    @property
    def keys(self) -> list[tuple[int, bytes]]:
        return [(self.ref.tenant_id, ids.client_key(event.id)) for event in self.events]

    def counter_keys(self, customer: Customer) -> Iterator[bytes]:
        """The running counts that pricing these events will need."""
        for event in self.events:
            for card, price in prices_in_force(customer, event):
                if price.period is None:
                    continue
                try:
                    usage = measure(price, event.data or {})
                except InvalidRequest:
                    continue  # `decide` refuses it
                if isinstance(usage, Usage):
                    key = counter_key(price, usage, from_micros(event.occurred_at))
                    if key is not None:
                        yield _count_key(card, key)

    def decide(self, book: Book) -> UsageRecorded:
        customer = book.customer(self.ref)
        outcomes = []
        for index, event in enumerate(self.events):
            try:
                outcomes.append(self._record(book, customer, event))
            except InvalidRequest as error:
                raise error.renamed(f"events[{index}].") from None
        return UsageRecorded(customer, outcomes)

    def _record(self, book: Book, customer: Customer, event: UsageEvent) -> EventOutcome:
        key = ids.client_key(event.id)
        known = book.events.get((customer.tenant_id, key))
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
        self._check_window(event)
        row = Event(
            tenant_id=customer.tenant_id,
            key=key,
            client_id=None if ids.is_uuid_key(event.id) else event.id,
            customer_id=customer.id,
            event_type=event.event_type,
            occurred_at=event.occurred_at,
            recorded_at=book.now,
            subject=event.subject,
            description=event.description,
            data=event.data,
            fees=None,
            costs=event.costs,
        )
        warnings = _bill(book, customer, event, row)
        book.record(row)
        return EventOutcome(row, duplicate=False, warnings=warnings)

    def _check_window(self, event: UsageEvent) -> None:
        if event.occurred_at < self.oldest:
            limit = from_micros(self.oldest).isoformat(timespec="seconds")
            raise OutsideWindow("occurred_at", f"must not be before {limit}")
        if event.occurred_at > self.newest:
            limit = from_micros(self.newest).isoformat(timespec="seconds")
            raise OutsideWindow("occurred_at", f"must not be after {limit}")


def prices_in_force(customer: Customer, event: UsageEvent) -> Iterator[tuple[RateCard, UsagePrice]]:
    """Usage prices for the event's type, of the versions in force when it occurred."""
    for subscribed in customer.versions:
        starts, ends = subscribed.from_at, subscribed.until_at
        if starts <= event.occurred_at and (ends is None or event.occurred_at < ends):
            for price in matching(subscribed.rate_card.prices, event.event_type):
                yield subscribed.rate_card, price


def no_price_warning(event_type: str, known: Iterable[str]) -> str:
    types = ", ".join(f"'{name}'" for name in sorted(set(known))) or "none"
    return (
        f"No price matches event type '{event_type}', so it made no fee; event types with a price "
        f"here: {types}."
    )


def _bill(book: Book, customer: Customer, event: UsageEvent, row: Event) -> list[str]:
    """Price the event into `row` and debit the wallet; answers what made no fee, and why."""
    warnings: list[str] = []
    fees: list[StoredFee] = []
    owed: dict[Account, int] = {}
    for card, price in prices_in_force(customer, event):
        usage = measure(price, event.data or {})
        if isinstance(usage, Unpriced):
            warnings.append(usage.warning)
            continue
        options = _count_and_quote(book, customer, card, price, usage, event)
        account, option = _choose(book, customer, price, options, owed)
        owed[account] = owed.get(account, 0) + option.amount
        fees.append(
            StoredFee(
                price.key,
                option.asset.code,
                option.amount,
                usage.input_volume,
                option.entry,
                option.value,
            )
        )
    if not fees and not warnings:
        warnings.append(no_price_warning(event.event_type, _priced_types(customer, event)))
    row.fees = [list(fee) for fee in fees] or None
    for account, units in owed.items():
        _post_fee(book, row, account, units)
    return warnings


def _count_and_quote(
    book: Book,
    customer: Customer,
    card: RateCard,
    price: UsagePrice,
    usage: Usage,
    event: UsageEvent,
) -> tuple[FeeOption, ...]:
    counter = counter_key(price, usage, from_micros(event.occurred_at))
    if counter is None:
        return quote(price, usage).options
    key = _count_key(card, counter)
    count = customer.counts.get(key)
    quoted = quote(price, usage, NO_COUNTS if count is None else Counts(*count))
    if quoted.after is not None:
        book.set_count(customer, key, Count(*quoted.after))
    return quoted.options


def _choose(
    book: Book,
    customer: Customer,
    price: UsagePrice,
    options: tuple[FeeOption, ...],
    owed: dict[Account, int],
) -> tuple[Account, FeeOption]:
    """The first listed asset that can cover the fee; if none can, the first listed.

    Nothing, or what a cheaper bulk tier pays back, needs no cover.
    """
    candidates = [
        (book.wallet_account(customer, price.account_name, option.asset), option)
        for option in options
    ]
    for account, option in candidates:
        if option.amount <= max(0, account.balance - owed.get(account, 0)):
            return account, option
    return candidates[0]


def _post_fee(book: Book, row: Event, account: Account, units: int) -> None:
    if not units:
        return
    revenue = book.business_account(row.tenant_id, "revenue", account.asset)
    if units > 0:
        row.entries += [book.debit(account, units), move(revenue, units)]
        return
    # Crossing into a cheaper bulk tier pays back part of earlier fees of the period.
    grant = Grant(
        id=None,
        purpose="adjustment",
        source="fee_credit",
        priority=DEFAULT_PRIORITY,
        amount=-units,
        remaining=-units,
        effective_at=book.now,
        expires_at=None,
    )
    row.entries += [book.credit(account, grant), move(revenue, units)]
    row.grants.append((account, grant))


def _priced_types(customer: Customer, event: UsageEvent) -> Iterator[str]:
    for subscribed in customer.versions:
        if subscribed.from_at <= event.occurred_at:
            yield from (price.event_type for price in subscribed.rate_card.prices)


def _count_key(card: RateCard, counter: CounterKey) -> bytes:
    """A running count belongs to the price's name within its product, so versions share it."""
    return ids.text_key(
        str(card.product_id),
        counter.price_name,
        counter.dimensions,
        str(to_micros(counter.period_start)),
    )
