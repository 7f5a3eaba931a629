"""A customer's life on the test clock, told as a table: on this day this is done, then so much is
there. It speaks REST only, to one server or to several in turn."""

from __future__ import annotations

from calendar import isleap
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count, cycle
from typing import Any, NamedTuple

import httpx

from credyt_mcp import exact_json

GOOD, FAILS_LATER = "4242 4242 4242 4242", "4000 0000 0000 0341"
BACK = {"return_url": "https://app.example/ok", "failure_url": "https://app.example/no"}


class Row(NamedTuple):
    """At noon of `day` (month-day, or with the years since the first) this is done, and then each
    asset has so much available. A life passes all rows in order."""

    day: str
    available: dict[str, str]
    do: Callable[[Life], Awaitable[None]] | None = None
    status: str = ""
    """Of the subscription, where it matters."""


class Life:
    """Jane's, in a year to come that has no 29 February."""

    def __init__(self, clients: Sequence[httpx.AsyncClient]) -> None:
        self._clients = cycle(clients)
        self._numbers = count(1)
        self.year = 0

    async def begin(self, day: str, hour: int) -> None:
        present = datetime.fromisoformat((await self.ask("GET", "/clock"))["now"]).year
        self.year = next(year for year in count(present + 1) if not isleap(year))
        await self.ask("POST", "/clock", to=self.on(day, hour))

    async def live(self, rows: Sequence[Row]) -> None:
        for row in rows:
            await self.ask("POST", "/clock", to=self.on(row.day))
            if row.do is not None:
                await row.do(self)
            wallet = await self.ask("GET", "/customers/jane/wallet")
            seen = {account["asset"]: account["available"] for account in wallet["accounts"]}
            wanted = {asset: Decimal(units) for asset, units in row.available.items()}
            assert {asset: Decimal(units) for asset, units in seen.items()} == wanted, row.day
            if row.status:
                assert (await self.subscription())["status"] == row.status, row.day

    def on(self, day: str, hour: int = 12) -> str:
        """`05-31`, or `1-05-31` for a year later."""
        *later, month, number = (int(part) for part in day.split("-"))
        year = self.year + sum(later)
        return datetime(year, month, number, hour, tzinfo=UTC).isoformat()

    async def ask(self, method: str, path: str, **body: Any) -> Any:
        answer = await next(self._clients).request(method, path, json=body or None)
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return exact_json.loads(answer.content) if answer.content else None

    async def subscription(self) -> Any:
        [only] = (await self.ask("GET", "/customers/jane"))["subscriptions"]
        return only

    async def use(self, images: int) -> None:
        name, subject = f"use-{next(self._numbers)}", {"event_type": "image"}
        events = [{"id": f"{name}-{number}", **subject} for number in range(images)]
        await self.ask("POST", "/events", customer_external_id="jane", events=events)

    async def gift(self, amount: int, **dates: str) -> None:
        """Credit in USD, with `effective_at` and `expires_at`."""
        fields = {"asset": "USD", "amount": amount, "reason": "gift", **dates}
        name = f"gift-{next(self._numbers)}"
        await self.ask("POST", "/customers/jane/wallet/adjustments", transaction_id=name, **fields)

    async def top_up(self, amount: int) -> None:
        jane = await self.ask("GET", "/customers/jane")
        asked = {"customer_id": jane["id"], "amount": amount, "currency": "USD"}
        await self.pay((await self.ask("POST", "/top-ups", **asked, **BACK))["redirect_url"])

    async def pay(self, link: str, card: str = GOOD) -> None:
        paid = await next(self._clients).post(httpx.URL(link).path, data={"card_number": card})
        assert paid.status_code == 303, paid.text

    async def hold(self, amount: int, seconds: int) -> None:
        name = f"hold-{next(self._numbers)}"
        fields = {"id": name, "customer_external_id": "jane", "expires_in": seconds}
        await self.ask("POST", "/authorizations", **fields, amount=amount)


def uses(images: int) -> Callable[[Life], Awaitable[None]]:
    return lambda life: life.use(images)
