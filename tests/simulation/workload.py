"""A random but repeatable stream of requests, good and bad, as months go by.

The generator knows only what was asked, never what came of it: the reference model judges that.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.simulation import catalogue
from tests.simulation.operations import (
    Adjust,
    Advance,
    Burst,
    ChangeStatus,
    ChangeVersion,
    Charge,
    Cost,
    Event,
    LookAtTopUp,
    Operation,
    PayTopUp,
    StartTopUp,
    Submit,
)

CARDS = ["4242424242424242"] * 3 + ["4000000000000002"]
VOLUMES = [0, 1, 3, 5, 6, 10, Decimal("25.5"), Decimal("0.000000000001"), Decimal("9.9")]
FIELDS = {
    "image": (),
    "chat": ("tokens", "model"),
    "call": (),
    "store": ("gb",),
    "page": ("pages",),
    "pay": ("amount",),
    "render": ("seconds", "quality"),
    "frame": (),
    "imagee": (),
}
VALUES = {
    "model": ["large", "small", None],
    "quality": ["hd", "sd", None],
    "tokens": [*VOLUMES, 1234, 123456, 10_000_001],
}
AMOUNTS = ["0.01", "2.5", "7", "19.99", "0.000000001", "40.123456789"]


def workload(seed: int, count: int, start: datetime) -> list[Operation]:
    return _Generator(seed, start).operations(count)


class _Generator:
    def __init__(self, seed: int, start: datetime) -> None:
        self.random = random.Random(seed)
        self.now = start
        self.numbers = 0
        self.sent: list[tuple[str, Event]] = []
        self.transfers: list[Adjust | Charge] = []
        self.top_ups = 0

    def operations(self, count: int) -> list[Operation]:
        makers: dict[Callable[[], Operation], int] = {
            self.usage: 40,
            self.repeated_usage: 9,
            self.burst: 4,
            self.adjustment: 16,
            self.charge: 5,
            self.repeated_transfer: 7,
            self.top_up: 4,
            self.payment: 6,
            self.look: 2,
            self.version: 3,
            self.status: 2,
            self.pause: 12,
        }
        made: list[Operation] = []
        while len(made) < count:
            [make] = self.random.choices(list(makers), list(makers.values()))
            made.append(make())
            if make == self.top_up and self.chance(0.7):
                made.append(self.payment())
        return made

    def usage(self) -> Submit:
        customer = self.customer()
        size = self.random.choice([1, 1, 1, 2, 3, 8])
        events = [self.event() for _ in range(size)]
        if self.chance(0.1) and self.sent:
            events.insert(self.random.randrange(size), self.other_usage_of_an_id())
        if self.chance(0.1):
            events.append(self.random.choice(events))
        self.sent += [(customer, event) for event in events]
        return Submit(customer, tuple(events))

    def repeated_usage(self) -> Submit:
        """A retry, perhaps stamped anew, perhaps with something new beside it."""
        if not self.sent:
            return self.usage()
        customer, event = self.random.choice(self.sent)
        if self.chance(0.5):
            event = replace(event, occurred_at=self.now)
        more = (self.event(),) if self.chance(0.3) else ()
        self.sent += [(customer, new) for new in more]
        return Submit(customer, (event, *more))

    def burst(self) -> Burst:
        return Burst(
            tuple(
                self.usage() if self.chance(0.7) else self.repeated_usage()
                for _ in range(self.random.randint(2, 6))
            )
        )

    def event(self) -> Event:
        event_type = self.random.choice(list(FIELDS))
        data: dict[str, Any] = {}
        for name in FIELDS[event_type]:
            value = self.random.choice(VALUES.get(name, VOLUMES))
            if value is not None and not self.chance(0.03):
                data[name] = value
        if self.chance(0.04) and FIELDS[event_type]:
            bad = [-1, "many", True, Decimal("1e14")]
            data[FIELDS[event_type][0]] = self.random.choice(bad)
        occurred_at = None
        if self.chance(0.3):
            minutes = self.random.choice([0, 1, 60, 1440, 14400, 40000, 50400])
            occurred_at = self.now - timedelta(minutes=minutes)
        if self.chance(0.04):
            off = [timedelta(days=-35, microseconds=-1), timedelta(minutes=5, microseconds=1)]
            occurred_at = self.now + self.random.choice([*off, timedelta(minutes=5)])
        costs = tuple(self.cost() for _ in range(self.random.choice([0, 0, 1, 2])))
        return Event(self.new_id(), event_type, occurred_at, data or None, costs)

    def cost(self) -> Cost:
        """Some ids come again, perhaps with another amount: a cost counts once."""
        return Cost(
            f"cost-{self.random.randrange(400)}",
            Decimal(self.random.choice(["0", "0.002", "0.000000001", "1.5", "70"])),
            self.random.choice(["USD", "USD", "USD", "EUR"]),
            self.random.choice(["inference", "storage", None]),
        )

    def other_usage_of_an_id(self) -> Event:
        """Differs in one thing only; sent by another customer than before, in that as well."""
        _, event = self.random.choice(self.sent)
        changed = {"changed": self.random.choice([1, "yes", Decimal("1.5")])}
        return self.random.choice(
            [event, replace(event, event_type="other"), replace(event, data=changed)]
        )

    def adjustment(self) -> Adjust:
        customer = self.customer()
        amount = Decimal(self.random.choice(AMOUNTS)) * self.random.choice([1, 3, 20, -1])
        if customer == "whale" and self.chance(0.5):
            amount = Decimal(self.random.choice([4_000_000_000, -4_000_000_000]))
        asset = self.random.choice(["USD", "USD", "USD", "credits", "EUR"])
        if asset == "credits" and self.chance(0.95):
            amount = amount.quantize(Decimal("0.000001")) or Decimal(25)
        starts = ends = None
        if self.chance(0.3):
            starts = self.now + self.random.choice([-3, 0, 1, 5, 40]) * timedelta(days=1)
        if self.chance(0.6 if amount > 0 else 0.05):
            ends = self.now + self.random.choice([0, 1, 2, 4, 20, 60]) * timedelta(days=1, hours=1)
        reasons = ["gift", "gift", "external_topup", "external_refund", "other"]
        reason = self.random.choice(reasons)
        asset = "NOPE" if self.chance(0.03) else asset
        asked = Adjust(customer, self.new_id(), self.account(), asset, amount, reason, starts, ends)
        self.transfers.append(asked)
        return asked

    def charge(self) -> Charge:
        amount = Decimal(self.random.choice([*AMOUNTS, "0"]))
        asset = self.random.choice(["USD", "USD", "EUR", "credits"])
        asked = Charge(self.customer(), self.new_id(), self.account(), asset, amount)
        self.transfers.append(asked)
        return asked

    def repeated_transfer(self) -> Adjust | Charge:
        """A retry, or one that differs in a single thing."""
        if not self.transfers:
            return self.adjustment()
        known = self.random.choice(self.transfers)
        other: dict[str, Any] = {
            "customer": self.customer(),
            "account_name": self.account(),
            "asset": self.random.choice(["USD", "EUR"]),
            "amount": known.amount * 2,
        }
        if isinstance(known, Adjust):
            other["reason"] = self.random.choice(["gift", "other"])
        if self.chance(0.1):
            return Charge(known.customer, known.id, known.account_name, known.asset, Decimal(1))
        field = self.random.choice(list(other))
        return replace(known, **{field: other[field]}) if self.chance(0.5) else known

    def top_up(self) -> StartTopUp:
        self.top_ups += 1
        ends = self.now + self.random.choice([-1, 1, 30]) * timedelta(days=1)
        return StartTopUp(
            f"top-up {self.top_ups}",
            self.random.choice(["ann", "bob", "cid", "eve", "nobody"]),
            Decimal(self.random.choice(["5", "10.01", "0.07", "100", "1.001"])),
            self.random.choice(["USD", "credits", "credits"]),
            ends if self.chance(0.4) else None,
        )

    def payment(self) -> PayTopUp:
        return PayTopUp(self.some_top_up(), self.random.choice(CARDS))

    def look(self) -> LookAtTopUp:
        return LookAtTopUp(self.some_top_up())

    def version(self) -> ChangeVersion:
        return ChangeVersion(self.random.choice(["ann", "bob"]), self.random.choice([1, 2]))

    def status(self) -> ChangeStatus:
        return ChangeStatus("bob", self.random.choice(["active", "active", "inactive"]))

    def pause(self) -> Advance:
        step = self.random.choice(
            [timedelta(microseconds=1)]
            + [timedelta(minutes=minutes) for minutes in (1, 7, 45, 90, 600)]
            + [timedelta(days=days) for days in (1, 1, 2, 6, 13)]
        )
        self.now += step
        return Advance(step)

    def some_top_up(self) -> str:
        """Mostly the newest; `top-up 0` never was."""
        return f"top-up {max(0, self.top_ups - self.random.choice([0, 0, 0, 1, 2]))}"

    def customer(self) -> str:
        names = [*catalogue.CUSTOMERS, "nobody"]
        return self.random.choices(names, [8, 5, 4, 2, 1, 0.5])[0]

    def account(self) -> str:
        return "bonus" if self.chance(0.2) else "default"

    def new_id(self) -> str:
        """Of one pool for usage and transfers, whose ids must not disturb each other."""
        self.numbers += 1
        if self.numbers % 7:
            return f"id-{self.numbers}"
        return f"00000000-0000-7000-8000-{self.numbers:012d}"

    def chance(self, share: float) -> bool:
        return self.random.random() < share
