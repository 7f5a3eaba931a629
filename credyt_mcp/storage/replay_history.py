"""Reads what was recorded, wallet by wallet and in the order in which it was billed. Never writes.

Rows of the ledger are only ever added, so it reads in small pages up to the newest id there was at
the start, and keeps no snapshot open that would hold up a checkpoint or a vacuum. A wallet's rows
take their ids while it is locked: the order of ids is the order of billing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from operator import attrgetter
from types import TracebackType
from typing import Any, Self

from sqlalchemy import bindparam, text
from sqlmodel import col, func, or_, select

from credyt_mcp import exact_json
from credyt_mcp.clock import from_micros, to_micros
from credyt_mcp.domain.assets import Rate
from credyt_mcp.domain.book import Customer, RateCard, SubscribedVersion
from credyt_mcp.domain.earnings import EARNING, face_value, rate_in_force, total
from credyt_mcp.domain.grants import Basis, Grant
from credyt_mcp.domain.ledger import Account
from credyt_mcp.domain.margins import Earned
from credyt_mcp.domain.money import Asset
from credyt_mcp.domain.replays import Movement, RecordedEvent, Stretch
from credyt_mcp.ids import client_id_of
from credyt_mcp.storage import assets, unpriced
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.ledger_tables import EventRow, LedgerAccountRow, LedgerTransactionRow
from credyt_mcp.storage.rate_cards import card_of
from credyt_mcp.storage.tables import (
    CustomerRow,
    ProductRow,
    SubscribedVersionRow,
    VersionRow,
)

WALLETS, EVENTS = 200, 2000
"""How many are read at a time."""

_EVENTS = text(
    "SELECT id, event_type, occurred_at, recorded_at, data, fees, costs FROM events"
    " WHERE customer_id = :customer_id AND id > :after AND id <= :horizon"
    " ORDER BY id LIMIT :limit"
)
_ACCOUNTS = text(
    "SELECT id, customer_id, name, asset, overdraft_limit FROM ledger_accounts"
    " WHERE tenant_id = :tenant_id AND customer_id IN :ids AND kind = 'wallet'"
).bindparams(bindparam("ids", expanding=True))
# What bulk prices paid back is usage, and comes of itself.
_GRANTS = text(
    "SELECT id, account_id, transaction_id, purpose, source, priority, amount, basis,"
    " effective_at, expires_at, created_at FROM grants"
    " WHERE account_id IN :ids AND source <> 'fee_credit' AND transaction_id <= :horizon"
).bindparams(bindparam("ids", expanding=True))
# Credit that takes effect or expires comes of itself, too.
_DEBITS = text(
    "SELECT t.id, e.account_id, t.recorded_at, e.amount, t.kind, t.details,"
    " COALESCE(t.executed_at, t.recorded_at) FROM ledger_entries e"
    " JOIN ledger_transactions t ON t.id = e.transaction_id"
    " WHERE e.account_id IN :ids AND e.amount < 0 AND e.id <= :horizon"
    " AND t.kind NOT IN ('activation', 'expiry')"
).bindparams(bindparam("ids", expanding=True))
_LOWEST = text(
    "SELECT MIN(balance_after) FROM ledger_entries"
    " WHERE account_id = :account_id AND id > :first AND transaction_id <= :last"
)
_EVENT_ID = text("SELECT key, client_id FROM events WHERE id = :id")
_NEWEST = (
    "SELECT COALESCE(MAX(id), 0) FROM events",
    "SELECT COALESCE(MAX(id), 0) FROM ledger_entries",
    "SELECT COALESCE(MAX(id), 0) FROM grants",
)


@dataclass(frozen=True)
class Population:
    """Whose history: these customers (ids or external ids) or all; with `product_id` (our row's)
    those that were ever subscribed to it."""

    tenant_id: int
    customers: tuple[str, ...] | None = None
    product_id: int | None = None

    @property
    def ids(self) -> Any:
        """A query of their row ids."""
        query = select(CustomerRow.id).where(CustomerRow.tenant_id == self.tenant_id)
        if self.customers is not None:
            own, theirs = col(CustomerRow.public_id), col(CustomerRow.external_id)
            query = query.where(or_(own.in_(self.customers), theirs.in_(self.customers)))
        if self.product_id is not None:
            subscribed = select(SubscribedVersionRow.customer_id).where(
                SubscribedVersionRow.tenant_id == self.tenant_id,
                SubscribedVersionRow.product_id == self.product_id,
            )
            query = query.where(col(CustomerRow.id).in_(subscribed))
        return query


@dataclass
class RecordedWallet:
    """A customer with accounts, still empty, and the versions they were on; `life` is everything
    that happened, in order."""

    customer: Customer
    external_id: str | None
    life: Iterator[RecordedEvent | Movement]


class History:
    """Use it as a context, in one thread."""

    def __init__(self, database: Database, population: Population) -> None:
        self._database = database
        self._population = population
        self._cards: dict[int, RateCard] = {}
        self._assets: dict[str, Asset | None] = {}
        self._rates: dict[str, list[tuple[int, str, Rate]]] = {}

    def __enter__(self) -> Self:
        self._connection = self._database.connect()
        self._horizon = max(self._rows(text(sql))[0][0] for sql in _NEWEST)
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._connection.close()

    def count_events(self, at_most: int | None = None) -> int:
        """How many events are to be walked; not more than `at_most` are counted."""
        found = select(EventRow.id).where(
            EventRow.tenant_id == self._population.tenant_id, EventRow.id <= self._horizon
        )
        if self._population.customers is not None or self._population.product_id is not None:
            found = found.where(col(EventRow.customer_id).in_(self._population.ids))
        if at_most is not None:
            found = found.limit(at_most)
        return int(self._rows(select(func.count()).select_from(found.subquery()))[0][0])

    def wallets(self) -> Iterator[RecordedWallet]:
        """By row id, so in no order of their own."""
        last = 0
        while True:
            query = self._population.ids.with_only_columns(
                CustomerRow.id, CustomerRow.public_id, CustomerRow.external_id
            )
            after = query.where(col(CustomerRow.id) > last).order_by(col(CustomerRow.id))
            rows = self._rows(after.limit(WALLETS))
            if not rows:
                return
            yield from self._group(rows)
            last = rows[-1][0]

    def standing_revenue(self, stretch: Stretch) -> Earned:
        """What subscription fees earned in the stretch that no wallet paid, less what was given
        back: it stands, whatever usage costs."""
        transaction, account = LedgerTransactionRow, LedgerAccountRow
        moment = func.coalesce(transaction.executed_at, transaction.recorded_at)
        query = (
            select(account.asset, transaction.amount, transaction.details)
            .join(account, col(account.id) == col(transaction.account_id))
            .where(
                transaction.tenant_id == self._population.tenant_id,
                col(transaction.kind).in_(EARNING),
                or_(col(account.kind) != "wallet", col(transaction.amount) < 0),
                col(transaction.customer_id).in_(self._population.ids),
            )
        )
        if stretch.from_at is not None:
            query = query.where(moment >= from_micros(stretch.from_at))
        if stretch.until_at is not None:
            query = query.where(moment < from_micros(stretch.until_at))
        sums: Earned = {}
        with self._database.read() as session:
            for asset, amount, details in session.exec(query.execution_options(yield_per=EVENTS)):
                sums = total([sums, face_value(asset, amount, details.get("earned"))])
        return sums

    def lowest_billed(self, account: Account, first_event: int, last_event: int) -> int | None:
        """An account's lowest balance from the one event to the other, as it was."""
        bounds = {"first": first_event, "last": last_event}
        found = self._rows(_LOWEST, account_id=account.id, **bounds)
        return None if found[0][0] is None else int(found[0][0])

    def event_id(self, row_id: int) -> str:
        """The caller's own id of an event."""
        key, client_id = self._rows(_EVENT_ID, id=row_id)[0]
        return client_id_of(bytes(key), client_id)

    def find_asset(self, tenant_id: int, code: str) -> Asset | None:
        if code not in self._assets:
            with self._database.read() as session:
                self._assets[code] = assets.find(session, tenant_id, code)
        return self._assets[code]

    def find_rate(self, asset: Asset, moment: int) -> Basis | None:
        """What a unit was sold for at that moment, by the rates that were known then."""
        if asset.code not in self._rates:
            self._rates[asset.code] = self._load_rates(asset)
        by_source: dict[str, list[Rate]] = {}
        for created_at, source, rate in self._rates[asset.code]:
            if created_at <= moment:
                by_source.setdefault(source, []).append(rate)
        return rate_in_force(asset, by_source, from_micros(moment))

    def _group(self, rows: Sequence[Any]) -> Iterator[RecordedWallet]:
        tenant_id = self._population.tenant_id
        ids = [row[0] for row in rows]
        versions = self._versions(ids)
        customers = {
            row_id: Customer(row_id, tenant_id, public_id, versions.get(row_id, ()))
            for row_id, public_id, _ in rows
        }
        owners: dict[int, int] = {}
        codes: dict[int, str] = {}
        for account_id, owner, name, code, limit in self._rows(
            _ACCOUNTS, tenant_id=tenant_id, ids=ids
        ):
            asset = self.find_asset(tenant_id, code)
            assert asset is not None, "an account's asset exists"
            account = Account(account_id, tenant_id, owner, "wallet", name, asset)
            account.overdraft_limit = limit
            customers[owner].accounts[name, code] = account
            owners[account_id], codes[account_id] = owner, asset.code
        movements: dict[int, list[Movement]] = {}
        for movement in self._movements(codes) if codes else ():
            movements.setdefault(owners[movement.account_id], []).append(movement)
        for row_id, _, external_id in rows:
            own = sorted(movements.pop(row_id, ()), key=attrgetter("id"))
            parts: tuple[Iterable[RecordedEvent | Movement], ...] = (own, self._events(row_id))
            life = merge(*parts, key=attrgetter("id"))
            yield RecordedWallet(customers.pop(row_id), external_id, life)

    def _versions(self, ids: Collection[int]) -> dict[int, tuple[SubscribedVersion, ...]]:
        found: dict[int, tuple[SubscribedVersion, ...]] = {}
        query = text(
            "SELECT customer_id, version_id, from_at, until_at FROM subscribed_versions"
            " WHERE tenant_id = :tenant_id AND customer_id IN :ids ORDER BY id"
        ).bindparams(bindparam("ids", expanding=True))
        for owner, version_id, from_at, until_at in self._rows(
            query, tenant_id=self._population.tenant_id, ids=ids
        ):
            stretch = SubscribedVersion(self._card(version_id), from_at, until_at)
            found[owner] = (*found.get(owner, ()), stretch)
        return found

    def _card(self, version_id: int) -> RateCard:
        if version_id not in self._cards:
            with self._database.read() as session:
                version = session.get_one(VersionRow, version_id)
                product = session.get_one(ProductRow, version.product_id)
                self._cards[version_id] = card_of(session, product, version)
        return self._cards[version_id]

    def _movements(self, codes: dict[int, str]) -> Iterator[Movement]:
        for row in self._rows(_GRANTS, ids=list(codes), horizon=self._horizon):
            grant = Grant(
                id=row.id,
                purpose=row.purpose,
                source=row.source,
                priority=row.priority,
                amount=row.amount,
                remaining=row.amount,
                effective_at=row.effective_at,
                expires_at=row.expires_at,
                booked=row.effective_at <= row.created_at,
                basis=None if row.basis is None else Basis.parse(row.basis),
            )
            yield Movement(row.transaction_id, row.account_id, row.created_at, row.amount, grant)
        for row_id, account_id, recorded_at, amount, kind, details, executed_at in self._rows(
            _DEBITS, ids=list(codes), horizon=self._horizon
        ):
            earned = None
            if kind in EARNING:
                stored = exact_json.loads(details).get("earned")
                earned = face_value(codes[account_id], -amount, stored)
            yield Movement(row_id, account_id, recorded_at, -amount, None, executed_at, earned)

    def _events(self, customer_id: int) -> Iterator[RecordedEvent]:
        after = 0
        while True:
            rows = self._rows(
                _EVENTS, customer_id=customer_id, after=after, horizon=self._horizon, limit=EVENTS
            )
            late = self._late_costs([row[0] for row in rows if '"unpriced"' in (row[6] or "")])
            for row_id, event_type, occurred_at, recorded_at, data, fees, costs in rows:
                yield RecordedEvent(
                    row_id,
                    event_type,
                    occurred_at,
                    recorded_at,
                    exact_json.loads(data) if data else None,
                    exact_json.loads(fees) if fees else (),
                    exact_json.loads(costs) if costs else (),
                    late.get(row_id, ()),
                )
            if len(rows) < EVENTS:
                return
            after = rows[-1][0]

    def _late_costs(self, event_ids: list[int]) -> dict[int, list[dict[str, Any]]]:
        if not event_ids:
            return {}
        with self._database.read() as session:
            return unpriced.late_costs(session, event_ids)

    def _load_rates(self, asset: Asset) -> list[tuple[int, str, Rate]]:
        with self._database.read() as session:
            row = assets.get(session, self._population.tenant_id, asset.code)
            return [
                (
                    to_micros(one.created_at),
                    one.source,
                    Rate(one.rate, one.valid_from, one.valid_to),
                )
                for one in (assets.schedule(session, row) if row is not None else ())
            ]

    def _rows(self, query: Any, **named: Any) -> Sequence[Any]:
        """All rows at once; no transaction stays open."""
        found = self._connection.execute(query, named).fetchall()
        self._connection.rollback()
        return found
