"""The same requests as `reference.Wallet`'s, made of the running system through its use cases."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from credyt_mcp.app import System, running
from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import CredytError, InsufficientBalance
from credyt_mcp.settings import Settings
from credyt_mcp.use_cases.adjustments import create_adjustment
from credyt_mcp.use_cases.authorizations import (
    authorize_usage,
    capture_authorization,
    extend_authorization,
    get_authorization,
    release_authorization,
)
from credyt_mcp.use_cases.context import perform
from credyt_mcp.use_cases.events import record_event
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.limits import set_wallet_limits
from credyt_mcp.use_cases.sweeping import sweep
from credyt_mcp.use_cases.wallets import get_account
from tests.authorizations.reference import Answer
from tests.conftest import NOW
from tests.samples import a_product, a_wallet, credits_asset, unit_price, volume_price

Account = tuple[int, int]
Hold = tuple[str, int, list[tuple[str, int, int, int]], bool, bool]


def thousandths(amount: Decimal) -> int:
    units = amount * 1000
    assert units == int(units)
    return int(units)


class House:
    """A running system on one database, asked from outside its event loop."""

    def __init__(self, portal: BlockingPortal, system: System, clock: FrozenClock) -> None:
        self.portal, self.system, self.clock = portal, system, clock
        self.customers = 0

    async def call(self, use_case: Any, **fields: Any) -> Any:
        command = typing.get_type_hints(use_case)["command"]
        return await perform(self.system.billing, use_case, command.model_validate(fields))

    async def set_up(self) -> None:
        await credits_asset(self.call)
        fallback = unit_price(10, asset="credits", event_type="render")
        fallback["pricing"].append({"asset": "USD", "values": [{"unit_price": "0.5"}]})
        prices = [
            unit_price(4),
            volume_price("0.5"),
            fallback,
            unit_price(1, event_type="twice"),
            unit_price("0.25", event_type="twice", name="More"),
            unit_price(2, event_type="both"),
            unit_price(3, asset="credits", event_type="both", name="Credits"),
        ]
        await a_product(self.call, *prices)

    def customer(self) -> RealWallet:
        self.customers += 1
        name = f"customer-{self.customers}"
        self.portal.call(self._customer, name)
        return RealWallet(self, name)

    async def _customer(self, name: str) -> None:
        await a_wallet(self.call, "studio", who=name)

    def sweep(self) -> int:
        return self.portal.call(sweep, self.system.billing)


@contextmanager
def house(database_url: str) -> Iterator[House]:
    clock = FrozenClock(NOW)
    settings = Settings(database_url=database_url, _env_file=None)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(running(settings, clock=clock)) as system,
    ):
        opened = House(portal, system, clock)
        portal.call(opened.set_up)
        yield opened


class RealWallet:
    """Names of holds, events and debits become the customer's own."""

    def __init__(self, opened: House, customer: str) -> None:
        self.house, self.customer = opened, customer
        self.opened_at = opened.clock.now()

    def ask(self, use_case: Any, **fields: Any) -> Answer:
        """`done`, `repeated` or the code of the refusal; the facts of a denial."""
        for name in ("id", "authorization_id", "transaction_id", "extension_id"):
            if fields.get(name) is not None:
                fields[name] = self.own(fields[name])
        return self._performed(use_case, fields)

    def authorize(self, **fields: Any) -> Answer:
        return self.ask(authorize_usage, customer_id=self.customer, **fields)

    def extend(self, **fields: Any) -> Answer:
        return self.ask(extend_authorization, **fields)

    def release(self, name: str) -> Answer:
        return self.ask(release_authorization, authorization_id=name)

    def capture(self, **fields: Any) -> Answer:
        if "event" in fields:
            fields["event"] = {**fields["event"], "id": self.own(fields["event"]["id"])}
        return self.ask(capture_authorization, **fields)

    def record(self, **fields: Any) -> Answer:
        return self.ask(record_event, customer_id=self.customer, **fields)

    def adjust(self, **fields: Any) -> Answer:
        return self.ask(create_adjustment, customer_id=self.customer, reason="other", **fields)

    def limit(self, asset: str, **fields: Any) -> Answer:
        account = {"customer_id": self.customer, "account_id": f"default:{asset}"}
        return self.ask(set_wallet_limits, **account, **fields)

    def account(self, asset: str) -> Account:
        found = self._read(get_account, customer_id=self.customer, account_id=f"default:{asset}")
        return thousandths(found.available), thousandths(found.pending_out)

    def hold(self, name: str) -> Hold:
        found = self._read(get_authorization, authorization_id=self.own(name))
        holds = found.holds or ([found] if found.asset else [])
        legs = [
            (leg.asset, *map(thousandths, (leg.amount, leg.held, leg.captured))) for leg in holds
        ]
        expires = (found.expires_at - self.opened_at) // timedelta(seconds=1)
        return found.status, expires, legs, bool(found.exceeded), bool(found.late)

    def problems(self) -> list[str]:
        problems: list[str] = self._read(verify_ledger).problems
        return problems

    def own(self, name: str) -> str:
        return f"{self.customer}-{name}"

    def _read(self, use_case: Any, **fields: Any) -> Any:
        return self.house.portal.call(lambda: self.house.call(use_case, **fields))

    def _performed(self, use_case: Any, fields: dict[str, Any]) -> Answer:
        try:
            result = self.house.portal.call(lambda: self.house.call(use_case, **fields))
        except InsufficientBalance as denied:
            facts = denied.facts
            return denied.code, {
                "available": thousandths(Decimal(facts["available"])),
                "missing": thousandths(Decimal(facts["missing"])),
                "asset": facts["asset"],
            }
        except CredytError as refused:
            return refused.code, {}
        return "repeated" if getattr(result, "duplicate", False) else "done", {}
