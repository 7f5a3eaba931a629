"""kill -9 amid holds, captures and usage: what was answered is there once; the rest is retried."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.authorizations.scripts import play, prepare, script
from tests.authorizations.settled import (
    all_is_as_if_nothing_had_happened,
    nothing_answered_is_lost,
)
from tests.authorizations.wire import Answer
from tests.processes.harness import Server, launch, serving, verify_by_command

pytestmark = pytest.mark.slow

SCRIPTS, CALLERS, KILLED_AFTER = 240, 32, 250


async def test_no_answered_hold_or_capture_is_lost_and_retries_finish_the_rest(
    database_url: str, tmp_path: Path
) -> None:
    victim = launch(database_url, tmp_path)
    victim.wait_until_healthy()
    await prepare(victim)
    scripts = [script(number) for number in range(SCRIPTS)]
    assert await play([victim], scripts, CALLERS, _kill_after(victim)) == []
    victim.process.wait(10)
    assert sum(one.done for one in scripts) >= KILLED_AFTER
    assert sum(len(one.steps) - one.done for one in scripts) > KILLED_AFTER  # in the middle

    with serving(database_url, tmp_path) as servers:
        await nothing_answered_is_lost(servers, scripts, CALLERS)
        assert await play(servers, scripts, CALLERS) == []
        await all_is_as_if_nothing_had_happened(servers, scripts)
        for one in scripts:
            one.done = 0
        refused = await play(servers, scripts, CALLERS)
        assert {answer.body["code"] for answer in refused} <= {"wrong_state"}
        await all_is_as_if_nothing_had_happened(servers, scripts)
    verify_by_command(database_url, tmp_path)


def _kill_after(victim: Server) -> Callable[[Answer], None]:
    answered = 0

    def on_answer(_: Answer) -> None:
        nonlocal answered
        answered += 1
        if answered == KILLED_AFTER:
            victim.process.kill()

    return on_answer
