"""Each fact is told once, in the words of the catalogue."""

from __future__ import annotations

import ast
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

import credyt_mcp
from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.domain.money import Asset
from credyt_mcp.domain.transfers import SettleTopUp
from credyt_mcp.domain.webhooks import TOPICS
from credyt_mcp.errors import CredytError
from credyt_mcp.use_cases.adjustments import create_adjustment
from credyt_mcp.use_cases.authorizations import authorize_usage
from credyt_mcp.use_cases.customers import create_customer
from credyt_mcp.use_cases.events import record_event, submit_events
from credyt_mcp.use_cases.limits import set_wallet_limits
from credyt_mcp.use_cases.notices import list_notices
from credyt_mcp.use_cases.sweeping import sweep
from credyt_mcp.use_cases.topup_flows import generate_topup_flow
from tests.conftest import NOW, Call
from tests.samples import a_product, a_wallet, unit_price, volume_price

ASKED = {"customer_id": "jane"}


async def told(call: Call, *topics: str) -> list[Any]:
    """Data of these topics' notices, oldest first; every notice must be as the catalogue says."""
    found = (await call(list_notices, limit=100)).items
    for notice in found:
        assert TOPICS[notice.kind].allows(notice.data), (notice.kind, notice.data)
    return [one.data for one in reversed(found) if one.kind in topics]


async def test_a_customer_is_told_of_once(call: Call) -> None:
    made = await call(create_customer, name="Jane", external_id="jane")
    await call(create_customer, name="Nobody")
    first, second = await told(call, "customer.created")
    assert first == {
        "customer_id": made.id,
        "external_id": "jane",
        "occurred_at": "2026-03-10T12:00:00Z",
    }
    assert "external_id" not in second


async def test_a_balance_that_is_used_up_is_told_of_each_time_it_is(call: Call) -> None:
    await a_product(call, unit_price(2))
    await a_wallet(call, "studio", credit=3)
    await call(set_wallet_limits, **ASKED, account_id="default:USD", low_balance_threshold=2)
    for number in range(3):
        await call(record_event, **ASKED, id=f"e{number}", event_type="image")
    [low] = await told(call, "balance.low")
    assert (low["account_id"], low["balance"], low["threshold"]) == ("default:USD", 1, 2)
    [depleted] = await told(call, "balance.depleted")
    assert (depleted["asset"], depleted["balance"]) == ("USD", -1)
    gift = {"asset": "USD", "reason": "gift"}
    await call(create_adjustment, **ASKED, transaction_id="g1", amount=3, **gift)
    assert len(await told(call, "balance.depleted")) == 1  # it owes nothing and has nothing
    await call(create_adjustment, **ASKED, transaction_id="g2", amount=5, **gift)
    await call(create_adjustment, **ASKED, transaction_id="g3", amount=-5, **gift)
    assert len(await told(call, "balance.depleted")) == 2


async def test_payments_are_told_of(call: Call, rest: httpx.AsyncClient, system: System) -> None:
    made = await a_wallet(call)
    links = [await call(generate_topup_flow, **ASKED, amount=amount) for amount in (10, 20)]
    page = httpx.URL(links[0].redirect_url).path
    for _ in range(2):
        await rest.post(page, data={"card_number": "4242 4242 4242 4242"})
    ref = CustomerRef(system.billing.tenant.id, made.customer_id)
    usd = Asset("USD", 9, 2)
    for _ in range(2):
        await system.billing.lane.submit(SettleTopUp(ref, links[1].top_up_id, "failed", usd, 20))
    [succeeded] = await told(call, "top_up.succeeded")
    assert (succeeded["amount"], succeeded["currency"], succeeded["credited"]) == (10, "USD", 10)
    assert (succeeded["account_id"], succeeded["asset"]) == ("default:USD", "USD")
    [failed] = await told(call, "top_up.failed")
    assert (failed["top_up_id"], failed["amount"]) == (links[1].top_up_id, 20)


async def test_credit_that_expires_is_told_of_before_and_after(
    call: Call, system: System, clock: FrozenClock
) -> None:
    await a_wallet(call, who="jane")
    for name, days in (("month", 30), ("day", 1)):
        await call(
            create_adjustment,
            **ASKED,
            transaction_id=name,
            asset="USD",
            amount="2.5",
            reason="gift",
            expires_at=NOW + timedelta(days=days),
        )
    clock.advance(timedelta(days=22))
    await sweep(system.billing)
    assert await told(call, "grant.expiring") == []
    clock.advance(timedelta(days=1))
    await sweep(system.billing)
    await sweep(system.billing)
    [expiring] = await told(call, "grant.expiring")  # the other's whole life was shorter
    assert (expiring["amount"], expiring["purpose"]) == (2.5, "promotion")
    clock.advance(timedelta(days=8))
    await sweep(system.billing)
    await sweep(system.billing)
    day, month = await told(call, "grant.expired")
    assert day["occurred_at"] == "2026-03-11T12:00:00Z"
    assert month == {**expiring, "occurred_at": month["expires_at"]}


async def test_a_hold_that_expires_is_told_of(
    call: Call, system: System, clock: FrozenClock
) -> None:
    await a_wallet(call, credit=5)
    await call(authorize_usage, id="a1", **ASKED, amount=2)
    clock.advance(timedelta(hours=1))
    await sweep(system.billing)
    await sweep(system.billing)
    [expired] = await told(call, "authorization.expired")
    assert expired["authorization_id"] == "a1"
    assert expired["released"] == [{"account_id": "default:USD", "asset": "USD", "amount": 2}]
    assert expired["occurred_at"] == "2026-03-10T12:15:00Z"


async def test_usage_without_a_fee_is_told_of_once_a_day(call: Call, clock: FrozenClock) -> None:
    await a_product(call, volume_price("0.1"))
    for who in ("jane", "joe"):
        await a_wallet(call, "studio", who=who)

    async def use(event_type: str, number: int, who: str = "jane") -> None:
        name = f"{who}-{event_type}-{number}"
        await call(record_event, customer_id=who, id=name, event_type=event_type)

    for number in range(3):
        await use("video", number)
        await use("chat", number)  # has a price, but no tokens
    await use("video", 0, "joe")
    clock.advance(timedelta(days=1))
    await use("video", 3)
    found = await told(call, "event.unmatched")
    names = [one["event_id"] for one in found]
    assert names == ["jane-video-0", "jane-chat-0", "joe-video-0", "jane-video-3"]
    assert "'video'" in found[0]["reason"] and "tokens" in found[1]["reason"]


async def test_a_refused_request_tells_nothing_and_its_topic_is_told_later(call: Call) -> None:
    await a_wallet(call)
    events = [{"id": "e1", "event_type": "video"}, {"id": "e1", "event_type": "other"}]
    with pytest.raises(CredytError):
        await call(submit_events, **ASKED, events=events)
    assert await told(call, "event.unmatched") == []
    await call(record_event, **ASKED, id="e2", event_type="video")
    assert len(await told(call, "event.unmatched")) == 1


def test_every_topic_that_is_raised_is_in_the_catalogue() -> None:
    package = Path(credyt_mcp.__file__).parent
    raised = {
        argument.value
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func).endswith((".notice", "notices.add"))
        for argument in node.args
        if isinstance(argument, ast.Constant)
        and isinstance(argument.value, str)
        and "." in argument.value
    }
    assert raised <= set(TOPICS)
    assert {"customer.created", "balance.low", "webhook.disabled"} <= raised
