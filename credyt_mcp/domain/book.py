"""The open page of the ledger: what one batch of commands reads and changes, in memory. No SQL.

A command decides on integers here and either goes through whole or leaves no trace: `undo` takes
back everything since the last `mark`. The storage ring loads a book, runs commands on it, and
writes what `changes` lists.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from credyt_mcp.domain import notices
from credyt_mcp.domain.budgets import Budgets, count_hold
from credyt_mcp.domain.compiled_prices import UsagePrice
from credyt_mcp.domain.earnings import FindRate, Tallies, no_rate
from credyt_mcp.domain.grants import Grant, shares
from credyt_mcp.domain.ledger import (
    BUSINESS,
    Account,
    AccountKind,
    Entry,
    Transaction,
    move,
    must_balance,
)
from credyt_mcp.domain.money import Asset, within_range
from credyt_mcp.domain.pricing import Counts
from credyt_mcp.domain.terms import EntitlementTerms, FixedFee
from credyt_mcp.errors import NotFound, UnknownReference

if TYPE_CHECKING:  # they know the book
    from credyt_mcp.domain.auto_top_ups import AutoCharge, Rule
    from credyt_mcp.domain.external_payments import ExternalPayment
    from credyt_mcp.domain.reversals import Reversal
    from credyt_mcp.domain.subscriptions import Subscription


class RateCard(NamedTuple):
    """A published product version, compiled. `product_id` is the database's, not the public id."""

    version_id: int
    product_id: int
    product_code: str
    version: int
    prices: tuple[UsagePrice, ...]
    fees: tuple[FixedFee, ...] = ()
    entitlements: tuple[EntitlementTerms, ...] = ()

    @property
    def accounts(self) -> list[tuple[str, Asset]]:
        """Wallet accounts that a subscriber has from the start, by name and asset."""
        used = [(price.account_name, one.asset) for price in self.prices for one in price.pricing]
        used += [(fee.account_name, fee.asset) for fee in self.fees]
        return used + [("default", granted.asset) for granted in self.entitlements]


class SubscribedVersion(NamedTuple):
    """A stretch of a subscription on one version, in force in [from_at, until_at)."""

    rate_card: RateCard
    from_at: int
    until_at: int | None


@dataclass(eq=False)
class Customer:
    """`next_due_at` is when time changes one of the customer's subscriptions next; `has_budgets`
    spares the others a look for budgets. `stored` are the keys of those `counts` that have rows."""

    id: int
    tenant_id: int
    public_id: str
    versions: tuple[SubscribedVersion, ...]
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)
    counts: dict[bytes, Counts] = field(default_factory=dict)
    stored: set[bytes] = field(default_factory=set)
    authorizations: list[Authorization] = field(default_factory=list)
    next_due_at: int | None = None
    has_budgets: bool = False


@dataclass(eq=False)
class Event:
    """A usage event as recorded, fees inside. Moments are microseconds since 1970 UTC."""

    tenant_id: int
    key: bytes
    client_id: str | None
    customer_id: int
    event_type: str
    occurred_at: int
    recorded_at: int
    subject: str | None
    user_id: str | None
    description: str | None
    data: dict[str, Any] | None
    fees: list[Any] | None
    costs: list[Any] | None
    entries: list[Entry] = field(default_factory=list)
    grants: list[tuple[Account, Grant]] = field(default_factory=list)
    id: int | None = None


class Leg(NamedTuple):
    """What an authorization does to one account, in units of its asset."""

    account: Account
    authorized: int
    held: int
    captured: int = 0


@dataclass(eq=False)
class Authorization:
    """Money held until it is captured, released, or expires. Moments as in `Event`.

    `request` is what was asked for, `extensions` what each extension asked (units, duration).
    `exceeded` and `late` tell that usage cost more than was held, or came after expiry. While it is
    open, `costs` are what the usage was estimated to cost the tenant, in units by currency.
    """

    tenant_id: int
    key: bytes
    client_id: str
    customer_id: int
    status: str
    legs: list[Leg]
    request: dict[str, Any]
    subject: str | None
    metadata: dict[str, str] | None
    expires_at: int
    created_at: int
    closed_at: int | None = None
    exceeded: bool = False
    late: bool = False
    extensions: dict[str, list[int | None]] = field(default_factory=dict)
    user_id: str | None = None
    costs: dict[str, int] = field(default_factory=dict)
    id: int | None = None


class CustomerRef(NamedTuple):
    """A customer as a caller names them: our id, the tenant's own, where both are given one name
    that may be either, or by an authorization of theirs."""

    tenant_id: int
    id: str | None
    external_id: str | None = None
    authorization_id: str | None = None

    def __str__(self) -> str:
        return self.id or self.external_id or ""


class Book:
    """`subscriptions` has those customers, all or none of theirs, for whom they matter now.
    `rules` of automatic top-ups are there by account, where commands are about them.
    `take_id` gives a grant its id when it is needed before the grant is written."""

    def __init__(
        self,
        now: int,
        find_asset: Callable[[int, str], Asset | None],
        find_rate: FindRate = no_rate,
        take_id: Callable[[], int] | None = None,
    ) -> None:
        self.now = now
        self.find_asset = find_asset
        self.find_rate = find_rate
        self.take_id = take_id or count(1).__next__
        self.subscriptions: dict[int, list[Subscription]] = {}
        self.rate_cards: dict[int, RateCard] = {}
        self.customers: dict[CustomerRef, Customer] = {}
        self.business: dict[tuple[int, AccountKind, str], Account] = {}
        self.events: dict[tuple[int, bytes], Event] = {}
        self.transactions: dict[tuple[int, bytes], Transaction] = {}
        self.top_ups: dict[tuple[int, str], Any] = {}
        self.rules: dict[int, Rule] = {}
        self.auto_charges: dict[tuple[int, str], AutoCharge] = {}
        self.reversals: dict[tuple[int, str], list[Reversal]] = {}
        self.externals: dict[tuple[int, bytes], ExternalPayment] = {}
        self.authorizations: dict[tuple[int, bytes], Authorization] = {}
        self.metered: dict[Any, tuple[Any, list[Any]]] = {}
        self.new_authorizations: list[Authorization] = []
        self.notices: list[notices.Notice] = []
        self.told: set[bytes] = set()
        self.new_accounts: list[Account] = []
        self.records: list[Event | Transaction] = []
        self.changed: dict[int, Any] = {}
        self.changed_counts: set[tuple[int, int, bytes]] = set()
        self._undo: list[Callable[[], object]] = []
        self.tallies = Tallies(self._undo)
        self.budgets = Budgets()

    def mark(self) -> None:
        """From here on, `undo` takes everything back."""
        self._undo.clear()

    def undo(self) -> None:
        for take_back in reversed(self._undo):
            take_back()
        self._undo.clear()

    def touch(self, row: Any) -> None:
        """Call before changing a row, so that it is written, or undone."""
        before, changed = row.__dict__.copy(), self.changed
        known = id(row) in changed

        def take_back() -> None:
            row.__dict__.update(before)
            if not known:
                changed.pop(id(row))

        changed[id(row)] = row
        self._undo.append(take_back)

    def customer(self, ref: CustomerRef) -> Customer:
        """Raises UnknownReference when the tenant has no such customer."""
        if ref not in self.customers:
            if ref.authorization_id is not None:
                raise NotFound(f"there is no authorization '{ref.authorization_id}'")
            name = "customer_id" if ref.id else "customer_external_id"
            raise UnknownReference(name, f"there is no customer '{ref}'")
        return self.customers[ref]

    def wallet_account(self, customer: Customer, name: str, asset: Asset) -> Account:
        """The customer's account of that name and asset, opened at zero when it is new."""
        key = (name, asset.code)
        if key not in customer.accounts:
            account = Account(None, customer.tenant_id, customer.id, "wallet", name, asset)
            customer.accounts[key] = account
            self.new_accounts.append(account)
            self._undo += [lambda: customer.accounts.pop(key), self.new_accounts.pop]
        return customer.accounts[key]

    def business_account(self, tenant_id: int, kind: AccountKind, asset: Asset) -> Account:
        key = (tenant_id, kind, asset.code)
        if key not in self.business:
            account = Account(None, tenant_id, BUSINESS, kind, "default", asset)
            self.business[key] = account
            self.new_accounts.append(account)
            self._undo += [lambda: self.business.pop(key), self.new_accounts.pop]
        return self.business[key]

    def record(self, row: Event | Transaction) -> None:
        """Put a balanced record in the book. Raises LedgerBroken if it does not balance."""
        must_balance(row.entries)
        known: dict[Any, Any] = self.events if isinstance(row, Event) else self.transactions
        known[row.tenant_id, row.key] = row
        self.records.append(row)
        self._undo += [lambda: known.pop((row.tenant_id, row.key)), self.records.pop]

    def add_reversal(self, reversal: Reversal) -> None:
        known = self.reversals[reversal.tenant_id, reversal.top_up_id]
        known.append(reversal)
        self._undo.append(known.pop)

    def disputes_against(self, customer: Customer) -> bool:
        """Whether a dispute of the customer is undecided or was lost, for commands with
        `disputes`."""
        known = (one for several in self.reversals.values() for one in several)
        return any(one.customer_id == customer.id and one.is_against_us for one in known)

    def add_external(self, payment: ExternalPayment) -> None:
        key = payment.tenant_id, payment.key
        self.externals[key] = payment
        self._undo.append(lambda: self.externals.pop(key))

    def set_count(self, customer: Customer, key: bytes, count: Counts) -> None:
        before = customer.counts.get(key)
        changed = (customer.tenant_id, customer.id, key)
        known = changed in self.changed_counts

        def take_back() -> None:
            if before is None:
                customer.counts.pop(key)
            else:
                customer.counts[key] = before
            if not known:
                self.changed_counts.discard(changed)

        customer.counts[key] = count
        self.changed_counts.add(changed)
        self._undo.append(take_back)

    def debit(self, account: Account, units: int, first: Sequence[Grant] = ()) -> Entry:
        """Take `units` (positive) out of a wallet account: grants, of which some may be used before
        all others, and the rest is overdraft."""
        self.touch(account)
        in_effect = [grant for grant in account.grants if grant.booked]
        for grant, share in shares(in_effect, units, first):
            self.touch(grant)
            grant.remaining -= share
        account.grants = [grant for grant in account.grants if grant.remaining > 0]
        entry = move(account, -units)
        self.watch(account, -units)
        return entry

    def credit(self, account: Account, grant: Grant) -> Entry:
        """Put a grant into a wallet account; what the account owes is paid from it first.

        Raises AmountOutOfRange, also when pending credit would not fit once it takes effect.
        """
        within_range(account.balance + account.pending + grant.amount, account.asset)
        self.touch(account)
        entry = move(account, grant.amount)
        grant.remaining = max(0, min(grant.amount, account.balance))
        if grant.remaining:
            account.grants = [*account.grants, grant]
        self.watch(account, grant.amount)
        return entry

    def add_authorization(self, authorization: Authorization) -> None:
        key = (authorization.tenant_id, authorization.key)
        self.authorizations[key] = authorization
        self.new_authorizations.append(authorization)
        self._undo += [lambda: self.authorizations.pop(key), self.new_authorizations.pop]

    def close_authorization(self, authorization: Authorization, status: str) -> None:
        """Give back what is held, and say why."""
        self.touch(authorization)
        count_hold(self, authorization, -1)
        for leg in authorization.legs:
            self.touch(leg.account)
            leg.account.held -= leg.held
        authorization.legs = [leg._replace(held=0) for leg in authorization.legs]
        authorization.costs = {}
        authorization.status, authorization.closed_at = status, self.now

    def notice(
        self,
        kind: str,
        tenant_id: int,
        customer_id: int,
        details: dict[str, Any],
        account: Account | None = None,
        *,
        at: int | None = None,
        once: bytes | None = None,
    ) -> None:
        """Tell the tenant, in the words of `webhooks.TOPICS`; the customer, the account and the
        moment (`at`, default now) are added. Nothing is told twice under one `once`."""
        if once is not None:
            if once in self.told:
                return
            self.told.add(once)
            self._undo.append(lambda: self.told.discard(once))
        data = notices.data_of(self._public_id(customer_id), account, details, at or self.now)
        self.notices.append(
            notices.Notice(tenant_id, kind, customer_id, account, data, self.now, once)
        )
        self._undo.append(self.notices.pop)

    def _public_id(self, customer_id: int) -> str:
        # A book for looking only has no customers; what it notices is thrown away.
        known = (one.public_id for one in self.customers.values() if one.id == customer_id)
        return next(known, "")

    def watch(self, account: Account, change: int) -> None:
        """Notice a balance that crosses its threshold, once until it has recovered, and one that
        this change has used up."""
        threshold, balance = account.low_threshold, account.balance
        low = threshold is not None and balance < threshold
        if low and not account.low_noticed:
            details = notices.balance_low(account)
            self.notice("balance.low", account.tenant_id, account.customer_id, details, account)
        account.low_noticed = low
        if balance <= 0 < balance - change:
            details = notices.balance_depleted(account)
            self.notice(
                "balance.depleted", account.tenant_id, account.customer_id, details, account
            )
