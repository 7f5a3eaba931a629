"""Migrations: from nothing, from every older schema with data in it, and what they add up to."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from threading import Barrier

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlmodel import SQLModel, select

from credyt_mcp.app import open_database, running
from credyt_mcp.errors import SchemaOutdated
from credyt_mcp.settings import Settings
from credyt_mcp.storage import schema
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.payment_tables import SubscriptionPaymentRow
from credyt_mcp.storage.provider_refs import StoredReferences
from credyt_mcp.use_cases.context import PageOf, perform
from credyt_mcp.use_cases.keys import list_keys
from credyt_mcp.use_cases.ledger import VerifyLedger, verify_ledger
from credyt_mcp.use_cases.notices import list_notices
from credyt_mcp.use_cases.wallets import GetAccount, get_account
from credyt_mcp.use_cases.webhook_events import SendTest, send_test

OLD_WALLET = """
INSERT INTO tenants (id, account_id, account_name, environment, created_at)
VALUES (900, 'acc_old', 'default', 'test', 0);
INSERT INTO api_keys (id, tenant_id, name, shown, key_hash, created_at)
VALUES ('apk_old', 900, 'old', 'key_…', {key}, 0);
INSERT INTO customers (id, tenant_id, public_id, external_id, name, details, created_at)
VALUES (1, 900, 'cust_old', 'jane', 'Jane', '{}', 0);
INSERT INTO ledger_accounts (id, tenant_id, customer_id, kind, name, asset, balance, created_at)
VALUES (1, 900, 1, 'wallet', 'default', 'USD', 5000000000, 0),
       (2, 900, 0, 'promotion', 'default', 'USD', 0, 0);
INSERT INTO ledger_transactions (id, tenant_id, key, kind, client_id, customer_id, account_id,
    amount, details, recorded_at, executed_at)
VALUES (1, 900, {key}, 'adjustment', 'g1', 1, 1, 5000000000, '{"reason":"gift"}', 0, 0);
INSERT INTO ledger_entries (id, tenant_id, transaction_id, account_id, amount, balance_after)
VALUES (2, 900, 1, 1, 5000000000, 5000000000), (3, 900, 1, 2, -5000000000, NULL);
INSERT INTO grants (id, tenant_id, account_id, transaction_id, purpose, source, priority, amount,
    remaining, booked, effective_at, expires_at, created_at)
VALUES (4, 900, 1, 1, 'promotion', 'adjustment', 100, 5000000000, 5000000000, 1, 0, NULL, 0);
"""


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'new' / 'credyt.db'}"
        return
    base = request.getfixturevalue("postgres_server")
    name = f"e{abs(hash(str(tmp_path)))}"
    with psycopg.connect(base, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    yield base.replace("/postgres?", f"/{name}?")


def test_the_migrations_make_exactly_the_declared_tables(empty_url: str) -> None:
    database = Database(empty_url)
    schema.upgrade(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, SQLModel.metadata) == []
    database.close()


@pytest.mark.parametrize("older", ["0001", "0002", "0003", "0005", "0008"])
async def test_an_older_database_is_upgraded_with_its_wallets(empty_url: str, older: str) -> None:
    database = Database(empty_url)
    schema.upgrade(database, older)
    key = f"X'{'07' * 16}'" if database.is_sqlite else f"'\\x{'07' * 16}'"
    with database.engine.connect().execution_options(writes=True) as connection:
        for statement in OLD_WALLET.replace("{key}", key).strip().split(";\n"):
            connection.execute(text(statement.rstrip(";").replace(":", "\\:")))
        connection.commit()
    database.close()
    settings = Settings(database_url=empty_url, _env_file=None)
    async with running(settings, auto_upgrade=True) as system:
        command = GetAccount(customer_id="jane", account_id="default:USD")
        account = await perform(system.billing, get_account, command)
        assert (account.available, account.pending_out) == (5, 0)
        assert (await perform(system.billing, verify_ledger, VerifyLedger())).ok
        [key] = list_keys(system.billing.database)
        assert (key.scopes, key.last_used_at) == (["read", "write", "money", "admin"], None)


async def test_older_notices_say_what_newer_ones_do(empty_url: str) -> None:
    database = Database(empty_url)
    schema.upgrade(database, "0003")
    key = f"X'{'07' * 16}'" if database.is_sqlite else f"'\\x{'07' * 16}'"
    low = """{"balance":1500000000,"threshold":2000000000}"""
    old = f"""{OLD_WALLET.replace("{key}", key)}INSERT INTO notices
(id, tenant_id, kind, customer_id, account_id, details, created_at)
VALUES (1, 900, 'balance.low', 1, 1, '{low}', 5)"""
    with database.engine.connect().execution_options(writes=True) as connection:
        for statement in old.strip().split(";\n"):
            connection.execute(text(statement.rstrip(";").replace(":", "\\:")))
        connection.commit()
    database.close()
    settings = Settings(database_url=empty_url, _env_file=None)
    async with running(settings, auto_upgrade=True) as system:
        await perform(system.billing, send_test, SendTest(topic="balance.low"))
        [jane] = (await perform(system.billing, list_notices, PageOf())).items
    assert jane.id.startswith("evt_")
    assert (jane.balance, jane.threshold, jane.account_id) == (Decimal("1.5"), 2, "default:USD")


OLD_PAYMENT = """
INSERT INTO provider_refs (tenant_id, provider, name, ref)
VALUES (900, 'stripe', 'customer:cust_old', 'cus_old');
INSERT INTO subscription_payments (id, tenant_id, public_id, customer_id, subscription_id, kind,
    period_from, lines, amount, currency, status, attempt, link, provider_ref, created_at)
VALUES (1, 900, 'pay_sandbox', 1, 1, 'first', 0, '[]', 5, 'USD', 'open', 0, 1, 'sbx_1', 7),
       (2, 900, 'pay_stripe', 1, 2, 'first', 0, '[]', 5, 'USD', 'open', 0, 1, 'cs_test_1', 7),
       (3, 900, 'pay_new', 1, 3, 'first', 0, '[]', 5, 'USD', 'open', 0, 0, NULL, 7)
"""


def test_older_payments_know_whom_they_were_begun_with_and_customers_are_taken_over(
    empty_url: str,
) -> None:
    database = Database(empty_url)
    schema.upgrade(database, "0012")
    with database.engine.connect().execution_options(writes=True) as connection:
        for statement in OLD_PAYMENT.strip().split(";\n"):
            connection.execute(text(statement.replace(":", "\\:")))
        connection.commit()
    schema.upgrade(database)
    with database.read() as session:
        rows = session.exec(select(SubscriptionPaymentRow)).all()
        begun = {row.public_id: (row.provider, row.provider_account) for row in rows}
        polled = {row.public_id for row in rows if row.next_poll_at is not None}
    assert begun == {
        "pay_sandbox": ("sandbox", ""),
        "pay_stripe": ("stripe", ""),
        "pay_new": (None, None),
    }
    assert polled == {"pay_sandbox", "pay_stripe"}
    references = StoredReferences(database, "stripe", "acct_now")
    references.adopt("", "key_before")
    assert references.get(900, "customer:cust_old") == "cus_old"
    assert StoredReferences(database, "stripe", "acct_other").get(900, "customer:cust_old") is None
    references.adopt("", "key_before")
    database.close()


def test_a_new_folder_keeps_itself_out_of_the_repository(tmp_path: Path) -> None:
    Database(f"sqlite:///{tmp_path / '.credyt' / 'credyt.db'}").close()
    assert (tmp_path / ".credyt" / ".gitignore").read_text() == "*\n"


def test_many_may_upgrade_at_once(empty_url: str) -> None:
    meet = Barrier(4)

    def upgrade() -> None:
        database = Database(empty_url)
        meet.wait()
        schema.upgrade(database)
        database.close()

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(upgrade) for _ in range(4)]:
            done.result()
    database = Database(empty_url)
    assert schema.is_current(database)
    assert "events" in inspect(database.engine).get_table_names()
    database.close()


def test_postgres_is_not_upgraded_unasked(postgres_server: str) -> None:
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute("CREATE DATABASE unasked")
    url = postgres_server.replace("/postgres?", "/unasked?")
    with pytest.raises(SchemaOutdated, match="db upgrade"):
        open_database(Settings(database_url=url, _env_file=None))
