"""Loads the pages of the book that a batch of commands touches, and writes what they changed.

The only SQL of the money path. Set-wise throughout: a few statements a batch, however many
commands. Everything here runs inside the lane's transaction, after the wallets are locked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from operator import itemgetter
from typing import Any, Protocol

from credyt_mcp.domain.assets import currency
from credyt_mcp.domain.authorizations import Authorize, BringUpToDate
from credyt_mcp.domain.book import Book, Customer, CustomerRef, Event, SubscribedVersion
from credyt_mcp.domain.fees import metered
from credyt_mcp.domain.ledger import BUSINESS, Account, AccountKind
from credyt_mcp.domain.money import Asset
from credyt_mcp.domain.pricing import Counts
from credyt_mcp.domain.upkeep import bring_up_to_date
from credyt_mcp.domain.usage import RecordUsage
from credyt_mcp.errors import InvalidRequest
from credyt_mcp.ids import client_key
from credyt_mcp.storage import (
    budget_book,
    ledger_tables,
    reversal_book,
    subscribed_book,
    tables,
    top_up_book,
)
from credyt_mcp.storage.book_rows import (
    account_of,
    account_row,
    authorization_of,
    authorization_row,
    changed_accounts,
    changed_authorizations,
    changed_grants,
    customer_of,
    entry_row,
    event_of,
    event_row,
    grant_of,
    grant_row,
    notice_row,
    transaction_of,
    transaction_row,
    used_up_grants,
)
from credyt_mcp.storage.lane_connection import LaneConnection, table_of
from credyt_mcp.storage.rate_cards import RateCards
from credyt_mcp.storage.rates_in_force import RatesInForce
from credyt_mcp.storage.remembered_wallets import RememberedWallets
from credyt_mcp.storage.rollups import Rollups

CUSTOMERS = table_of(tables.CustomerRow)
ACCOUNTS = table_of(ledger_tables.LedgerAccountRow)
GRANTS = table_of(ledger_tables.GrantRow)
EVENTS = table_of(ledger_tables.EventRow)
TRANSACTIONS = table_of(ledger_tables.LedgerTransactionRow)
ENTRIES = table_of(ledger_tables.LedgerEntryRow)
COUNTERS = table_of(ledger_tables.PeriodCounterRow)
ASSETS = table_of(tables.AssetRow)
SUBSCRIBED = table_of(tables.SubscribedVersionRow)
AUTHORIZATIONS = table_of(ledger_tables.AuthorizationRow)
NOTICES = table_of(ledger_tables.NoticeRow)

TOLD_MAX = 100_000
"""How many notices of those told once are remembered, to spare the database asking."""


class Command(Protocol):
    """A request to change money; see `domain.transfers`."""

    @property
    def ref(self) -> CustomerRef: ...

    @property
    def keys(self) -> list[tuple[int, bytes]]:
        """Ids of events (for a RecordUsage) or transactions that it makes."""

    def decide(self, book: Book) -> Any: ...


class BookStore:
    """Opens and writes books over one lane connection.

    What it remembers between batches never changes once committed: assets, published versions,
    ids of the tenant's own accounts; and, where it can tell that nobody else has written, wallets.
    `forget` drops it all after a rollback.
    """

    def __init__(self, connection: LaneConnection) -> None:
        self.connection = connection
        self._rollups = Rollups(connection)
        self.forget()

    def forget(self) -> None:
        self._assets: dict[tuple[int, str], Asset] = {}
        self._business: dict[tuple[int, AccountKind, str], Account] = {}
        self._rate_cards = RateCards(self.connection, self.find_asset)
        self._wallets = RememberedWallets()
        self._told: set[bytes] = set()

    def find_asset(self, tenant_id: int, code: str) -> Asset | None:
        """The currency or custom asset of that code, in any case."""
        known = currency(code) or self._assets.get((tenant_id, code.casefold()))
        if known is None:
            by = ("tenant_id", "code_folded")
            for row in self.connection.find(ASSETS, by, [(tenant_id, code.casefold())]):
                known = Asset(row["code"], row["scale"], row["precision"])
                self._assets[tenant_id, code.casefold()] = known
        return known

    def load(self, commands: Sequence[Command], now: int) -> Book:
        """A book with all that `commands` may look at; locks their wallets."""
        rates = RatesInForce(self.connection, now)
        book = Book(now, self.find_asset, rates, self._take_id)
        book.business = dict(self._business)
        if len(self._told) > TOLD_MAX:
            self._told.clear()
        book.told = self._told
        if self.connection.others_wrote():
            self._wallets.forget()
        unknown = self._wallets.open(book, {command.ref for command in commands})
        known = {customer.id: customer for customer in book.customers.values()}
        if unknown:
            self._load_customers(book, unknown, known)
        customers = list({customer.id: customer for customer in book.customers.values()}.values())
        fresh = [customer for customer in customers if customer.id not in known]
        self._load_accounts(book, fresh)
        self._load_versions(fresh)
        self._load_repeats(book, commands, customers)
        self._load_authorizations(book, commands, customers)
        budget_book.load(self.connection, book, commands, self.find_asset)
        top_up_book.load(self.connection, book, commands, self.find_asset)
        reversal_book.load(self.connection, book, commands)
        self._rollups.load(book, commands)
        self._load_subscriptions(book, commands, customers)
        for customer in customers:
            bring_up_to_date(book, customer)
        self._load_counts(book, commands)
        return book

    def save(self, book: Book) -> None:
        """Write what the commands changed. The book's new rows get their ids here."""
        fired = top_up_book.fire_low(self.connection, book)
        self._save_accounts(book)
        subscribed_book.save(self.connection, book)
        reversal_book.save(self.connection, book)
        with self.connection.together():
            self._save_records(book)
            if book.notices:
                rows = [notice_row(notice) for notice in book.notices]
                self.connection.insert(NOTICES, rows, skip_known=True)
            self._update(ACCOUNTS, ("id",), changed_accounts(book))
            self._update(GRANTS, ("id",), changed_grants(book))
            self._update(GRANTS, ("id",), used_up_grants(book))
            top_up_book.save(self.connection, book, fired)
            self._update(AUTHORIZATIONS, ("id",), changed_authorizations(book))
            self._save_counts(book)
            budget_book.save(self.connection, book)
            self._rollups.save(book)
        if self.connection.knows_others:
            self._wallets.keep(book)

    def _load_customers(
        self, book: Book, refs: set[CustomerRef], known: dict[int, Customer]
    ) -> None:
        found: dict[CustomerRef, dict[str, Any]] = {}
        for column in ("public_id", "external_id"):
            # Several may name one customer by the same word: see the ways to build a CustomerRef.
            named: dict[tuple[int, str], list[CustomerRef]] = {}
            for ref in refs - found.keys():
                word = ref.id if column == "public_id" else ref.external_id
                if word is not None:
                    named.setdefault((ref.tenant_id, word), []).append(ref)
            for row in self._find(CUSTOMERS, ("tenant_id", column), named):
                found |= dict.fromkeys(named[row["tenant_id"], row[column]], row)
        found |= self._by_authorization(refs)
        locked = self.connection.lock_customers([row["id"] for row in found.values()])
        present = {row["id"]: row for row in locked}
        by_id = dict(known)
        for ref, row in found.items():
            customer = customer_of({**row, **present.get(row["id"], {})})
            book.customers[ref] = by_id.setdefault(row["id"], customer)

    def _by_authorization(self, refs: set[CustomerRef]) -> dict[CustomerRef, dict[str, Any]]:
        """The customers of authorizations. Whose one is never changes, so no lock is needed yet."""
        named = {
            (ref.tenant_id, client_key(ref.authorization_id)): ref
            for ref in refs
            if ref.authorization_id is not None
        }
        rows = self._find(AUTHORIZATIONS, ("tenant_id", "key"), list(named))
        owners = {row["customer_id"] for row in rows}
        customers = {
            row["id"]: row for row in self._find(CUSTOMERS, ("id",), [(o,) for o in owners])
        }
        return {named[row["tenant_id"], row["key"]]: customers[row["customer_id"]] for row in rows}

    def _load_authorizations(
        self, book: Book, commands: Sequence[Command], customers: list[Customer]
    ) -> None:
        """Those that commands name, and those that are due, which `bring_up_to_date` closes."""
        accounts = {a.id: a for customer in customers for a in customer.accounts.values()}
        owners = {customer.id: customer for customer in customers}
        swept = {
            book.customers[command.ref].id
            for command in commands
            if isinstance(command, BringUpToDate) and command.ref in book.customers
        }
        keys = {key for command in commands for key in getattr(command, "authorization_keys", ())}
        rows = self._find(AUTHORIZATIONS, ("tenant_id", "key"), sorted(keys))
        due = [(c.tenant_id, c.id, book.now) for c in customers if _may_hold(c, swept)]
        rows += self._find(
            AUTHORIZATIONS, ("tenant_id", "customer_id"), due, "status = 'open'", "expires_at"
        )
        for row in rows:
            key = (row["tenant_id"], row["key"])
            if key not in book.authorizations:
                found = authorization_of(row, accounts)
                book.authorizations[key] = found
                if row["customer_id"] in owners:
                    owners[row["customer_id"]].authorizations.append(found)

    def _load_accounts(self, book: Book, customers: list[Customer]) -> None:
        owners = {customer.id: customer for customer in customers}
        keys = [(customer.tenant_id, customer.id) for customer in customers]
        accounts: dict[int, Account] = {}
        for row in self._find(ACCOUNTS, ("tenant_id", "customer_id"), keys):
            asset = self.find_asset(row["tenant_id"], row["asset"])
            assert asset is not None
            account = account_of(row, asset)
            accounts[row["id"]] = account
            owners[row["customer_id"]].accounts[account.name, asset.code] = account
        ids = [(account_id,) for account_id in accounts]
        for row in self._find(GRANTS, ("account_id",), ids, where="live = 1"):
            accounts[row["account_id"]].grants.append(grant_of(row))

    def _load_versions(self, customers: list[Customer]) -> None:
        keys = [(customer.tenant_id, customer.id) for customer in customers]
        rows = self._find(SUBSCRIBED, ("tenant_id", "customer_id"), keys)
        cards = self._rate_cards.get({row["version_id"] for row in rows})
        stretches: dict[int, list[SubscribedVersion]] = {}
        for row in sorted(rows, key=itemgetter("id")):
            stretches.setdefault(row["customer_id"], []).append(
                SubscribedVersion(cards[row["version_id"]], row["from_at"], row["until_at"])
            )
        for customer in customers:
            customer.versions = tuple(stretches.get(customer.id, ()))

    def _load_repeats(
        self, book: Book, commands: Sequence[Command], customers: list[Customer]
    ) -> None:
        keys = {True: set[tuple[int, bytes]](), False: set[tuple[int, bytes]]()}
        for command in commands:
            keys[isinstance(command, RecordUsage)].update(command.keys)
        for row in self._find(EVENTS, ("tenant_id", "key"), sorted(keys[True])):
            book.events[row["tenant_id"], row["key"]] = event_of(row)
        accounts = {a.id: a for customer in customers for a in customer.accounts.values()}
        for row in self._find(TRANSACTIONS, ("tenant_id", "key"), sorted(keys[False])):
            known = transaction_of(row, accounts)
            book.transactions[row["tenant_id"], row["key"]] = known

    def _load_subscriptions(
        self, book: Book, commands: Sequence[Command], customers: list[Customer]
    ) -> None:
        """Of customers whom commands on subscriptions name, and of those for whom one is due."""
        named = {
            book.customers[command.ref].id
            for command in commands
            if getattr(command, "on_subscriptions", False) and command.ref in book.customers
        }
        wanted = [one for one in customers if one.id in named or _is_due(one, book.now)]
        if wanted:
            subscribed_book.load(self.connection, book, wanted, self._rate_cards.get)
        versions = {version for one in commands for version in getattr(one, "version_ids", ())}
        if versions:
            book.rate_cards = self._rate_cards.get(versions)

    def _take_id(self) -> int:
        return self.connection.next_ids(1)[0]

    def _load_counts(self, book: Book, commands: Sequence[Command]) -> None:
        wanted: dict[tuple[int, int, bytes], Customer] = {}
        for command in commands:
            customer = book.customers.get(command.ref)
            if customer is None or not isinstance(command, RecordUsage | Authorize):
                continue
            for event in command.priced_events:
                try:
                    usages = metered(book, customer, event)
                except InvalidRequest:
                    continue  # `decide` refuses it
                for usage in usages:
                    if usage.count_key is not None and usage.count_key not in customer.counts:
                        wanted[customer.tenant_id, customer.id, usage.count_key] = customer
        for row in self._find(COUNTERS, ("tenant_id", "customer_id", "key"), sorted(wanted)):
            owner = wanted[row["tenant_id"], row["customer_id"], row["key"]]
            owner.counts[row["key"]] = Counts(Decimal(row["units"]), Decimal(row["volume"]))
            owner.stored.add(row["key"])

    def _save_accounts(self, book: Book) -> None:
        new = book.new_accounts
        for account in (one for one in new if one.customer_id != BUSINESS):
            row = account_row(account, book)
            account.id = self.connection.insert_returning_id(ACCOUNTS, row)
        # New to us, but another process, or an earlier run, may have them. Everybody in one order,
        # since two processes may wait for each other's.
        for account in sorted((a for a in new if a.customer_id == BUSINESS), key=_business_key):
            unique = ("tenant_id", "customer_id", "kind", "name", "asset")
            row = account_row(account, book)
            account.id = self.connection.find_or_insert_id(ACCOUNTS, unique, row)
            self._business[_business_key(account)] = account

    def _save_records(self, book: Book) -> None:
        records, new_authorizations = book.records, book.new_authorizations
        needed = sum(1 + len(record.entries) + len(record.grants) for record in records)
        needed += len(new_authorizations)
        if not needed:
            return
        ids = iter(self.connection.next_ids(needed))
        events, transactions, entries, grants = [], [], [], []
        for record in records:
            record.id = next(ids)
            if isinstance(record, Event):
                events.append(event_row(record))
            else:
                transactions.append(transaction_row(record))
            entries += [entry_row(next(ids), record, entry) for entry in record.entries]
            for account, grant in record.grants:
                grant.id = grant.id or next(ids)
                grants.append(grant_row(record, account, grant))
        for authorization in new_authorizations:
            authorization.id = next(ids)
        for table, rows in (
            (AUTHORIZATIONS, [authorization_row(row) for row in new_authorizations]),
            (EVENTS, events),
            (TRANSACTIONS, transactions),
            (ENTRIES, entries),
            (GRANTS, grants),
        ):
            if rows:
                self.connection.insert(table, rows)

    def _save_counts(self, book: Book) -> None:
        owners = {customer.id: customer for customer in book.customers.values()}
        new: list[dict[str, Any]] = []
        stored: list[dict[str, Any]] = []
        for tenant_id, customer_id, key in sorted(book.changed_counts):
            owner = owners[customer_id]
            count = owner.counts[key]
            row = {
                "tenant_id": tenant_id,
                "customer_id": customer_id,
                "key": key,
                "units": f"{count.units:f}",
                "volume": f"{count.volume:f}",
            }
            (stored if key in owner.stored else new).append(row)
            owner.stored.add(key)
        if new:
            self.connection.insert(COUNTERS, new)
        self._update(COUNTERS, ("tenant_id", "customer_id", "key"), stored)

    def _find(
        self,
        table: Any,
        by: tuple[str, ...],
        keys: Iterable[tuple[Any, ...]],
        where: str = "",
        at_most: str = "",
    ) -> list[dict[str, Any]]:
        wanted = list(keys)
        return self.connection.find(table, by, wanted, where, at_most) if wanted else []

    def _update(self, table: Any, by: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
        if rows:
            self.connection.update(table, by, rows)


def _may_hold(customer: Customer, swept: set[int]) -> bool:
    """Whether it is worth looking for holds that are due. One of nothing is closed by a sweep, but
    a budget may count what its work was to cost."""
    if customer.id in swept or customer.has_budgets:
        return True
    return any(account.held for account in customer.accounts.values())


def _is_due(customer: Customer, now: int) -> bool:
    return customer.next_due_at is not None and customer.next_due_at <= now


def _business_key(account: Account) -> tuple[int, AccountKind, str]:
    return account.tenant_id, account.kind, account.asset.code
