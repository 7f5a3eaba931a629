"""What budgets refuse, what they count, and whom they tell."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from mcp import Client
from sqlmodel import col, select

from credyt_mcp import exact_json
from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import BudgetExceeded, InvalidRequest, NotFound, UnknownReference
from credyt_mcp.storage.ledger_tables import AuditRow
from credyt_mcp.use_cases.authorizations import (
    authorize_usage,
    capture_authorization,
    extend_authorization,
    release_authorization,
)
from credyt_mcp.use_cases.budgets import delete_budget, list_budgets, set_budget
from credyt_mcp.use_cases.events import get_event, record_event
from credyt_mcp.use_cases.llm_prices import set_llm_price
from credyt_mcp.use_cases.notices import list_notices
from credyt_mcp.use_cases.unpriced_costs import reprice_costs
from credyt_mcp.use_cases.vendors import create_vendor
from credyt_mcp.use_cases.wallets import get_wallet
from tests.conftest import NOW, Call
from tests.samples import a_product, a_wallet, balances, credits_asset, unit_price

JANE = {"customer_id": "jane"}
CALLED = {"provider": "openai", "model": "in-house", "usage": {"prompt_tokens": 1_000_000}}


@pytest.fixture(autouse=True)
async def studio(call: Call) -> None:
    await a_product(call, unit_price(1))
    await a_wallet(call, "studio", credit=1000)
    await call(create_vendor, name="OpenAI", external_id="openai")


async def hold(call: Call, name: str, **fields: Any) -> Any:
    asked = {"amount": 1} if not fields.keys() & {"amount", "event_type"} else {}
    return await call(authorize_usage, id=name, **JANE, **asked, **fields)


async def image(call: Call, name: str, **fields: Any) -> Any:
    return await call(record_event, **JANE, id=name, event_type="image", **fields)


async def refused(call: Call, name: str, **fields: Any) -> dict[str, Any]:
    with pytest.raises(BudgetExceeded) as denied:
        await hold(call, name, **fields)
    return denied.value.facts


async def of_jane(call: Call, **fields: Any) -> list[tuple[Any, ...]]:
    page = await call(list_budgets, **JANE, **fields)
    return [(one.level, one.used, one.held) for one in page.items]


def cost(name: str, amount: Any) -> dict[str, Any]:
    return {"id": name, "vendor_external_id": "openai", "amount": amount, "currency": "USD"}


async def reached(call: Call) -> list[dict[str, Any]]:
    return [one.data for one in (await call(list_notices)).items if one.kind == "budget.reached"]


async def test_what_is_held_and_used_leaves_the_rest(call: Call) -> None:
    await call(set_budget, **JANE, limit=3, window="day")
    await hold(call, "a1", amount=2)
    facts = await refused(call, "a2", amount="1.01")
    assert (facts["level"], facts["limit"], facts["used"], facts["held"]) == ("customer", 3, 0, 2)
    assert facts["resets_at"] == (NOW + timedelta(days=1)).replace(hour=0, minute=0, second=0)
    await image(call, "e1", authorization_id="a1")
    assert await of_jane(call) == [("customer", 1, 0)]
    await hold(call, "a3", amount=2)
    await call(release_authorization, authorization_id="a3")
    assert await of_jane(call) == [("customer", 1, 0)]
    assert (await balances(call))["default:USD"] == 999


async def test_the_level_that_refuses_is_named(call: Call) -> None:
    await call(set_budget, **JANE, limit=10)
    await call(set_budget, **JANE, limit=5, user_id="ann")
    await call(set_budget, **JANE, limit=2, subject="chat-1")
    assert (await refused(call, "a", amount=3, subject="chat-1", user_id="bob"))["level"] == "task"
    facts = await refused(call, "a", amount=6, user_id="ann", subject="other")
    assert (facts["level"], facts["user_id"]) == ("end_user", "ann")
    assert (await refused(call, "a", amount=11))["level"] == "customer"
    await hold(call, "a", amount=6, user_id="bob", subject="chat-2")
    await hold(call, "b", amount=2, user_id="ann", subject="chat-1")
    assert (await refused(call, "c", amount=3, user_id="ann"))["level"] == "customer"
    assert await of_jane(call) == [("customer", 0, 8), ("end_user", 0, 2), ("task", 0, 2)]


async def test_each_end_user_has_what_one_of_them_has_more_of(call: Call) -> None:
    await call(set_budget, **JANE, limit=1, window="hour", user_id="*")
    await call(set_budget, **JANE, limit=3, window="hour", user_id="ann")
    for name, user in (("a", "bob"), ("b", "eve"), ("c", "ann"), ("d", "ann")):
        await hold(call, name, user_id=user)
    assert (await refused(call, "e", user_id="bob"))["user_id"] == "bob"
    await hold(call, "f", user_id="ann")
    await refused(call, "g", user_id="ann")
    await hold(call, "h")  # of nobody in particular
    assert await of_jane(call, user_id="bob") == [("end_user", 0, 1)]
    assert await of_jane(call) == [("end_user", None, None), ("end_user", 0, 3)]


async def test_a_window_ends_and_what_is_held_goes_on(call: Call, clock: FrozenClock) -> None:
    await call(set_budget, **JANE, limit=2, window="hour")
    await image(call, "e1")
    await hold(call, "a1", expires_in=7200)
    await refused(call, "a2")
    clock.advance(timedelta(hours=1))
    assert await of_jane(call) == [("customer", 0, 1)]
    await hold(call, "a2")
    await image(call, "late", occurred_at=(NOW - timedelta(hours=2)).isoformat())
    assert await of_jane(call) == [("customer", 0, 2)]
    clock.advance(timedelta(hours=3))
    await hold(call, "a3", amount=2)
    assert await of_jane(call) == [("customer", 0, 2)]


async def test_usage_that_happened_is_counted_whatever_it_comes_to(call: Call) -> None:
    await call(set_budget, **JANE, limit=2, window="day")
    await hold(call, "a1")
    for number in range(3):
        await image(call, f"e{number}")
    with pytest.raises(BudgetExceeded):
        await image(call, "e3", enforce=True)
    with pytest.raises(NotFound):
        await call(get_event, event_id="e3")
    await image(call, "e4", authorization_id="a1", enforce=True)  # its hold was granted
    assert await of_jane(call) == [("customer", 4, 0)]
    assert (await balances(call))["default:USD"] == 996


async def test_parts_of_a_hold_are_captured_and_the_rest_stays_held(call: Call) -> None:
    await call(set_budget, **JANE, limit=10, user_id="ann")
    await hold(call, "a1", amount=6, user_id="ann")
    await call(
        capture_authorization, authorization_id="a1", amount=2, final=False, transaction_id="t1"
    )
    assert await of_jane(call) == [("end_user", 2, 4)]
    with pytest.raises(BudgetExceeded):
        await call(extend_authorization, authorization_id="a1", amount=5)
    await call(extend_authorization, authorization_id="a1", amount=4)
    await image(call, "e1", authorization_id="a1", final=False)
    assert await of_jane(call) == [("end_user", 3, 7)]
    assert (await call(get_event, event_id="e1")).user_id == "ann"
    await call(capture_authorization, authorization_id="a1", amount=0)
    assert await of_jane(call) == [("end_user", 3, 0)]


async def test_costs_are_held_as_they_are_estimated(call: Call) -> None:
    await call(set_llm_price, provider="openai", model="in-house", input=3, output=7)
    await call(set_budget, **JANE, limit=5, metric="cost", window="day")
    await hold(call, "a1", llm_usage=CALLED)
    assert await of_jane(call) == [("customer", 0, 3)]
    facts = await refused(call, "a2", llm_usage=CALLED)
    assert (facts["metric"], facts["held"]) == ("cost", 3)
    await hold(call, "a2", costs=[cost("c", 2)])
    await refused(call, "a3")  # nobody knows what it costs, and nothing is left
    await image(call, "e1", authorization_id="a1", costs=[cost("c1", "1.5")], final=False)
    assert await of_jane(call) == [("customer", Decimal("1.5"), Decimal("3.5"))]
    await call(release_authorization, authorization_id="a2")
    await hold(call, "a3")
    assert await of_jane(call) == [("customer", Decimal("1.5"), Decimal("1.5"))]
    with pytest.raises(InvalidRequest) as wrong:
        await hold(call, "a4", costs=[{**cost("c", 1), "currency": "XYZ"}])
    assert list(wrong.value.errors) == ["costs[0].currency"]


async def test_a_hold_of_nothing_gives_back_its_estimate_when_it_expires(
    call: Call, clock: FrozenClock
) -> None:
    await call(set_budget, **JANE, limit=2, metric="cost")
    await hold(call, "a1", event_type="unpriced", costs=[cost("c", 2)])
    await refused(call, "a2", event_type="unpriced")
    clock.advance(timedelta(minutes=16))
    await hold(call, "a2", event_type="unpriced")


async def test_a_price_that_comes_late_counts(call: Call) -> None:
    await call(set_budget, **JANE, limit=5, metric="cost", user_id="*")
    await image(call, "e1", user_id="ann", llm_usage=CALLED)
    assert await of_jane(call, user_id="ann") == [("end_user", 0, 0)]
    await call(set_llm_price, provider="openai", model="in-house", input=3, output=7)
    await call(reprice_costs)
    assert await of_jane(call, user_id="ann") == [("end_user", 3, 0)]


async def test_a_new_budget_counts_what_its_window_has_seen(call: Call, clock: FrozenClock) -> None:
    await image(call, "old")
    clock.advance(timedelta(days=1))
    await image(call, "e1", user_id="ann", costs=[cost("c1", 4)])
    await hold(call, "a1", amount=2, user_id="ann", costs=[cost("c2", 3)])
    await hold(call, "a2", amount=5, user_id="bob")
    await call(capture_authorization, authorization_id="a2", amount=4)
    await call(set_budget, **JANE, limit=7, window="day")
    await call(set_budget, **JANE, limit=8, window="day", user_id="*")
    await call(set_budget, **JANE, limit=9, window="day", metric="cost")
    assert await of_jane(call, user_id="ann") == [
        ("customer", 5, 2),
        ("customer", 4, 3),
        ("end_user", 1, 2),
    ]
    await refused(call, "a3")
    await call(release_authorization, authorization_id="a1")
    assert await of_jane(call, user_id="bob") == [
        ("customer", 5, 0),
        ("customer", 4, 0),
        ("end_user", 4, 0),
    ]


async def test_a_limit_is_told_of_once_in_each_window(call: Call, clock: FrozenClock) -> None:
    budget = await call(set_budget, **JANE, limit=2, window="hour", user_id="*")
    await image(call, "e1", user_id="ann")
    assert await reached(call) == []
    await refused(call, "a1", amount=2, user_id="ann")
    await refused(call, "a2", amount=2, user_id="ann")
    await image(call, "e2", user_id="ann")
    [told] = await reached(call)
    assert (told["budget_id"], told["user_id"], told["used"]) == (budget.id, "ann", 1)
    await image(call, "e3", user_id="bob")
    await image(call, "e4", user_id="bob")
    assert [one["user_id"] for one in await reached(call)] == ["bob", "ann"]
    clock.advance(timedelta(hours=1))
    await refused(call, "a3", amount=3, user_id="ann")
    assert len(await reached(call)) == 3
    await call(set_budget, **JANE, limit=1, window="hour", user_id="*")
    await refused(call, "a4", amount=3, user_id="ann")
    assert len(await reached(call)) == 4


async def test_credits_have_budgets_and_a_refusal_holds_nothing(call: Call) -> None:
    await credits_asset(call)
    await a_wallet(call, credit={"asset": "credits", "amount": 50}, who="joe")
    await call(set_budget, customer_id="joe", limit=10, asset="Credits")
    asked = {"customer_id": "joe", "asset": "credits"}
    await call(authorize_usage, id="a1", **asked, amount=10)
    with pytest.raises(BudgetExceeded) as denied:
        await call(authorize_usage, id="a2", **asked, amount=1)
    assert denied.value.facts["asset"] == "credits"
    assert (await balances(call, "joe"))["default:credits"] == 40


async def test_limits_change_are_audited_and_go(
    call: Call, rest: httpx.AsyncClient, system: System
) -> None:
    path = "/customers/jane/budgets"
    first = await rest.put(path, json={"limit": 1, "window": "day"})
    again = await rest.put(path, json={"limit": 2, "window": "day"})
    assert (first.status_code, again.json()["id"]) == (200, first.json()["id"])
    assert again.json()["limit"] == 2
    denied = await rest.post("/authorizations", json={"id": "a", **JANE, "amount": 3})
    problem = exact_json.loads(denied.content)
    assert (denied.status_code, problem["code"]) == (402, "budget_exceeded")
    assert (problem["level"], problem["limit"], problem["used"]) == ("customer", 2, 0)
    assert (await call(get_wallet, **JANE)).budgets[0].limit == 2
    gone = f"{path}/{first.json()['id']}"
    assert [(await rest.delete(gone)).status_code for _ in range(2)] == [204, 404]
    await hold(call, "a", amount=3)
    assert (await call(get_wallet, **JANE)).budgets is None
    target = f"budget:{first.json()['id']}"
    with system.billing.database.read() as session:
        mine = select(AuditRow).where(AuditRow.target == target).order_by(col(AuditRow.id))
        rows = session.exec(mine).all()
    assert all(row.actor.startswith("apk_") for row in rows)
    assert [(row.action, row.before.get("amount"), row.after.get("amount")) for row in rows] == [
        ("budget.set", None, 10**9),
        ("budget.set", 10**9, 2 * 10**9),
        ("budget.delete", 2 * 10**9, None),
    ]


async def test_what_makes_no_sense_is_refused(call: Call, rest: httpx.AsyncClient) -> None:
    for field, wrong in (
        ("", {"limit": 1, "user_id": "a", "subject": "b"}),
        ("limit", {"limit": -1}),
        ("window", {"limit": 1, "window": "week"}),
        ("limit", {"window": "day"}),
    ):
        answer = await rest.put("/customers/jane/budgets", json=wrong)
        assert (answer.status_code, field in str(answer.json()["errors"])) == (422, True)
    with pytest.raises(UnknownReference):
        await call(set_budget, **JANE, limit=1, asset="gems")
    await credits_asset(call)
    with pytest.raises(InvalidRequest):
        await call(set_budget, **JANE, limit=1, asset="credits", metric="cost")
    with pytest.raises(NotFound):
        await call(set_budget, customer_id="nobody", limit=1)
    with pytest.raises(NotFound):
        await call(delete_budget, **JANE, budget_id="bgt_none")
    assert await of_jane(call) == []


async def test_a_model_reads_which_budget_refused(mcp: Client) -> None:
    await mcp.call_tool("set_budget", {**JANE, "limit": 2, "user_id": "*", "window": "day"})
    asked = {**JANE, "id": "a", "amount": 3, "user_id": "ann"}
    answer = await mcp.call_tool("authorize_usage", asked)
    text: str = answer.content[0].text  # type: ignore[union-attr]
    assert answer.is_error
    assert text.startswith("budget_exceeded: the budget of the end user 'ann' allows 2 USD of fees")
