"""Limits of a wallet account: overdraft, hard stop, enforcement on one call, low balance."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest

from credyt_mcp.errors import InsufficientBalance
from credyt_mcp.use_cases.adjustments import create_adjustment
from credyt_mcp.use_cases.authorizations import authorize_usage
from credyt_mcp.use_cases.events import list_events, record_event
from credyt_mcp.use_cases.limits import get_limit_changes, set_wallet_limits
from credyt_mcp.use_cases.notices import list_notices
from tests.conftest import Call
from tests.samples import a_product, a_wallet, balances, unit_price

USD = {"customer_id": "jane", "account_id": "default:USD"}


async def image(call: Call, name: str, **fields: Any) -> Any:
    return await call(record_event, customer_id="jane", id=name, event_type="image", **fields)


async def low_balances(call: Call) -> list[Any]:
    return [one for one in (await call(list_notices)).items if one.kind == "balance.low"]


async def test_an_overdraft_limit_lets_holds_go_below_zero(call: Call) -> None:
    await a_wallet(call, credit=1)
    await call(set_wallet_limits, **USD, overdraft_limit="0.5")
    await call(authorize_usage, id="a1", customer_id="jane", amount="1.5")
    with pytest.raises(InsufficientBalance):
        await call(authorize_usage, id="a2", customer_id="jane", amount="0.01")
    assert await balances(call) == {"default:USD": Decimal("-0.5")}


async def test_a_hard_limit_refuses_usage_and_records_nothing(call: Call) -> None:
    await a_product(call, unit_price(2))
    await a_wallet(call, "studio", credit=3)
    await call(set_wallet_limits, **USD, hard_limit=True)
    await image(call, "e1")
    with pytest.raises(InsufficientBalance):
        await image(call, "e2")
    assert [event.id for event in (await call(list_events)).items] == ["e1"]
    await call(set_wallet_limits, **USD, overdraft_limit=1)
    await image(call, "e2")
    assert await balances(call) == {"default:USD": Decimal(-1)}


async def test_enforce_does_the_same_for_one_call(call: Call) -> None:
    await a_product(call, unit_price(2))
    await a_wallet(call, "studio", credit=1)
    with pytest.raises(InsufficientBalance) as refused:
        await image(call, "e1", enforce=True)
    assert refused.value.facts["missing"] == 1
    await image(call, "e1")
    assert await balances(call) == {"default:USD": Decimal(-1)}


async def test_enforced_usage_leaves_other_holds_alone_but_may_use_its_own(call: Call) -> None:
    await a_product(call, unit_price(2))
    await a_wallet(call, "studio", credit=3)
    await call(authorize_usage, id="a1", customer_id="jane", amount=2)
    with pytest.raises(InsufficientBalance):
        await image(call, "e1", enforce=True)
    await image(call, "e1", enforce=True, authorization_id="a1")
    assert await balances(call) == {"default:USD": Decimal(1)}


async def test_a_low_balance_is_noticed_once_until_it_recovers(call: Call) -> None:
    await a_product(call, unit_price(1))
    await a_wallet(call, "studio", credit=3)
    await call(set_wallet_limits, **USD, low_balance_threshold=2)
    for number in range(3):
        await image(call, f"e{number}")
    noticed = await low_balances(call)
    assert [(one.kind, one.balance, one.threshold) for one in noticed] == [("balance.low", 1, 2)]
    gift = {"transaction_id": "g1", "asset": "USD", "amount": 2, "reason": "gift"}
    await call(create_adjustment, customer_id="jane", **gift)
    await image(call, "e4")
    assert len(await low_balances(call)) == 2


async def test_changes_of_limits_are_audited(call: Call, rest: httpx.AsyncClient) -> None:
    customer = await a_wallet(call, credit=1)
    path = f"/customers/{customer.customer_id}/wallet/default:USD"
    changed = await rest.patch(path, json={"overdraft_limit": 5, "hard_limit": True})
    assert changed.status_code == 200
    assert changed.json()["hard_limit"] is True
    await rest.patch(path, json={"overdraft_limit": 5})
    history = (await call(get_limit_changes, **USD)).items
    assert len(history) == 1
    assert history[0].after == {"overdraft_limit": 5, "hard_limit": True}
    assert history[0].actor.startswith("apk_")


async def test_a_denied_hold_is_402_over_rest_with_what_is_missing(
    call: Call, rest: httpx.AsyncClient
) -> None:
    await a_wallet(call, credit=1)
    body: dict[str, Any] = {"id": "a1", "customer_external_id": "jane", "amount": 0.4}
    held = await rest.post("/authorizations", json=body)
    again = await rest.post("/authorizations", json=body)
    assert (held.status_code, again.status_code) == (201, 200)
    denied = await rest.post("/authorizations", json={**body, "id": "a2", "amount": 1})
    assert denied.status_code == 402
    problem = denied.json()
    assert (problem["code"], problem["available"], problem["missing"], problem["asset"]) == (
        "insufficient_balance",
        0.6,
        0.4,
        "USD",
    )
    assert "top up" in problem["hint"]
    released = await rest.post("/authorizations/a1/release")
    assert (released.status_code, released.json()["status"]) == (200, "released")
    assert (await rest.post("/authorizations/none/release")).status_code == 404
