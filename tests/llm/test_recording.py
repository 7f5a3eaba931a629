"""Events that bring the usage objects of model calls: what they cost, and what is not known."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client

from credyt_mcp import exact_json
from credyt_mcp.clock import FrozenClock
from credyt_mcp.use_cases.ledger import verify_ledger
from tests.conftest import Call

CLAUDE = {
    "input_tokens": 500,
    "cache_creation_input_tokens": 3000,
    "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 2000},
    "cache_read_input_tokens": 10000,
    "output_tokens": 700,
    "server_tool_use": {"web_search_requests": 2},
    "service_tier": "standard",
}
"""500 x 3 + 1000 x 3.75 + 2000 x 6 + 10000 x 0.3 + 700 x 15 per million, and two searches."""
CLAUDE_COSTS = Decimal("0.05075")


def answer(event_id: str, **usage: Any) -> dict[str, Any]:
    return {"id": event_id, "event_type": "answer", "llm_usage": usage}


async def submit(rest: httpx.AsyncClient, *events: dict[str, Any], who: str = "jane") -> Any:
    body = exact_json.dumps({"customer_external_id": who, "events": list(events)})
    return await rest.post("/events", content=body)


async def read(rest: httpx.AsyncClient, path: str, **params: Any) -> Any:
    reply = await rest.get(path, params=params)
    assert reply.status_code == 200, reply.text
    return exact_json.loads(reply.content)


@pytest.mark.usefixtures("shop")
async def test_a_call_costs_what_its_tokens_cost(rest: httpx.AsyncClient, call: Call) -> None:
    event = answer("1", provider="anthropic", model="claude-sonnet-4-6", usage=CLAUDE)
    event["llm_usage"]["response_id"] = "msg_1"
    assert (await submit(rest, event)).status_code == 204
    shown = await read(rest, "/events/1")
    [cost] = shown["costs"]
    assert (cost["id"], cost["amount"], cost["category"]) == ("msg_1", CLAUDE_COSTS, "inference")
    assert cost["llm"]["priced_by"].startswith("genai-prices ")
    assert cost["llm"]["usage"] == CLAUDE
    lines = {line["class"]: line for line in cost["llm"]["lines"]}
    assert lines["cache_write_1h"] == {
        "class": "cache_write_1h",
        "count": 2000,
        "rate": 6,
        "per": 1000000,
        "amount": Decimal("0.012"),
    }
    assert sum(line["amount"] for line in lines.values()) == CLAUDE_COSTS
    assert shown["stats"]["total_costs"] == CLAUDE_COSTS
    assert shown["stats"]["margin"] == Decimal("49.25")
    vendor = await read(rest, "/vendors/anthropic/stats")
    assert vendor["categories"] == [{"category": "inference", "cost": CLAUDE_COSTS}]
    assert (await submit(rest, event)).status_code == 204
    assert (await read(rest, "/customers/jane/stats"))["total_costs"] == CLAUDE_COSTS
    assert (await call(verify_ledger)).ok


GPT = {"provider": "openai", "model": "gpt-4o", "usage": {"prompt_tokens": 1000}}
GPT_COSTS = Decimal("0.0025")
OWN = {"provider": "azure", "model": "our-Deployment", "usage": {"prompt_tokens": 1000}}


@pytest.mark.usefixtures("shop")
async def test_several_calls_stand_beside_costs_that_are_known(rest: httpx.AsyncClient) -> None:
    await rest.post("/vendors", json={"name": "Host", "external_id": "host"})
    event = {
        **answer("1"),
        "llm_usage": [GPT, {**GPT, "attempt": 2, "outcome": "ok"}],
        "costs": [{"id": "server", "vendor_external_id": "host", "amount": 1}],
    }
    assert (await submit(rest, event)).status_code == 204
    shown = await read(rest, "/events/1")
    assert [cost["id"] for cost in shown["costs"]] == ["server", "1:0:1", "1:1:2"]
    assert shown["stats"]["total_costs"] == 1 + 2 * GPT_COSTS
    assert [cost["llm"]["attempt"] for cost in shown["costs"][1:]] == [1, 2]


@pytest.mark.usefixtures("shop")
async def test_a_response_counts_once_however_often_it_is_reported(
    rest: httpx.AsyncClient, call: Call
) -> None:
    same = {**GPT, "response_id": "chatcmpl-1"}
    await submit(rest, answer("1", **same), answer("2", **same))
    stats = await read(rest, "/customers/jane/stats")
    assert stats["total_costs"] == GPT_COSTS
    second = await read(rest, "/events/2")
    assert second["costs"][0]["counted"] is False
    assert (await read(rest, "/vendors/openai/stats"))["repeated_costs"] == GPT_COSTS
    assert (await call(verify_ledger)).ok


@pytest.mark.usefixtures("shop")
async def test_a_call_without_a_price_is_kept_listed_and_priced_later(
    rest: httpx.AsyncClient, call: Call, mcp: Client
) -> None:
    result = await mcp.call_tool("record_event", {"customer_id": "jane", **answer("1", **OWN)})
    assert not result.is_error
    [warning] = result.structured_content["warnings"]  # type: ignore[index]
    assert "does not know the model 'our-Deployment' of 'azure'" in warning
    [cost] = (await read(rest, "/events/1"))["costs"]
    assert cost["unpriced"] is True and "amount" not in cost
    assert cost["llm"]["usage"] == OWN["usage"]
    stats = await read(rest, "/customers/jane/stats")
    assert (stats["total_costs"], stats["unpriced_calls"]) == (0, 1)
    vendor = await read(rest, "/vendors/azure/stats")
    assert vendor["unpriced_calls"] == {"our-Deployment": 1}
    assert (await read(rest, "/customers/stats"))["summary"]["unpriced_calls"] == 1
    listed = await read(rest, "/costs/unpriced")
    assert listed["total_count"] == 1
    assert listed["items"][0]["event_id"] == "1"
    assert listed["items"][0]["usage"] == OWN["usage"]
    assert (await call(verify_ledger)).ok

    nothing = exact_json.loads((await rest.post("/costs/reprice")).content)
    assert (nothing["priced"], nothing["still_unpriced"]) == (0, 1)
    same_as = {"same_as": "openai/gpt-4o"}
    assert (await rest.put("/llm-prices/azure/our-deployment", json=same_as)).status_code == 200
    for priced in (1, 0):  # the second time there is nothing to do
        done = exact_json.loads((await rest.post("/costs/reprice")).content)
        assert (done["priced"], done["still_unpriced"]) == (priced, 0)
        assert done["amount"] == priced * GPT_COSTS
    first, late = (await read(rest, "/events/1"))["costs"]
    assert first == cost, "the event stays as it was recorded"
    assert (late["corrects"], late["amount"]) == ("1:0:1", GPT_COSTS)
    stats = await read(rest, "/customers/jane/stats")
    assert stats["total_costs"] == GPT_COSTS and "unpriced_calls" not in stats
    event = await read(rest, "/events/1")
    assert event["stats"]["total_costs"] == GPT_COSTS and "unpriced_calls" not in event["stats"]
    vendor = await read(rest, "/vendors/azure/stats")
    assert vendor["total_costs"] == GPT_COSTS and "unpriced_calls" not in vendor
    assert (await read(rest, "/costs/unpriced"))["items"] == []
    assert (await call(verify_ledger)).ok


@pytest.mark.usefixtures("shop")
async def test_an_own_price_goes_before_the_published_one(rest: httpx.AsyncClient) -> None:
    later = "2026-11-21T00:00:00Z"
    path = "/llm-prices/openai/gpt-4o"
    for terms in (
        {"input": 1, "output": 4, "cache_read": 0.5, "tiers": {"batch": 0.5}},
        {"input": 9, "valid_from": later},
    ):
        assert (await rest.put(path, json=terms)).status_code == 200
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "prompt_tokens_details": {"cached_tokens": 200},
    }
    own = {**GPT, "usage": usage}
    await submit(
        rest,
        answer("standard", **own),
        answer("batch", **own, batch=True),
        answer("flex", **own, service_tier="flex"),
    )
    costs = {
        name: (await read(rest, f"/events/{name}"))["costs"][0]
        for name in ("standard", "batch", "flex")
    }
    assert costs["standard"]["amount"] == Decimal("0.0013")  # 800 x 1 + 200 x 0.5 + 100 x 4
    assert costs["standard"]["llm"]["priced_by"] == "your price"
    assert costs["batch"]["amount"] == Decimal("0.00065")
    assert "no factor for 'flex'" in costs["flex"]["llm"]["reason"]
    listed = await read(rest, "/llm-prices")
    assert [item.get("valid_from") for item in listed["items"]] == [None, later]
    assert (await rest.delete(path, params={"valid_from": later})).status_code == 204
    assert (await read(rest, "/llm-prices"))["total_count"] == 1
    assert (await rest.delete(path)).status_code == 204
    assert (await rest.delete(path)).status_code == 404
    await submit(rest, answer("published", **GPT))
    assert (await read(rest, "/events/published"))["costs"][0]["amount"] == GPT_COSTS
    assert (await read(rest, "/events/standard"))["costs"][0] == costs["standard"]


async def test_prices_that_mean_nothing_are_refused(rest: httpx.AsyncClient) -> None:
    for terms, said in (
        ({}, "give rates"),
        ({"input": 1, "same_as": "openai/gpt-4o"}, "give rates"),
        ({"same_as": "gpt-4o"}, "same_as"),
        ({"input": -1}, "input"),
        ({"same_as": "openai/gpt-4o", "tiers": {"batch": 1}}, "tiers"),
    ):
        reply = await rest.put("/llm-prices/openai/x", json=terms)
        assert reply.status_code == 422 and said in reply.text, reply.text
    assert (await read(rest, "/llm-prices"))["items"] == []


@pytest.mark.usefixtures("shop")
async def test_a_circle_of_same_prices_is_no_price(rest: httpx.AsyncClient) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        await rest.put(f"/llm-prices/own/{one}", json={"same_as": f"own/{other}"})
    await submit(rest, answer("1", provider="own", model="a", usage={"prompt_tokens": 1}))
    assert "circle" in (await read(rest, "/events/1"))["costs"][0]["llm"]["reason"]


@pytest.mark.usefixtures("shop")
async def test_the_day_and_the_price_are_those_of_the_request(
    rest: httpx.AsyncClient, call: Call, clock: FrozenClock
) -> None:
    clock.advance(timedelta(days=2))
    asked, done = "2026-11-20T23:00:00Z", "2026-11-22T01:00:00Z"
    await rest.put("/llm-prices/own/m", json={"input": 1})
    await rest.put("/llm-prices/own/m", json={"input": 5, "valid_from": "2026-11-21T00:00:00Z"})
    usage = {"provider": "own", "model": "m", "usage": {"prompt_tokens": 10**6}}
    event = {**answer("1", **usage, batch=False, requested_at=asked), "occurred_at": done}
    assert (await submit(rest, event)).status_code == 204
    days = {"period_from": "2026-11-20", "period_to": "2026-11-20"}
    assert (await read(rest, "/customers/jane/stats", **days))["total_costs"] == 1
    assert (await read(rest, "/vendors/own/stats", **days))["total_costs"] == 1
    days = {"period_from": "2026-11-22", "period_to": "2026-11-22"}
    stats = await read(rest, "/customers/jane/stats", **days)
    assert (stats["total_costs"], stats["gross_revenue"]) == (0, Decimal("0.1"))
    shown = (await read(rest, "/events/1"))["costs"][0]
    assert shown["llm"]["requested_at"] == asked
    assert (await call(verify_ledger)).ok
    old = answer("2", **GPT, requested_at="2026-01-01T00:00:00Z")
    refused = await submit(rest, old)
    assert refused.status_code == 422 and "llm_usage.requested_at" in refused.text


async def test_work_for_nobody_is_an_internal_customers(
    rest: httpx.AsyncClient, call: Call
) -> None:
    for event_id in ("1", "2"):
        assert (await submit(rest, answer(event_id, **GPT), who="internal")).status_code == 204
    stats = await read(rest, "/customers/internal/stats")
    assert stats["total_costs"] == 2 * GPT_COSTS
    assert (await submit(rest, answer("3", **GPT), who="nobody")).status_code == 422
    assert (await call(verify_ledger)).ok


@pytest.mark.usefixtures("shop")
async def test_the_end_user_is_kept_shown_and_found(rest: httpx.AsyncClient) -> None:
    await submit(
        rest,
        {**answer("1", **GPT), "user_id": "ann", "subject": "task-7"},
        {**answer("2", **GPT), "user_id": "bob"},
    )
    shown = await read(rest, "/events/1")
    assert (shown["user_id"], shown["subject"]) == ("ann", "task-7")
    found = await read(rest, "/events", user_id="bob")
    assert [(item["id"], item["user_id"]) for item in found["items"]] == [("2", "bob")]


@pytest.mark.usefixtures("shop")
async def test_names_may_come_with_opentelemetrys_attributes(rest: httpx.AsyncClient) -> None:
    spans = {
        "gen_ai.provider.name": "openai",
        "gen_ai.response.model": "gpt-4o",
        "gen_ai.response.id": "chatcmpl-9",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 0,
    }
    await submit(rest, answer("1", usage=spans))
    [cost] = (await read(rest, "/events/1"))["costs"]
    assert (cost["id"], cost["amount"]) == ("chatcmpl-9", GPT_COSTS)
    refused = await submit(rest, answer("2", usage={"prompt_tokens": 1}))
    assert refused.status_code == 422 and "events[0].llm_usage.provider" in refused.text


@pytest.mark.usefixtures("shop")
async def test_spellings_of_a_provider_are_one_vendor(rest: httpx.AsyncClient) -> None:
    spelt = ("openai", "OpenAI", "openai.chat", "openai.responses")
    await submit(rest, *(answer(name, **{**GPT, "provider": name}) for name in spelt))
    page = await read(rest, "/vendors")
    assert [(item["external_id"], item["name"]) for item in page["items"]] == [("openai", "OpenAI")]
    assert (await read(rest, "/vendors/openai/stats"))["total_costs"] == 4 * GPT_COSTS


@pytest.mark.usefixtures("shop")
async def test_models_take_them_over_mcp_one_or_many(mcp: Client, rest: httpx.AsyncClient) -> None:
    single = {"customer_id": "jane", "user_id": "ann", **answer("1", **GPT)}
    assert not (await mcp.call_tool("record_event", single)).is_error
    many = {"customer_id": "jane", "events": [{**answer("2"), "llm_usage": [GPT, GPT]}]}
    assert not (await mcp.call_tool("submit_events", many)).is_error
    shown = await mcp.call_tool("get_event", {"event_id": "2"})
    assert shown.structured_content["stats"]["total_costs"] == 0.005  # type: ignore[index]
    assert (await read(rest, "/customers/jane/stats"))["total_costs"] == 3 * GPT_COSTS


@pytest.mark.usefixtures("shop")
async def test_pricing_late_from_several_sides_books_once(
    rest: httpx.AsyncClient, call: Call
) -> None:
    many = [answer(str(number), **{**OWN, "model": f"m{number % 3}"}) for number in range(30)]
    await submit(rest, *many)
    await submit(rest, *many)
    for model in ("m0", "m1"):
        await rest.put(f"/llm-prices/azure/{model}", json={"input": 2})
    found: list[Any] = []

    async def reprice() -> None:
        found.append(exact_json.loads((await rest.post("/costs/reprice")).content))

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(reprice)
    assert sum(one["priced"] for one in found) == 20
    assert sum(one["amount"] for one in found) == 20 * Decimal("0.002")
    assert {one["still_unpriced"] for one in found} == {10}
    stats = await read(rest, "/customers/jane/stats")
    assert (stats["total_costs"], stats["unpriced_calls"]) == (Decimal("0.04"), 10)
    vendor = await read(rest, "/vendors/azure/stats")
    assert vendor["unpriced_calls"] == {"m2": 10}
    assert (await call(verify_ledger)).ok
