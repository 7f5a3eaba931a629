"""Accounts are fully apart: no route or tool, asked with another account's ids, tells or changes
anything of theirs. The same for test against live."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import event
from sqlalchemy.orm import Mapper
from sqlmodel import SQLModel, select

from credyt_mcp.app import System
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.provider_tables import PaymentAccountRow
from credyt_mcp.storage.tables import ApiKeyRow
from credyt_mcp.use_cases.context import perform
from credyt_mcp.use_cases.ledger import VerifyLedger, verify_ledger
from tests.tenancy.conftest import Account, Server
from tests.tenancy.requests import OTLP, Asked, everything, over_rest
from tests.tenancy.world import World, fill

WITHOUT_KEY = (
    *("/checkout/", "/portal", "/docs", "/redoc", "/openapi.json", "/healthz", "/metrics"),
    "/providers/stripe/",
)
"""Pages, which their unguessable links open, what says nothing of any account, and deliveries that
a payment provider signs."""

NOBODYS_TABLES = {"tenants"}
NOTED_LATER = ("api_keys", "last_used_at")
"""A platform that acts for an account uses its own key."""


def everything_of(database: Database, tenant_id: int) -> dict[str, list[Any]]:
    """The account's rows in every table, byte for byte."""
    found: dict[str, list[Any]] = {}
    with database.engine.connect() as connection:
        for table in SQLModel.metadata.sorted_tables:
            columns = [c for c in table.columns if (table.name, c.name) != NOTED_LATER]
            whose = table.c.id if table.name in NOBODYS_TABLES else table.c.tenant_id
            rows = select(*columns).where(whose == tenant_id).order_by(*table.primary_key)
            found[table.name] = [tuple(row) for row in connection.execute(rows)]
    return found


async def tenant_of(world: World, system: System) -> int:
    """The tenant's number in the database, by way of the key ring that serves its requests."""
    key, account = world.headers["X-CREDYT-API-KEY"], world.headers.get("X-CREDYT-ACCOUNT")
    return (await system.keys.admit(key, account)).tenant.id


@contextmanager
def rows_read(tenant_id: int) -> Iterator[set[str]]:
    """Tables of which a row of the tenant is read meanwhile, whether or not it is told."""
    seen: set[str] = set()

    def note(row: Any, _: Any) -> None:
        # The key that asks may be the platform's own, and so may the Stripe that takes payments.
        of_platform = isinstance(row, ApiKeyRow | PaymentAccountRow)
        if getattr(row, "tenant_id", None) == tenant_id and not of_platform:
            seen.add(type(row).__name__)

    event.listen(Mapper, "load", note)
    try:
        yield seen
    finally:
        event.remove(Mapper, "load", note)


async def assert_apart(server: Server, system: System, owner: World, intruder: World) -> None:
    """Ask everything with the owner's ids as the intruder: nothing is read, told or changed."""
    tenant_id = await tenant_of(owner, system)
    before = everything_of(system.billing.database, tenant_id)
    with rows_read(tenant_id) as read:
        for asked in everything(server.document, owner.values):
            answer = await intruder.ask(asked)
            assert answer.status_code < 500, (asked, answer.text)
            assert "internal_error" not in answer.text, (asked, answer.text)
            assert not owner.leaked(asked, answer), (asked, answer.headers, answer.text)
            assert not read, asked
    assert everything_of(system.billing.database, tenant_id) == before
    books = await perform(system.billing, verify_ledger, VerifyLedger())
    assert books.ok, books.problems


async def blind_routes(server: Server, world: World) -> set[str]:
    """Reading routes that find nothing of the world's own."""
    found: Counter[str] = Counter()
    for asked in over_rest(server.document, world.values):
        if asked.method == "GET":
            found[asked.of] += (await world.ask(asked)).status_code in (200, 303)
    return {name for name, times in found.items() if not times}


@pytest.mark.parametrize(
    ("owner", "intruder"),
    [
        ("platform", "acme"),
        ("acme", "platform"),
        ("acme", "other"),
        ("platform", "live"),
        ("live", "platform"),
    ],
)
async def test_nothing_of_an_account_is_told_to_or_changed_by_another(
    server: Server, account: Account, system: System, owner: str, intruder: str
) -> None:
    theirs, ours = await account(owner), await account(intruder)
    await fill(theirs)
    await assert_apart(server, system, theirs, ours)


async def test_equal_codes_and_ids_of_two_accounts_never_meet(
    server: Server, account: Account, system: System
) -> None:
    theirs, ours = await account("acme"), await account("other")
    for world in (theirs, ours):
        await fill(world)
    # Each finds its own under the names they share; neither has accounts.
    assert await blind_routes(server, ours) == {"GET /accounts/{connected_account_id}"}
    await assert_apart(server, system, theirs, ours)


async def test_the_owner_sees_it_all(server: Server, account: Account, system: System) -> None:
    """Or the tests above would prove nothing."""
    world = await fill(await account("platform"))
    blind = await blind_routes(server, world)
    assert not blind, f"the world has nothing for {blind}: make it in tests/tenancy/world.py"
    tenant_id = await tenant_of(world, system)
    assert world.marker in str(everything_of(system.billing.database, tenant_id))
    with rows_read(tenant_id) as read:
        await world.ask(Asked("", "GET", "/customers/jane"))
    assert "CustomerRow" in read


async def test_every_route_stands_in_the_document_or_needs_no_key(server: Server) -> None:
    documented = set(server.document["paths"])
    others = {
        context.path_format or context.path
        for context in iter_route_contexts(server.routes.routes)
        if (context.path_format or context.path) not in documented
    }
    keyless = {path for path in others if path and path.startswith(WITHOUT_KEY)}
    assert others - keyless == {OTLP}


def test_every_table_says_whose_a_row_is() -> None:
    without = {
        table.name for table in SQLModel.metadata.sorted_tables if "tenant_id" not in table.columns
    }
    assert without == NOBODYS_TABLES
