"""What apps call for every piece of work goes to the lane at once, never by way of a thread."""

from __future__ import annotations

import anyio
import pytest
from anyio import to_thread

from credyt_mcp.use_cases.authorizations import (
    authorize_usage,
    capture_authorization,
    extend_authorization,
    release_authorization,
)
from credyt_mcp.use_cases.events import record_event, submit_events
from tests.conftest import Call
from tests.samples import TIERED, a_product, a_wallet, unit_price


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_hot_use_cases_need_no_worker_thread(call: Call) -> None:
    await a_product(call, unit_price("0.01"), TIERED)
    await a_wallet(call, "studio", credit=100)
    event = {"event_type": "call"}
    prices_are_known_by_now = {"id": "e0", "event_type": "image"}
    await call(record_event, customer_id="jane", **prices_are_known_by_now)
    await call(record_event, customer_id="jane", id="e1", **event)
    threads = to_thread.current_default_thread_limiter()
    before, threads.total_tokens = threads.total_tokens, 1
    threads.acquire_on_behalf_of_nowait(taken := object())
    try:
        with anyio.fail_after(30):
            hold = {"customer_id": "jane", "expires_in": 60}
            await call(record_event, customer_id="jane", id="e2", **event)
            await call(submit_events, customer_id="jane", events=[{"id": "e3", **event}])
            await call(authorize_usage, id="a1", **event, **hold)
            await call(capture_authorization, authorization_id="a1", event={"id": "e4", **event})
            await call(authorize_usage, id="a2", amount=1, **hold)
            await call(extend_authorization, authorization_id="a2", amount=1)
            await call(capture_authorization, authorization_id="a2", amount="1.5")
            await call(authorize_usage, id="a3", amount=1, **hold)
            await call(release_authorization, authorization_id="a3")
    finally:
        threads.release_on_behalf_of(taken)
        threads.total_tokens = before
