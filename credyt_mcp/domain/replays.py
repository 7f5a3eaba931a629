"""A wallet's recorded life once more, with other prices: the rules are billing's own. Pure.

What happened is walked in the order in which it was billed. Credit and debits that are no usage
come as they came, only that a charge earns what the credit is worth that it now finds. Events of
the stretch are priced anew, all others cost what they cost; every event counts, as if the prices
had always been these. Nothing is held: what authorizations had set aside is taken for available.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from credyt_mcp.domain.book import Book, Customer, Event, RateCard, SubscribedVersion
from credyt_mcp.domain.earnings import face_value, worth
from credyt_mcp.domain.fees import Priced, StoredFee, bill, price_usages
from credyt_mcp.domain.grants import Basis, Grant
from credyt_mcp.domain.ledger import Account
from credyt_mcp.domain.margins import Earned, vendor_costs
from credyt_mcp.domain.metering import Metered, meter
from credyt_mcp.domain.money import Asset
from credyt_mcp.domain.pricing import NO_COUNTS, Counts, Unpriced
from credyt_mcp.domain.shared_costs import EVENT_TYPE
from credyt_mcp.domain.upkeep import bring_up_to_date
from credyt_mcp.errors import InvalidRequest

ALWAYS = -(2**62)
"""Before any moment, in microseconds."""

FindRate = Callable[[Asset, int], Basis | None]
"""What a unit of a custom asset was sold for at a moment."""


class Stretch(NamedTuple):
    """Events that occurred in [from_at, until_at), in microseconds; None is without end."""

    from_at: int | None
    until_at: int | None

    def holds(self, moment: int) -> bool:
        return (self.from_at is None or self.from_at <= moment) and (
            self.until_at is None or moment < self.until_at
        )


class RecordedEvent(NamedTuple):
    """An event as it was billed; `late_costs` are prices that its costs got later."""

    id: int
    event_type: str
    occurred_at: int
    recorded_at: int
    data: dict[str, Any] | None
    fees: Sequence[Any]
    costs: Sequence[dict[str, Any]]
    late_costs: Sequence[dict[str, Any]] = ()


class Movement(NamedTuple):
    """Credit (`grant`), or a debit of `units` that is no usage, of the account with that id. A
    charge or a fee for a subscription `earned` something `executed_at` then."""

    id: int
    account_id: int
    recorded_at: int
    units: int
    grant: Grant | None
    executed_at: int = 0
    earned: Earned | None = None


@dataclass
class Sums:
    """What usage came to: units by asset as `fees`, and what that earned."""

    fees: Earned = field(default_factory=dict)
    revenue: Earned = field(default_factory=dict)

    def add(self, fees: Iterable[StoredFee]) -> None:
        for fee in fees:
            self.fees[fee.asset] = self.fees.get(fee.asset, 0) + fee.amount
            _increase(self.revenue, fee.revenue)

    def join(self, other: Sums) -> None:
        _increase(self.fees, other.fees)
        _increase(self.revenue, other.revenue)


class Dry(NamedTuple):
    """The first fee of the stretch that an account's credit did not cover, and the account's
    lowest balance after one. `event_id` is our row id."""

    account: Account
    event_id: int
    at: int
    lowest: int


@dataclass
class Outcome:
    """One wallet's stretch, or all of them: as billed, and under the other prices (`own` are the
    fees of those prices alone)."""

    events: int = 0
    billed: Sums = field(default_factory=Sums)
    replayed: Sums = field(default_factory=Sums)
    own: Sums = field(default_factory=Sums)
    costs: Earned = field(default_factory=dict)
    unpriced_calls: int = 0
    without_fee: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    dry: dict[str, Dry] = field(default_factory=dict)
    last_event_id: int = 0

    def join(self, other: Outcome) -> None:
        """Add another's, but for who ran dry."""
        self.events += other.events
        self.billed.join(other.billed)
        self.replayed.join(other.replayed)
        self.own.join(other.own)
        self.unpriced_calls += other.unpriced_calls
        _increase(self.costs, other.costs)
        _increase(self.without_fee, other.without_fee)
        _increase(self.refused, other.refused)


def versions_under(
    real: tuple[SubscribedVersion, ...], card: RateCard, *, alone: bool, everyone: bool
) -> tuple[SubscribedVersion, ...]:
    """What a customer's usage is priced by: `card` in place of its product's versions wherever they
    were in force; always, with `everyone`; and nothing else, if `alone`."""
    if everyone or alone:
        others = (one for one in real if one.rate_card.product_id != card.product_id)
        return (*(() if alone else others), SubscribedVersion(card, ALWAYS, None))
    return tuple(
        one._replace(rate_card=card) if one.rate_card.product_id == card.product_id else one
        for one in real
    )


class ReplayedWallet:
    """`customer` has its accounts, empty, and the versions that price it. `account_of` tells the
    wallet account that a recorded fee was taken from by the id of its price."""

    def __init__(
        self,
        customer: Customer,
        stretch: Stretch,
        own_prices: frozenset[int],
        account_of: Callable[[int], str],
        find_asset: Callable[[int, str], Asset | None],
        find_rate: FindRate,
    ) -> None:
        self.outcome = Outcome()
        self._customer = customer
        self._accounts = {account.id: account for account in customer.accounts.values()}
        self._stretch = stretch
        self._own_prices = own_prices
        self._account_of = account_of
        self._book = Book(0, find_asset, lambda _, asset: find_rate(asset, self._book.now))
        self._next_due = 0

    def move(self, movement: Movement) -> None:
        account = self._accounts[movement.account_id]
        self._go_to(movement.recorded_at)
        if movement.grant is None:
            if movement.earned is not None and self._stretch.holds(movement.executed_at):
                # The same charge, but of credit that other usage has left.
                earned = worth(account, movement.units, self._book.find_rate)
                _increase(self.outcome.billed.revenue, movement.earned)
                now = face_value(account.asset.code, movement.units, earned)
                _increase(self.outcome.replayed.revenue, now)
            self._book.debit(account, movement.units)
        elif movement.grant.booked:
            self._book.credit(account, movement.grant)
        else:
            account.grants = [*account.grants, movement.grant]
        self._forget()
        self._next_due = 0

    def use(self, event: RecordedEvent) -> None:
        if event.event_type == EVENT_TYPE:  # nobody used anything
            self._note_costs(event)
            return
        self._go_to(event.recorded_at)
        usages = self._metered(event)
        stored = [StoredFee(*fee) for fee in event.fees]
        inside = self._stretch.holds(event.occurred_at)
        if inside:
            priced = price_usages(self._book, self._customer, usages, set())
        else:
            priced = self._as_billed(stored, usages)
        row = self._row(event)
        fees = bill(self._book, self._customer, priced, row)
        for _, grant in row.grants:
            grant.id = event.id  # of equal grants the older one goes first
        if inside:
            self._note(event, stored, fees, priced)
        self._note_costs(event)
        self._forget()

    def _go_to(self, moment: int) -> None:
        """Time books expiries and credit that takes effect, as it did."""
        self._book.now = moment
        if moment >= self._next_due:
            bring_up_to_date(self._book, self._customer)
            due = [
                grant.expires_at if grant.booked else grant.effective_at
                for account in self._accounts.values()
                for grant in account.grants
                if not grant.booked or grant.expires_at is not None
            ]
            self._next_due = min((at for at in due if at is not None), default=-ALWAYS)

    def _metered(self, event: RecordedEvent) -> list[Metered]:
        try:
            return meter(
                self._customer.versions, event.event_type, event.occurred_at, event.data or {}
            )
        except InvalidRequest:  # usage that these prices would have refused
            if self._stretch.holds(event.occurred_at):
                _increase(self.outcome.refused, {event.event_type: 1})
            return []

    def _as_billed(self, stored: list[StoredFee], usages: Iterable[Metered]) -> Priced:
        """The fees that there were; the usage counts all the same."""
        priced = Priced([], {}, {}, [])
        for fee in stored:
            asset = self._book.find_asset(self._customer.tenant_id, fee.asset)
            assert asset is not None, "fees are in assets that exist"
            name = self._account_of(fee.price)
            account = self._book.wallet_account(self._customer, name, asset)
            priced.owed[account] = priced.owed.get(account, 0) + fee.amount
            priced.fees.append((account, fee))
        for _, usage, key in usages:
            if key is not None and not isinstance(usage, Unpriced):
                before = priced.counts.get(key) or self._customer.counts.get(key, NO_COUNTS)
                units, volume = usage.counts
                priced.counts[key] = Counts(before.units + units, before.volume + volume)
        return priced

    def _note(
        self, event: RecordedEvent, stored: list[StoredFee], fees: list[StoredFee], priced: Priced
    ) -> None:
        outcome = self.outcome
        outcome.events += 1
        outcome.last_event_id = event.id
        outcome.billed.add(stored)
        outcome.replayed.add(fees)
        outcome.own.add(fee for fee in fees if fee.price in self._own_prices)
        if not fees:
            _increase(outcome.without_fee, {event.event_type: 1})
        for account, owed in priced.owed.items():
            if owed > 0 and account.balance < -account.overdraft_limit:
                first = Dry(account, event.id, event.recorded_at, account.balance)
                known = outcome.dry.get(account.label, first)
                lowest = min(known.lowest, account.balance)
                outcome.dry[account.label] = known._replace(lowest=lowest)

    def _note_costs(self, event: RecordedEvent) -> None:
        """On the day that a cost belongs to, which need not be its event's."""
        said = (*event.costs, *event.late_costs)
        for cost, known in zip(vendor_costs(said), said, strict=True):
            if cost.counted and self._stretch.holds(known.get("booked_at", event.occurred_at)):
                self.outcome.unpriced_calls += cost.unpriced
                if cost.units:
                    _increase(self.outcome.costs, {cost.currency: cost.units})

    def _row(self, event: RecordedEvent) -> Event:
        return Event(
            tenant_id=self._customer.tenant_id,
            key=b"",
            client_id=None,
            customer_id=self._customer.id,
            event_type=event.event_type,
            occurred_at=event.occurred_at,
            recorded_at=event.recorded_at,
            subject=None,
            user_id=None,
            description=None,
            data=None,
            fees=None,
            costs=None,
        )

    def _forget(self) -> None:
        """A book for looking: what it would write is thrown away, so that it does not grow."""
        book = self._book
        book.mark()
        for kept in (book.records, book.notices, book.changed, book.transactions):
            kept.clear()
        book.changed_counts.clear()


def _increase(sums: dict[str, int], more: dict[str, int]) -> None:
    for name, units in more.items():
        sums[name] = sums.get(name, 0) + units
