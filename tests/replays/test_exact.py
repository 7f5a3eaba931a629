"""A replay of what was recorded equals billing it from scratch, to the unit."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import Any

import anyio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.use_cases.events import get_event, list_events
from credyt_mcp.use_cases.replays import list_replayed_customers, replay_pricing
from credyt_mcp.use_cases.stats import get_customer_stats
from tests.conftest import Call
from tests.replays.lives import LATER, happenings, lived, two_accounts

EXAMPLES = 15
quiet = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


async def in_examples(test: Any, *strategies: Any) -> None:
    """Run an async test for each drawn example, all of them on one system."""

    @quiet
    @given(st.tuples(*strategies))
    def each(drawn: tuple[Any, ...]) -> None:
        anyio.from_thread.run(test, *drawn)

    await anyio.to_thread.run_sync(each)


async def fees_of(call: Call, name: str, **period: Any) -> dict[str, Decimal]:
    """What a customer was billed for usage, by asset, from the events themselves."""
    page = await call(list_events, customer_external_id=name, limit=1000, **period)
    sums: dict[str, Decimal] = {}
    for item in page.items:
        event = await call(get_event, event_id=item.id)
        for fee in event.fees:
            sums[fee.currency] = sums.get(fee.currency, Decimal(0)) + fee.amount
    return sums


async def test_a_replay_equals_billing_from_scratch(system: System, clock: FrozenClock) -> None:
    recorded, fresh = await two_accounts(system)
    numbers = count()

    async def holds(life: list[Any]) -> None:
        names = await lived((recorded, fresh), clock, life, f"-{next(numbers)}")
        for name in names:
            replay = await recorded.call(
                replay_pricing, product_id="studio", prices=LATER, customers=[name]
            )
            page = await recorded.call(list_replayed_customers, replay_id=replay.id)
            stats = await fresh.call(get_customer_stats, customer_id=name)
            scratch = await fees_of(fresh.call, name)
            assert {one.asset: one.replayed for one in replay.fees} == {
                **dict.fromkeys((one.asset for one in replay.fees), Decimal(0)),
                **scratch,
            }
            assert replay.replayed.model_dump() == stats.model_dump()
            before = await recorded.call(get_customer_stats, customer_id=name)
            assert replay.billed.model_dump() == before.model_dump()
            billed = await fees_of(recorded.call, name)
            for one in (replay, *page.items):
                assert {fee.asset: fee.billed for fee in one.fees if fee.billed} == {
                    code: amount for code, amount in billed.items() if amount
                }

    await in_examples(holds, happenings)


async def test_a_replay_of_what_is_in_force_changes_nothing_in_any_stretch(
    system: System, clock: FrozenClock
) -> None:
    _, fresh = await two_accounts(system)
    numbers = count()

    async def holds(life: list[Any], first: int, last: int) -> None:
        names = await lived((fresh,), clock, life, f"-{next(numbers)}")
        events = await fresh.call(list_events, customer_external_id=names[0], limit=1000)
        moments = sorted(item.occurred_at for item in events.items)
        stretch: dict[str, Any] = {}
        if moments:
            stretch["occurred_from"] = moments[first % len(moments)]
            end = moments[last % len(moments)]
            if end > stretch["occurred_from"]:
                stretch["occurred_to"] = end
        replay = await fresh.call(
            replay_pricing, product_id="studio", version=1, customers=names, **stretch
        )
        assert replay.billed == replay.replayed
        assert all(not fee.change for fee in replay.fees)
        assert replay.bill_shock.dearer == replay.bill_shock.cheaper == 0
        assert replay.ran_dry.newly == 0

    await in_examples(holds, happenings, st.integers(0, 99), st.integers(0, 99))
