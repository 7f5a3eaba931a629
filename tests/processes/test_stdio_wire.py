"""The stdio server on its pipes: many calls at once, cancelled calls, clients that leave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.processes.harness import DEADLINE_SECONDS, verify_by_command
from tests.processes.test_transports import META, RawStdio, raw_stdio, request
from tests.samples import unit_price

MANY = 500


def a_call(number: int, tool: str, **arguments: Any) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments, "_meta": META}
    return request(number, "tools/call", params)


def an_event(number: int) -> dict[str, Any]:
    event = {"customer_id": "jane", "id": f"e{number}", "event_type": "image"}
    return a_call(number, "record_event", **event)


def prepare(wire: RawStdio) -> None:
    price = unit_price("0.01")
    for number, (tool, arguments) in enumerate(
        (
            ("create_product", {"name": "P", "code": "p", "prices": [price]}),
            ("create_wallet", {"external_id": "jane", "products": ["p"]}),
        )
    ):
        wire.send(a_call(10_000 + number, tool, **arguments))
        assert "structuredContent" in answers(wire, 1)[10_000 + number]["result"]


def answers(wire: RawStdio, count: int) -> dict[int, Any]:
    assert wire.process.stdout is not None
    read = [json.loads(wire.process.stdout.readline()) for _ in range(count)]
    return {answer["id"]: answer for answer in read}


def available(database_url: str, folder: Path) -> str:
    """As a server started afterwards says."""
    with raw_stdio(database_url, folder, "--no-http") as wire:
        wire.send(a_call(1, "get_wallet", customer_id="jane"))
        [account] = answers(wire, 1)[1]["result"]["structuredContent"]["accounts"]
        return str(account["available"])


def test_many_calls_at_once_are_each_answered_once(sqlite_url: str, tmp_path: Path) -> None:
    with raw_stdio(sqlite_url, tmp_path, "--no-http") as wire:
        prepare(wire)
        for number in range(MANY):
            wire.send(an_event(number))
        answered = answers(wire, MANY)
    assert answered.keys() == set(range(MANY))
    assert not any(answer["result"]["isError"] for answer in answered.values())
    assert available(sqlite_url, tmp_path) == "-5"


def test_calls_made_before_the_client_closed_its_end_are_answered(
    database_url: str, tmp_path: Path
) -> None:
    with raw_stdio(database_url, tmp_path, "--no-http") as wire:
        prepare(wire)
        assert wire.process.stdin is not None and wire.process.stdout is not None
        lines = "".join(json.dumps(an_event(number)) + "\n" for number in range(MANY))
        wire.process.stdin.write(lines.rstrip("\n"))  # the last line is not even ended
        wire.process.stdin.close()
        said = [json.loads(line) for line in wire.process.stdout]
        assert wire.process.wait(DEADLINE_SECONDS) == 0
    assert sorted(answer["id"] for answer in said) == list(range(MANY))
    assert all(answer["result"]["structuredContent"]["fees"] for answer in said)
    assert available(database_url, tmp_path) == "-5"


def test_a_client_that_reads_no_more_loses_nothing_it_was_told(
    sqlite_url: str, tmp_path: Path
) -> None:
    with raw_stdio(sqlite_url, tmp_path, "--no-http") as wire:
        prepare(wire)
        for number in range(MANY):
            wire.send(an_event(number))
        told = answers(wire, 50)
        assert wire.process.stdin is not None and wire.process.stdout is not None
        wire.process.stdout.close()
        wire.process.stdin.close()
        assert wire.process.wait(DEADLINE_SECONDS) == 0
    verify_by_command(sqlite_url, tmp_path)
    with raw_stdio(sqlite_url, tmp_path, "--no-http") as wire:
        for number in told:
            wire.send(an_event(number))
        again = answers(wire, len(told))
    assert all(one["result"]["structuredContent"]["duplicate"] for one in again.values())


@pytest.mark.parametrize("known", [True, False], ids=["a call", "an unknown id"])
def test_a_call_that_is_cancelled_holds_nobody_up(
    known: bool, sqlite_url: str, tmp_path: Path
) -> None:
    with raw_stdio(sqlite_url, tmp_path, "--no-http") as wire:
        prepare(wire)
        wire.send(an_event(1))
        cancelled = {"requestId": 1 if known else 99, "_meta": META}
        wire.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancelled})
        wire.send(an_event(2))
        assert wire.process.stdin is not None and wire.process.stdout is not None
        wire.process.stdin.close()
        said = [json.loads(line) for line in wire.process.stdout]
        # Not for as long as a call may take: a cancelled one has no answer to wait for.
        assert wire.process.wait(5) == 0
    # It may have been recorded before it was cancelled; either way the next one is answered.
    assert {answer["id"] for answer in said} - {1} == {2}
    verify_by_command(sqlite_url, tmp_path)
