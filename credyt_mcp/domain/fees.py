"""What usage costs its customer: priced by the versions in force, and debited. Pure.

The first listed asset that covers a fee pays it; if none does, the first listed is overdrawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from credyt_mcp import ids
from credyt_mcp.clock import from_micros
from credyt_mcp.domain.book import Authorization, Book, Customer, Event
from credyt_mcp.domain.compiled_prices import UsagePrice
from credyt_mcp.domain.earnings import (
    face_value,
    next_basis,
    split_earned,
    unless_face_value,
    worth,
)
from credyt_mcp.domain.grants import DEFAULT_PRIORITY, Grant
from credyt_mcp.domain.ledger import Account, move
from credyt_mcp.domain.margins import Earned
from credyt_mcp.domain.metering import Metered, meter
from credyt_mcp.domain.pricing import NO_COUNTS, Counts, FeeOption, Unpriced, quote

if TYPE_CHECKING:
    from credyt_mcp.domain.usage import UsageEvent


class StoredFee(NamedTuple):
    """A fee inside an event row. The price is immutable, so where in it the fee came from is
    enough to tell the rest; `price` is the database's id, `amount` ledger units of `asset`.
    What it `earned` is left out when that is just the amount."""

    price: int
    asset: str
    amount: int
    volume: Any
    entry: int
    value: int
    earned: Earned | None = None

    @property
    def revenue(self) -> Earned:
        return face_value(self.asset, self.amount, self.earned)


def no_price_warning(event_type: str, known: Iterable[str]) -> str:
    types = ", ".join(f"'{name}'" for name in sorted(set(known))) or "none"
    return (
        f"No price matches event type '{event_type}', so it made no fee; event types with a price "
        f"here: {types}."
    )


class Priced(NamedTuple):
    """What an event costs: its fees and whose they are, what each account owes for them, the
    counts it moves."""

    fees: list[tuple[Account, StoredFee]]
    owed: dict[Account, int]
    counts: dict[bytes, Counts]
    warnings: list[str]

    @property
    def stored(self) -> list[StoredFee]:
        return [fee for _, fee in self.fees]


def estimate(
    book: Book, customer: Customer, event: UsageEvent
) -> tuple[dict[Account, int], list[str]]:
    """What recording the event now would take from each account, and what would make no fee."""
    priced = price_event(book, customer, event, None)
    return {account: max(0, units) for account, units in priced.owed.items()}, priced.warnings


def metered(book: Book, customer: Customer, event: UsageEvent) -> list[Metered]:
    """The event's usage by each price in force, worked out once a batch unless the versions
    change. Raises InvalidRequest for an unusable volume."""
    versions, usages = book.metered.get(event, (None, []))
    if versions is not customer.versions:
        versions = customer.versions
        usages = meter(versions, event.event_type, event.moment(book), event.data or {})
        book.metered[event] = versions, usages
    return usages


def price_event(
    book: Book, customer: Customer, event: UsageEvent, held: Authorization | None
) -> Priced:
    """Price an event by every price in force; assets that `held` has set aside are charged first.

    Changes nothing but opens missing accounts at zero.
    """
    reserved = {leg.account for leg in held.legs} if held is not None else set()
    priced = price_usages(book, customer, metered(book, customer, event), reserved)
    if not priced.fees and not priced.warnings:
        types = _priced_types(customer, event.moment(book))
        priced.warnings.append(no_price_warning(event.event_type, types))
    return priced


def price_usages(
    book: Book, customer: Customer, usages: Iterable[Metered], reserved: set[Account]
) -> Priced:
    """The same of usage that is metered already; assets of `reserved` accounts come first."""
    priced = Priced([], {}, {}, [])
    for price, usage, count_key in usages:
        if isinstance(usage, Unpriced):
            priced.warnings.append(usage.warning)
            continue
        before = NO_COUNTS
        if count_key is not None:
            before = priced.counts.get(count_key) or customer.counts.get(count_key, NO_COUNTS)
        options, after = quote(price, usage, before)
        if count_key is not None and after is not None:
            priced.counts[count_key] = after
        account, option = _choose(book, customer, price, options, priced.owed, reserved)
        priced.owed[account] = priced.owed.get(account, 0) + option.amount
        volume, entry, value = usage.input_volume, option.entry, option.value
        fee = StoredFee(price.key, option.asset.code, option.amount, volume, entry, value)
        priced.fees.append((account, fee))
    return priced


def _choose(
    book: Book,
    customer: Customer,
    price: UsagePrice,
    options: tuple[FeeOption, ...],
    owed: dict[Account, int],
    reserved: set[Account],
) -> tuple[Account, FeeOption]:
    """The first listed asset that can cover the fee, of those held if any; if none can, the first
    listed.

    Nothing, or what a cheaper bulk tier pays back, needs no cover.
    """
    candidates = [
        (book.wallet_account(customer, price.account_name, option.asset), option)
        for option in options
    ]
    candidates = [pair for pair in candidates if pair[0] in reserved] or candidates
    for account, option in candidates:
        if option.amount <= max(0, account.available - owed.get(account, 0)):
            return account, option
    return candidates[0]


def bill(book: Book, customer: Customer, priced: Priced, row: Event) -> list[StoredFee]:
    """Put the fees into `row` with what they earn, move the counts, and debit the wallet."""
    fees = _with_earnings(book, priced)
    row.fees = [list(fee if fee.earned is not None else fee[:-1]) for fee in fees] or None
    for key, count in priced.counts.items():
        book.set_count(customer, key, count)
    for account, units in priced.owed.items():
        _post_fee(book, row, account, units)
    return fees


def _with_earnings(book: Book, priced: Priced) -> list[StoredFee]:
    """The fees of each account share what its debit earns."""
    fees = priced.stored
    for account, units in priced.owed.items():
        earned = worth(account, units, book.find_rate)
        if earned is None:
            continue
        own = [index for index, (of, _) in enumerate(priced.fees) if of is account]
        parts = split_earned(earned, [fees[index].amount for index in own])
        for index, part in zip(own, parts, strict=True):
            fee = fees[index]
            stored = unless_face_value(fee.asset, fee.amount, part)
            fees[index] = fee._replace(earned=stored)
    return fees


def tell_of_no_fee(book: Book, customer: Customer, event: UsageEvent, warnings: list[str]) -> None:
    """Once a day for each type of a customer's events: a busy app has many of one kind."""
    today = str(from_micros(book.now).date())
    once = ids.text_key("event.unmatched", str(customer.id), event.event_type, today)
    details = {"event_id": event.id, "event_type": event.event_type, "reason": warnings[0]}
    book.notice(
        "event.unmatched",
        customer.tenant_id,
        customer.id,
        details,
        at=event.moment(book),
        once=once,
    )


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
        basis=next_basis(account, book.find_rate),
    )
    row.entries += [book.credit(account, grant), move(revenue, units)]
    row.grants.append((account, grant))


def _priced_types(customer: Customer, occurred_at: int) -> Iterator[str]:
    for subscribed in customer.versions:
        if subscribed.from_at <= occurred_at:
            yield from (price.event_type for price in subscribed.rate_card.prices)
