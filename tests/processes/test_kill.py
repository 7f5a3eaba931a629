"""kill -9 in the middle of a load: what was acknowledged is there, once, and the books balance."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.processes.harness import Server, launch, serving, verify_by_command
from tests.processes.load import (
    CREDIT,
    Answers,
    balance,
    ids,
    prepare,
    price_of,
    record,
    recorded,
    verify,
)

pytestmark = pytest.mark.slow
KILLED_AFTER = 400


async def test_no_acknowledged_event_is_lost_or_billed_twice(
    database_url: str, tmp_path: Path
) -> None:
    victim = launch(database_url, tmp_path)
    victim.wait_until_healthy()
    wanted = ids("event")
    async with victim.client() as client:
        customer_id = await prepare(client, "jane")
    answers = await record([victim], customer_id, wanted, _kill_after(victim))
    victim.process.wait(10)
    assert answers.refused == []
    assert len(answers.acknowledged) >= KILLED_AFTER
    assert len(answers.broken) > 1000  # it was in the middle, not at the end

    with serving(database_url, tmp_path) as [restarted]:
        async with restarted.client() as client:
            await _all_there(client, answers.acknowledged)
            events = await recorded(client, customer_id)
            names = {name for name, _ in events}
            assert len(events) == len(names)
            assert names >= answers.acknowledged
            assert sum(fee for _, fee in events) == price_of(len(events))
            assert await balance(client, customer_id) == CREDIT - price_of(len(events))
            verify_by_command(database_url, tmp_path)

            unknown = [name for name in wanted if name not in answers.acknowledged]
            again = await record([restarted], customer_id, unknown)
            assert (again.refused, again.broken) == ([], set())
            events = await recorded(client, customer_id)
            assert Counter(name for name, _ in events) == Counter(set(wanted))
            assert await balance(client, customer_id) == CREDIT - price_of(len(set(wanted)))
            await verify(client)


async def test_a_killed_process_does_not_hold_up_another(database_url: str, tmp_path: Path) -> None:
    victim = launch(database_url, tmp_path)
    with serving(database_url, tmp_path) as [survivor]:
        victim.wait_until_healthy()
        wanted = ids("event")
        async with survivor.client() as client:
            customer_id = await prepare(client, "jane")
            answers = await record([victim, survivor], customer_id, wanted, _kill_after(victim))
            assert answers.refused == []
            # Callers of even number spoke to the victim, the others to the survivor.
            assert {name for index, name in enumerate(wanted) if index % 2} <= answers.acknowledged
            events = await recorded(client, customer_id)
            assert {name for name, _ in events} >= answers.acknowledged
            assert await balance(client, customer_id) == CREDIT - price_of(len(events))
            await verify(client)
    victim.process.wait(10)


def _kill_after(victim: Server):  # type: ignore[no-untyped-def]
    def on_ack(answers: Answers) -> None:
        if len(answers.acknowledged) == KILLED_AFTER:
            victim.process.kill()

    return on_ack


async def _all_there(client: httpx.AsyncClient, names: set[str]) -> None:
    for name in names:
        assert (await client.get(f"/events/{name}")).status_code == 200
