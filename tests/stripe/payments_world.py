"""One of our systems and the fake Stripe in one process, asked from outside their loops, so that
any order of what customers, banks, Stripe and our own processes do can be played."""

from __future__ import annotations

import asyncio
import typing
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from credyt_mcp.app import System, running
from credyt_mcp.clock import FrozenClock, SystemClock
from credyt_mcp.errors import CredytError
from credyt_mcp.settings import Settings
from credyt_mcp.use_cases.context import perform
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.open_payments import fetch_undelivered, follow_up
from credyt_mcp.use_cases.provider_events import look_into_events, receive_provider_event
from credyt_mcp.use_cases.top_ups import get_top_up
from credyt_mcp.use_cases.topup_flows import generate_topup_flow
from tests.fake_stripe.account import Account, Fault, Object
from tests.fake_stripe.deliveries import delivery
from tests.fake_stripe.server import Server
from tests.samples import a_wallet, balances
from tests.stripe.conftest import SECRET, FakeStripe
from tests.stripe.crashing import Crash, Seams

Trouble = int | tuple[str, int] | None


class World:
    def __init__(
        self, portal: BlockingPortal, database_url: str, stripe: Server, seams: Seams
    ) -> None:
        self.fake = FakeStripe(stripe.url)
        self.account: Account = stripe.account(self.fake.key, "")
        self.clock = FrozenClock(SystemClock().now())
        self._portal, self._seams = portal, seams
        self._settings = Settings(
            database_url=database_url,
            webhook_worker=False,
            stripe_api_key=self.fake.key,
            stripe_webhook_secret=SECRET,
            stripe_api_base=self.fake.base,
            _env_file=None,
        )
        self._running = ExitStack()
        self._customers = 0

    def start(self) -> None:
        """A process of ours starts, on whatever the last one left."""
        opened = running(self._settings, clock=self.clock)
        context = self._portal.wrap_async_context_manager(opened)
        self.system: System = self._running.enter_context(context)
        self._seams.around_commits(self.system)

    def end(self) -> None:
        """It ends; one that crashed cannot even tidy up."""
        lane, clocks = self.system.billing.lane, self.system.billing.clocks
        with suppress(Crash):
            self._running.close()
        lane._connection.close()
        clocks.close()

    def customer(self) -> str:
        self._customers += 1
        name = f"customer-{self._customers}"
        self._portal.call(lambda: a_wallet(self._call, who=name))
        return name

    @contextmanager
    def in_trouble(self, trouble: Trouble) -> Iterator[None]:
        """While this is done Stripe fails so often, or our process ends at that seam."""
        if isinstance(trouble, int):
            self._seams.left = trouble
        elif trouble is not None:
            self.account.faults = [Fault(*trouble, "")]
        yield
        self._seams.left, self.account.faults = 0, []

    def begin_top_up(self, customer: str, usd: int) -> None:
        self.ask(lambda: self._call(generate_topup_flow, customer_id=customer, amount=usd))

    def success_page(self, payment: str) -> None:
        self.ask(lambda: self._call(get_top_up, top_up_id=payment))

    def deliver(self, event: Object, *, thin: bool) -> None:
        """Stripe gives an event up only once it was taken."""
        one = delivery(event, SECRET, thin=thin)
        taken = self.ask(
            lambda: self._call(
                receive_provider_event, body=one.body.encode(), signature=one.signature
            )
        )
        if taken is not None:
            event["pending_webhooks"] = 0

    def poll(self) -> None:
        self.ask(lambda: follow_up(self.system.billing))

    def look_into_events(self) -> None:
        self.ask(lambda: look_into_events(self.system.billing))

    def fetch_undelivered(self) -> None:
        self.ask(lambda: fetch_undelivered(self.system.billing))

    def all_at_once(self, payments: list[str]) -> None:
        """Success pages and two pollers in one moment, as several processes would."""

        async def everybody() -> None:
            pages = [self._call(get_top_up, top_up_id=payment) for payment in payments * 2]
            polls = [follow_up(self.system.billing) for _ in range(2)]
            done = await asyncio.gather(*pages, *polls, return_exceptions=True)
            if any(isinstance(one, Crash) for one in done):
                raise Crash

        self.ask(everybody)

    def pass_time(self, minutes: int) -> None:
        self.clock.advance(timedelta(minutes=minutes))
        self.account.ahead += minutes * 60

    def balance(self, customer: str) -> Decimal:
        found = self._portal.call(lambda: balances(self._call, customer))
        return found.get("default:USD", Decimal(0))

    def problems(self) -> list[str]:
        problems: list[str] = self._portal.call(lambda: self._call(verify_ledger)).problems
        return problems

    def ask(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """What came of it; None where it was refused, or where our process died of it and another
        one has been started."""

        async def asked() -> Any:
            with suppress(CredytError):
                return await self._seams.survive(work(), self.system.billing.lane)
            return None

        answer = self._portal.call(asked)
        if answer is not Crash:
            return answer
        self.end()
        self.start()
        return None

    async def _call(self, use_case: Any, **fields: Any) -> Any:
        command = typing.get_type_hints(use_case)["command"]
        return await perform(self.system.billing, use_case, command.model_validate(fields))


@contextmanager
def world(database_url: str) -> Iterator[World]:
    seams, stripe = Seams(), Server()
    stripe.start()
    with pytest.MonkeyPatch.context() as patch, start_blocking_portal() as portal:
        seams.around_stripe(patch)
        opened = World(portal, database_url, stripe, seams)
        opened.start()
        yield opened
        opened.end()
        assert opened.account.complaints == []
    stripe.shutdown()
