"""What must be in the books after scripts were played, all of them or up to where they were cut."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from tests.authorizations.scripts import CREDIT, IMAGE, Script
from tests.authorizations.wire import everywhere, lines
from tests.processes.harness import Server


async def nothing_answered_is_lost(
    servers: Sequence[Server], scripts: list[Script], callers: int
) -> None:
    """Of what was not answered, at most one request a caller was done all the same."""
    begun = {one.name: one for one in scripts if one.done}
    found = await _authorizations(servers, list(begun))
    held = sum((Decimal(one["held"]) for one in found.values()), Decimal(0))
    account, events = await _books(servers)
    for name, one in begun.items():
        if one.done == len(one.steps):
            assert _state(found[name]) == (one.status, one.held, one.captured)
        answered = {step.records for step in one.steps[: one.done] if step.records is not None}
        assert answered <= events
    unknown = [name for name in (one.name for one in scripts) if name not in begun]
    late = await everywhere(
        servers, 8, unknown, lambda line, name: line.get(f"/authorizations/{name}")
    )
    there = [answer.body for answer in late.values() if answer.status == 200]
    assert len(there) <= callers
    held += sum((Decimal(one["held"]) for one in there), Decimal(0))
    assert account["pending_out"] == held
    spent = CREDIT - account["available"] - held
    answered_for = sum(one.billed_so_far for one in scripts)
    assert answered_for <= spent <= answered_for + callers * IMAGE


async def all_is_as_if_nothing_had_happened(
    servers: Sequence[Server], scripts: list[Script]
) -> None:
    found = await _authorizations(servers, [one.name for one in scripts])
    for one in scripts:
        assert _state(found[one.name]) == (one.status, one.held, one.captured)
    account, events = await _books(servers)
    held = sum(one.held for one in scripts)
    assert account["pending_out"] == held
    assert account["available"] == CREDIT - held - sum(one.billed for one in scripts)
    assert events == set().union(*(one.events for one in scripts))


def _state(found: dict[str, Any]) -> tuple[str, Decimal, Decimal]:
    return found["status"], Decimal(found["held"]), Decimal(found["captured"])


async def _authorizations(servers: Sequence[Server], names: list[str]) -> dict[str, Any]:
    answers = await everywhere(
        servers, 8, names, lambda line, name: line.get(f"/authorizations/{name}")
    )
    assert {answer.status for answer in answers.values()} == {200}
    return {name: answer.body for name, answer in answers.items()}


async def _books(servers: Sequence[Server]) -> tuple[dict[str, Decimal], set[str]]:
    """The account, and the ids of all events, each of which must be there once."""
    events: list[str] = []
    async with lines(servers, 1) as [line]:
        account = (await line.get("/customers/jane/wallet/default:USD")).body
        while True:
            page = (await line.get(f"/events?limit=1000&offset={len(events)}")).body
            events += [item["id"] for item in page["items"]]
            if len(events) >= page["total_count"]:
                break
        assert (await line.get("/ledger/verify")).body["problems"] == []
    assert len(events) == len(set(events))
    amounts = {name: Decimal(account[name]) for name in ("available", "pending_out")}
    return amounts, set(events)
