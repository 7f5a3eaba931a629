"""What an app does with holds, as scripts of requests that may be cut off anywhere and resumed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.authorizations.wire import Answer, Broken, Line, lines
from tests.processes.harness import Server
from tests.samples import unit_price

IMAGE, CREDIT = Decimal("0.03"), Decimal(1000)
HELD, MORE, SLICE = Decimal("0.05"), Decimal("0.02"), Decimal("0.01")


@dataclass(frozen=True)
class Step:
    """A request that may be repeated under its ids; `bills` and `records` when it is done."""

    path: str
    body: dict[str, Any]
    bills: Decimal = Decimal(0)
    records: str | None = None


@dataclass
class Script:
    """The life of one authorization: how far it got, and what it must come to in the end."""

    name: str
    steps: list[Step]
    status: str
    held: Decimal
    captured: Decimal
    done: int = 0

    @property
    def billed(self) -> Decimal:
        return sum((step.bills for step in self.steps), Decimal(0))

    @property
    def billed_so_far(self) -> Decimal:
        return sum((step.bills for step in self.steps[: self.done]), Decimal(0))

    @property
    def events(self) -> set[str]:
        return {step.records for step in self.steps if step.records is not None}


def script(number: int, prefix: str = "") -> Script:
    """One of six, by turns."""
    name = f"{prefix}hold-{number}"
    path = f"/authorizations/{name}"
    event = {"id": f"{name}-event", "event_type": "image"}
    taken = {"id": name, "customer_external_id": "jane", "amount": HELD, "expires_in": 86_400}
    authorize = Step("/authorizations", taken)
    extend = Step(f"{path}/extend", {"amount": MORE, "extension_id": "x1"})
    capture = Step(f"{path}/capture", {"event": event}, IMAGE, event["id"])
    submit = {"customer_external_id": "jane", "events": [{**event, "authorization_id": name}]}
    part = {"amount": SLICE, "final": False, "transaction_id": f"{name}-slice"}
    slice_ = Step(f"{path}/capture", part, SLICE)
    rest = Step(f"{path}/capture", {"amount": IMAGE}, IMAGE)
    other = {"id": f"{name}-other", "event_type": "image"}
    plain = Step("/events", {"customer_external_id": "jane", "events": [other]}, IMAGE, other["id"])
    release, none = Step(f"{path}/release", {}), Decimal(0)
    return (
        Script(name, [authorize, capture], "captured", none, IMAGE),
        Script(name, [authorize, extend, plain, release], "released", none, none),
        Script(name, [authorize, slice_, extend, rest], "captured", none, SLICE + IMAGE),
        Script(name, [authorize, plain], "open", HELD, none),
        Script(
            name,
            [authorize, Step("/events", submit, IMAGE, event["id"])],
            "captured",
            none,
            IMAGE,
        ),
        Script(name, [authorize, extend, slice_], "open", HELD + MORE - SLICE, SLICE),
    )[number % 6]


async def prepare(server: Server) -> None:
    product = {"name": "P", "code": "p", "publish": True, "prices": [unit_price(str(IMAGE))]}
    credit = {"asset": "USD", "amount": CREDIT}
    wallet = {"external_id": "jane", "products": ["p"], "starting_credit": credit}
    async with lines([server], 1) as [line]:
        assert (await line.post("/products", product)).status == 201
        assert (await line.post("/wallets", wallet)).status == 201


async def play(
    servers: Sequence[Server],
    scripts: Sequence[Script],
    callers: int,
    on_answer: Callable[[Answer], None] = lambda answer: None,
) -> list[Answer]:
    """So many callers go on with the scripts; one whose connection breaks gives up.

    Answers those that were neither success nor broken off.
    """
    refused: list[Answer] = []
    waiting: Iterator[Script] = iter([one for one in scripts if one.done < len(one.steps)])

    async def caller(line: Line) -> None:
        for one in waiting:
            for step in one.steps[one.done :]:
                try:
                    answer = await line.post(step.path, step.body)
                except Broken:
                    return
                if answer.status >= 300:
                    refused.append(answer)
                    break
                one.done += 1
                on_answer(answer)

    async with lines(servers, callers) as opened:
        await asyncio.gather(*map(caller, opened))
    return refused
