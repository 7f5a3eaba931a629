"""Every hot statement finds its rows by index in tables of 200,000 rows, on SQLite and on Postgres,
where statistics are missing as well as where they are fresh."""

from __future__ import annotations

import typing
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from credyt_mcp.app import System, running
from credyt_mcp.clock import FrozenClock
from credyt_mcp.settings import Settings
from credyt_mcp.storage.database import Database
from credyt_mcp.use_cases.adjustments import create_adjustment, create_charge
from credyt_mcp.use_cases.authorizations import (
    authorize_usage,
    capture_authorization,
    extend_authorization,
    get_authorization,
    release_authorization,
)
from credyt_mcp.use_cases.context import perform
from credyt_mcp.use_cases.customers import get_customer, list_customers
from credyt_mcp.use_cases.events import get_event, list_events, record_event, submit_events
from credyt_mcp.use_cases.limits import set_wallet_limits
from credyt_mcp.use_cases.notices import list_notices
from credyt_mcp.use_cases.sweeping import sweep
from credyt_mcp.use_cases.wallets import get_account, get_transaction, get_wallet, list_grants
from tests.conftest import API_KEY, NOW
from tests.samples import TIERED, a_product, a_wallet, unit_price
from tests.storage.grown import BIG, grow, plans, rows_read, sqlite_plan

pytestmark = pytest.mark.slow

ROWS_MAX, STEPS_MAX = 1000, 20_000
Do = Callable[..., Awaitable[Any]]


def calls(system: System) -> Do:
    async def call(use_case: Any, **fields: Any) -> Any:
        command = typing.get_type_hints(use_case)["command"]
        return await perform(system.billing, use_case, command.model_validate(fields))

    return call


def settings(url: str) -> Settings:
    return Settings(database_url=url, api_key=API_KEY, _env_file=None)


async def one_of_each(url: str) -> None:
    """A row of every table that will grow, as use cases write them."""
    async with running(settings(url), clock=FrozenClock(NOW)) as system:
        call = calls(system)
        await a_product(call, unit_price("0.01"), TIERED)
        await a_wallet(call, "studio", credit=100)
        await call(
            set_wallet_limits,
            customer_id="jane",
            account_id="default:USD",
            low_balance_threshold=95,
        )
        await call(create_charge, customer_id="jane", transaction_id="t0", asset="USD", amount=10)
        await call(record_event, customer_id="jane", id="e0", event_type="call")
        await call(authorize_usage, customer_id="jane", id="a0", amount=1, expires_in=10**6)


async def hot_paths(call: Do, who: str, name: str) -> None:
    """What apps do all day."""
    event = {"customer_id": who, "event_type": "call"}
    await call(record_event, id=f"{name}-1", **event)
    await call(record_event, id=f"{name}-1", **event)
    several = [{"id": f"{name}-{n}", "event_type": "image"} for n in range(2, 22)]
    await call(submit_events, customer_id=who, events=several)
    hold = {"customer_id": who, "expires_in": 600}
    await call(authorize_usage, id=f"{name}-a", event_type="call", **hold)
    await call(
        capture_authorization,
        authorization_id=f"{name}-a",
        event={"id": f"{name}-c", "event_type": "call"},
    )
    await call(authorize_usage, id=f"{name}-b", amount=1, **hold)
    await call(extend_authorization, authorization_id=f"{name}-b", amount=1)
    await call(get_authorization, authorization_id=f"{name}-b")
    await call(capture_authorization, authorization_id=f"{name}-b", amount=1)
    await call(authorize_usage, id=f"{name}-d", amount=1, **hold)
    await call(release_authorization, authorization_id=f"{name}-d")
    gift = {"customer_id": who, "asset": "USD", "amount": 1, "reason": "gift"}
    await call(create_adjustment, transaction_id=f"{name}-t", **gift)
    await call(get_transaction, customer_id=who, transaction_id=f"{name}-t")
    await call(get_wallet, customer_id=who)
    await call(get_account, customer_id=who, account_id="default:USD")
    await call(list_grants, customer_id=who, account_id="default:USD", exclude_expired=True)
    await call(get_customer, customer_id=who)
    await call(get_event, event_id=f"{name}-1")
    await call(list_events, customer_external_id=who, limit=5)
    customer = (await call(list_customers, external_id=who)).items[0]
    await call(list_events, customer_id=customer.id, limit=5)
    await call(list_events, event_id=f"{name}-1")


def faults(kind: str, asked: list[tuple[str, Any]], path: str) -> set[str]:
    """The statements that read more than they should, and how."""
    found = set()
    for sql, plan in asked:
        short = " ".join(sql[max(0, sql.find("FROM")) :].split())
        if plan is not None:
            for table, scan, rows in rows_read(plan):
                if scan == "Seq Scan" or rows > ROWS_MAX:
                    found.add(f"{kind}: {scan} of {table}: {short}")
        elif sql.split()[0].upper() in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            lines, steps = sqlite_plan(path, sql)
            # A scan of a partial index may be what is meant: its steps tell.
            whole = [line for line in lines if line.startswith("SCAN") and "INDEX" not in line]
            scans = [line for line in whole if line.split()[1] in BIG]
            if scans or steps > STEPS_MAX:
                found.add(f"{kind}: {lines}: {short}")
    return found


async def test_hot_statements_use_indexes_on_grown_tables(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await one_of_each(database_url)
    with closing(Database(database_url)) as database:
        grow(database)
        sqlite, path = database.is_sqlite, str(database.url.database)
        found = await _faults(database_url, monkeypatch, "no statistics", sqlite, path)
        with database.engine.connect() as connection:
            connection.execute(text("ANALYZE"))
            connection.commit()
        found |= await _faults(database_url, monkeypatch, "statistics", sqlite, path)
    assert not found, "\n".join(sorted(found))


async def _faults(
    url: str, monkeypatch: pytest.MonkeyPatch, kind: str, sqlite: bool, path: str
) -> set[str]:
    clock = FrozenClock(NOW + timedelta(minutes=1))
    with plans(monkeypatch, sqlite=sqlite) as asked:
        async with running(settings(url), clock=clock) as system:
            call = calls(system)
            await hot_paths(call, "jane", f"jane {kind}")
            await hot_paths(call, "who77", f"who77 {kind}")
            await sweep(system.billing)
            hot = len(asked)
            await call(list_notices, limit=5)
    assert hot > 100
    # A page of all there is counts it all, and without statistics may be sorted, too.
    page = [(sql, plan) for sql, plan in asked[hot:] if "count(" not in sql]
    return faults(kind, asked[:hot] + (page if kind == "statistics" else []), path)
