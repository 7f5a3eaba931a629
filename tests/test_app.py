"""The running system as a guest in somebody's process."""

from __future__ import annotations

import gc

from credyt_mcp.app import running
from credyt_mcp.settings import Settings


async def test_a_system_that_ended_leaves_the_garbage_collector_as_it_was(
    settings: Settings,
) -> None:
    before = gc.get_threshold()
    async with running(settings):
        assert gc.get_threshold() != before
        assert gc.get_freeze_count()
    assert gc.get_threshold() == before
    assert not gc.get_freeze_count()
