"""SIGTERM under load: what was accepted is answered, what was answered is in the books."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.authorizations.scripts import play, prepare, script
from tests.authorizations.settled import (
    all_is_as_if_nothing_had_happened,
    nothing_answered_is_lost,
)
from tests.authorizations.wire import Answer
from tests.processes.harness import DEADLINE_SECONDS, launch, serving

pytestmark = pytest.mark.slow

SCRIPTS, CALLERS, STOPPED_AFTER = 1200, 32, 250


async def test_a_server_that_is_asked_to_end_answers_all_it_accepted(
    database_url: str, tmp_path: Path
) -> None:
    server = launch(database_url, tmp_path)
    server.wait_until_healthy()
    await prepare(server)
    answered = 0

    def on_answer(_: Answer) -> None:
        nonlocal answered
        answered += 1
        if answered == STOPPED_AFTER:
            server.process.terminate()

    scripts = [script(number) for number in range(SCRIPTS)]
    refused = await play([server], scripts, CALLERS, on_answer)
    assert refused == []  # a connection that ends is no answer; a 5xx would be a wrong one
    server.process.wait(DEADLINE_SECONDS)
    assert server.process.returncode == 0, server.log.read_text()
    assert "Traceback" not in server.log.read_text()
    assert sum(len(one.steps) - one.done for one in scripts) > STOPPED_AFTER  # in the middle

    with serving(database_url, tmp_path) as servers:
        await nothing_answered_is_lost(servers, scripts, 0)
        assert await play(servers, scripts, CALLERS) == []
        await all_is_as_if_nothing_had_happened(servers, scripts)
