"""Commands that meet in one batch of the lane: each is answered as if it had come alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from credyt_mcp.app import System
from credyt_mcp.use_cases.adjustments import create_adjustment
from credyt_mcp.use_cases.authorizations import (
    authorize_usage,
    extend_authorization,
    release_authorization,
)
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.events import record_event, submit_events
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.wallets import get_account
from tests.conftest import Call
from tests.samples import a_product, a_wallet, unit_price


async def together(billing: Billing, *calls: Any) -> list[Any]:
    """Answers of calls that all wait in the lane's queue before the first is served."""
    queued = [asyncio.ensure_future(call) for call in calls]
    with billing.database.write():
        while billing.lane.queue_depth < len(calls) - 1:
            await asyncio.sleep(0)
    return await asyncio.gather(*queued)


def replays(system: System) -> float:
    found = system.billing.lane.metrics.registry.get_sample_value("credyt_lane_replays_total")
    assert found is not None
    return found


async def test_one_customer_named_in_several_ways_is_found_each_time(
    call: Call, system: System
) -> None:
    await a_product(call, unit_price(1))
    customer_id = (await a_wallet(call, "studio", credit=20)).customer_id
    event = {"event_type": "image"}
    gift = {"asset": "USD", "amount": 1, "reason": "gift"}
    await asyncio.gather(
        call(record_event, customer_id=customer_id, id="e1", **event),
        call(record_event, customer_id="jane", id="e2", **event),
        call(submit_events, customer_id=customer_id, events=[{"id": "e3", **event}]),
        call(submit_events, customer_external_id="jane", events=[{"id": "e4", **event}]),
        call(authorize_usage, customer_external_id="jane", id="a1", amount=2),
        call(authorize_usage, customer_id=customer_id, id="a2", amount=2),
        call(create_adjustment, customer_id="jane", transaction_id="t1", **gift),
        call(create_adjustment, customer_id=customer_id, transaction_id="t2", **gift),
    )
    account = await call(get_account, customer_id="jane", account_id="default:USD")
    assert (account.available, account.pending_out) == (20 - 4 - 4 + 2, 4)
    assert replays(system) == 0
    assert (await call(verify_ledger)).ok


async def test_a_release_that_overtakes_nothing_is_done_in_the_batch_of_its_hold(
    call: Call, system: System
) -> None:
    await a_wallet(call, credit=2)
    held, released = await asyncio.gather(
        call(authorize_usage, id="a1", customer_id="jane", amount=2),
        call(release_authorization, authorization_id="a1"),
    )
    assert (held.id, released.status) == ("a1", "released")
    assert replays(system) == 0
