"""Top-ups, usage, holds, refunds and disputes in any order: the wallet is what the provider's own
books and the usage say, each once, and the ledger proves itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from credyt_mcp.app import System, running
from credyt_mcp.clock import FrozenClock
from credyt_mcp.entrypoints.http import http_app
from credyt_mcp.errors import (
    AmountOutOfRange,
    InsufficientBalance,
    NotFound,
    QuoteOutdated,
    WrongState,
)
from credyt_mcp.payments.sandbox import SandboxProvider
from credyt_mcp.settings import Settings
from credyt_mcp.use_cases.adjustments import create_charge
from credyt_mcp.use_cases.authorizations import authorize_usage
from credyt_mcp.use_cases.open_payments import follow_up
from credyt_mcp.use_cases.refunds import list_disputes, quote_refund, refund_top_up
from credyt_mcp.use_cases.reversals import settle_reversals
from credyt_mcp.use_cases.top_ups import start_top_up
from tests.callers import caller
from tests.conftest import NOW
from tests.refunds.shop import FAILING, GOOD, PENDING, Shop
from tests.samples import a_wallet, credits_asset

pytestmark = pytest.mark.slow

REFUSALS = (AmountOutOfRange, InsufficientBalance, NotFound, QuoteOutdated, WrongState)

pick = st.integers(0, 7)
cents = st.sampled_from([1, 37, 250, 333, 499, 500, 600, 1000])
steps = st.one_of(
    st.tuples(st.just("top_up"), cents, st.sampled_from([GOOD, GOOD, PENDING, FAILING])),
    st.tuples(st.just("spend"), cents, st.none()),
    st.tuples(st.just("hold"), cents, st.none()),
    st.tuples(st.just("refund"), pick, st.one_of(st.none(), cents)),
    st.tuples(st.just("refund_spent"), pick, cents),
    st.tuples(
        st.just("refund_there"),
        pick,
        st.tuples(cents, st.sampled_from(["succeeded", "pending", "failed"])),
    ),
    st.tuples(st.just("dispute"), pick, st.one_of(st.none(), cents)),
    *[st.tuples(st.just("decide"), pick, st.booleans())] * 3,
    st.tuples(st.just("told_again"), pick, st.none()),
)

SPENT_AND_RETURNED = [
    *[("spend", 19000, None), ("refund_there", 0, (1000, "pending")), ("decide", 1, False)],
    *[("told_again", 0, None), ("refund", 0, None), ("hold", 37, None)],
]
DISPUTED_AND_WON = [
    *[("spend", 600, None), ("dispute", 0, None), ("decide", 0, True), ("top_up", 500, GOOD)],
    *[("told_again", 0, None), ("decide", 0, False), ("refund_spent", 1, 250)],
]


class World:
    """A running system and one customer after the other."""

    def __init__(self, system: System, clock: FrozenClock, web: httpx.AsyncClient) -> None:
        self.system, self.clock, self.web = system, clock, web
        self.call = caller(system.billing)
        self.number = 0

    async def play(self, asset: str, todo: list[tuple[str, Any, Any]]) -> None:
        self.number += 1
        life = Life(self, f"c{self.number}", asset)
        await a_wallet(self.call, who=life.who)
        for step, what, how in todo:
            # Refusals are part of life; what they leave behind is checked.
            with suppress(*REFUSALS):
                await getattr(life, step)(what, how)
        await self.settle()
        await life.check()

    async def settle(self) -> None:
        """Everything open is asked after."""
        self.clock.advance(timedelta(hours=7))
        await follow_up(self.system.billing)


class Life:
    def __init__(self, world: World, who: str, asset: str) -> None:
        self.world, self.call, self.who, self.asset = world, world.call, who, asset
        self.shop = Shop(world.call, world.web)
        self.top_ups: list[str] = []
        self.spent = 0
        self.facts = 0
        provider = world.system.billing.payments
        assert isinstance(provider, SandboxProvider)
        self.provider = provider

    async def top_up(self, amount: int, card: str) -> None:
        made = await self.call(
            start_top_up,
            customer_id=self.who,
            amount=Decimal(amount) / 100,
            currency="USD",
            destination={"asset": self.asset},
        )
        self.top_ups.append(made.id)
        await self.world.web.post(httpx.URL(made.redirect_url).path, data={"card_number": card})

    async def spend(self, amount: int, _: Any) -> None:
        await self.call(
            create_charge,
            customer_id=self.who,
            transaction_id=self._name(),
            asset=self.asset,
            amount=Decimal(amount) / 100,
        )
        self.spent += amount

    async def hold(self, amount: int, _: Any) -> None:
        await self.call(
            authorize_usage,
            id=self._name(),
            customer_id=self.who,
            asset=self.asset,
            amount=Decimal(amount) / 100,
            expires_in=60,
        )

    async def refund(self, which: int, part: int | None) -> None:
        quote = await self.call(quote_refund, top_up_id=self._one(which))
        part_of = {} if part is None else {"amount": Decimal(part) / 100}
        await self.call(
            refund_top_up, top_up_id=quote.top_up_id, quoted=quote.refundable, **part_of
        )

    async def refund_spent(self, which: int, amount: int) -> None:
        quote = await self.call(quote_refund, top_up_id=self._one(which))
        await self.call(
            refund_top_up,
            top_up_id=quote.top_up_id,
            quoted=quote.refundable,
            amount=Decimal(amount) / 100,
            include_spent=True,
        )

    async def refund_there(self, which: int, how: tuple[int, str]) -> None:
        amount, outcome = how
        await self.shop.refund_there(
            self._one(which), amount=Decimal(amount) / 100, outcome=outcome
        )

    async def dispute(self, which: int, part: int | None) -> None:
        part_of = {} if part is None else {"amount": Decimal(part) / 100}
        await self.shop.dispute(self._one(which), **part_of)

    async def decide(self, which: int, is_told: bool) -> None:
        """The provider goes one of the steps that are possible; we may hear of it much later."""
        possible = [
            (one, step) for _, gone in self._payments() for one in gone for step in one.steps
        ]
        if not possible:
            raise NotFound("nothing to decide")
        one, step = possible[which % len(possible)]
        if is_told:
            await self.shop.step(one.id, step)
        else:
            self.provider.step(self.world.system.billing.tenant.id, one.id, step)

    async def told_again(self, which: int, _: Any) -> None:
        for _again in range(2):
            await settle_reversals(self.world.system.billing, self._one(which))

    async def check(self) -> None:
        await self.shop.books_are_right()
        wallet, held = Fraction(0), Fraction(0)
        for payment, gone in self._payments():
            out = sum(one.amount_minor for one in gone if one.is_out)
            frozen = sum(
                one.amount_minor
                for one in gone
                if one.kind == "dispute" and one.status == "open" and not one.is_out
            )
            wallet += Fraction(payment.amount_minor - out, 100)
            held += Fraction(frozen, 100)
        rate = Fraction(1) if self.asset == "USD" else Fraction("0.05")
        account = await self.shop.account(self.who, self.asset)
        balance = Fraction(account.available + account.pending_out)
        # Each reversal rounds to a unit of the asset's scale.
        allowed = 0 if self.asset == "USD" else Fraction(50, 10**6)
        assert abs(balance - (wallet / rate - Fraction(self.spent, 100))) <= allowed
        assert abs(Fraction(account.pending_out) - held / rate) <= allowed
        disputes = await self.call(list_disputes, customer_id=self.who, status="open", limit=100)
        assert (sum(one.frozen for one in disputes.items) == 0) is (held == 0)

    def _payments(self) -> list[Any]:
        tenant_id = self.world.system.billing.tenant.id
        paid = self.provider.payments(tenant_id)
        return [one for one in paid if one[0].reference in self.top_ups]

    def _one(self, which: int) -> str:
        return self.top_ups[which % len(self.top_ups)] if self.top_ups else "top_none"

    def _name(self) -> str:
        self.facts += 1
        return f"{self.who}-{self.facts}"


@contextmanager
def world(url: str) -> Iterator[tuple[BlockingPortal, World]]:
    clock = FrozenClock(NOW)
    where = Settings(database_url=url, webhook_worker=False, _env_file=None)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(running(where, clock=clock)) as system,
    ):
        transport = httpx.ASGITransport(http_app(system.billing, system.keys))
        web = httpx.AsyncClient(transport=transport, base_url="http://test")
        made = World(system, clock, web)
        portal.call(credits_asset, made.call)
        yield portal, made


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_the_wallet_is_the_sum_of_money_facts(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'credyt.db'}"
    if database == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "credyt.db")
    else:
        base = request.getfixturevalue("postgres_server")
        with psycopg.connect(base, autocommit=True) as admin:
            admin.execute(b"CREATE DATABASE any_order TEMPLATE migrated")
        url = base.replace("/postgres?", "/any_order?")
    with world(url) as (portal, made):

        @settings(
            max_examples=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @example("credits", SPENT_AND_RETURNED)
        @example("USD", DISPUTED_AND_WON)
        @given(st.sampled_from(["USD", "credits"]), st.lists(steps, min_size=10, max_size=20))
        def play(asset: str, todo: list[tuple[str, Any, Any]]) -> None:
            portal.call(made.play, asset, [("top_up", 1000, GOOD), *todo])

        play()
