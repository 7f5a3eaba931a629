"""Commands that meet in one batch of the lane: each is answered as if it had come alone."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from credyt_mcp.app import System
from credyt_mcp.domain.assets import currency
from credyt_mcp.domain.authorizations import Authorize, CaptureAmount, Extend, Release
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.errors import NotFound
from credyt_mcp.use_cases.adjustments import create_adjustment
from credyt_mcp.use_cases.authorizations import authorize_usage
from credyt_mcp.use_cases.events import record_event, submit_events
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.wallets import get_account
from tests.conftest import Call
from tests.samples import a_product, a_wallet, unit_price


async def jane(call: Call) -> tuple[int, int]:
    account = await call(get_account, customer_id="jane", account_id="default:USD")
    return account.available, account.pending_out


def replays(system: System) -> float | None:
    return system.billing.lane.metrics.registry.get_sample_value("credyt_lane_replays_total")


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
    assert await jane(call) == (20 - 4 - 4 + 2, 4)
    assert replays(system) == 0
    assert (await call(verify_ledger)).ok


async def test_a_hold_can_be_used_in_the_batch_that_makes_it(call: Call, system: System) -> None:
    await a_wallet(call, credit=10)
    tenant, usd = system.billing.tenant.id, currency("USD")
    ref = CustomerRef(tenant, None, "jane")

    def authorize(name: str) -> Authorize:
        return Authorize(ref, name, {}, 10**9, None, None, asset=usd, amount=2 * 10**9)

    answers = await asyncio.gather(
        *(
            system.billing.lane.submit(command)
            for command in (
                authorize("a1"),
                Release(tenant, "a1"),
                authorize("a2"),
                Extend(tenant, "a2", amount=Decimal(1)),
                authorize("a3"),
                CaptureAmount(tenant, "a3", amount=Decimal(1)),
                Release(tenant, "none"),
            )
        ),
        return_exceptions=True,
    )
    assert isinstance(answers.pop(), NotFound)
    states = [answer.authorization.status for answer in answers]
    assert states == ["released", "released", "open", "open", "captured", "captured"]
    assert await jane(call) == (6, 3)
    assert replays(system) == 0
    assert (await call(verify_ledger)).ok


async def test_each_caller_is_told_what_was_left_after_their_own_command(call: Call) -> None:
    await a_product(call, unit_price(1))
    await a_wallet(call, "studio", credit=20)
    jane = {"customer_id": "jane"}
    held, *events = await asyncio.gather(
        call(authorize_usage, **jane, id="a1", amount=5),
        *(call(record_event, **jane, id=f"e{n}", event_type="image") for n in range(4)),
    )
    left = [held.available, *(answer.balances["default:USD"] for answer in events)]
    assert left == [15, 14, 13, 12, 11]
