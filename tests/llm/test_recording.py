"""Events that bring the usage objects of model calls: what they cost, and what is not known."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest

from credyt_mcp import exact_json
from credyt_mcp.use_cases.ledger import verify_ledger
from tests.conftest import Call
from tests.samples import a_product, a_wallet, unit_price

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


@pytest.fixture
async def shop(call: Call) -> None:
    await a_product(call, unit_price("0.1", event_type="answer"))
    await a_wallet(call, "studio", credit=10)


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
