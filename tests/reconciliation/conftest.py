"""A shop whose answers use models, and the days on which they were given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from credyt_mcp import exact_json
from credyt_mcp.clock import FrozenClock
from credyt_mcp.use_cases.events import submit_events
from tests.conftest import Call
from tests.samples import a_product, a_wallet, unit_price

TODAY = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

Ask = Callable[..., Awaitable[Any]]
Use = Callable[..., Awaitable[None]]


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(TODAY)


@pytest.fixture
async def shop(call: Call) -> None:
    await a_product(call, unit_price(1, event_type="answer"))
    await a_wallet(call, "studio", credit=100)


@pytest.fixture
def use(call: Call) -> Use:
    """`await use("id", "2026-11-18T10:00:00Z", call, …)` records an event with model calls."""

    async def use(
        event_id: str, occurred_at: str, *calls: dict[str, Any], who: str = "jane"
    ) -> None:
        event = {"id": event_id, "event_type": "answer", "occurred_at": occurred_at}
        event["llm_usage"] = list(calls)
        await call(submit_events, customer_external_id=who, events=[event])

    return use


@pytest.fixture
def ask(rest: httpx.AsyncClient) -> Ask:
    async def ask(method: str, path: str, *, status: int = 200, **said: Any) -> Any:
        kind = "params" if method == "GET" else "content"
        sent = said if method == "GET" else exact_json.dumps(said)
        headers = {"Content-Type": "application/json"}
        answer = await rest.request(method, path, **{kind: sent}, headers=headers)
        assert answer.status_code == status, answer.text
        return exact_json.loads(answer.content) if answer.content else None

    return ask


def gpt(input_tokens: int, output_tokens: int, cached: int = 0, **more: Any) -> dict[str, Any]:
    """A call of gpt-5: 1.25 USD a million in, 0.125 cached, 10 out."""
    usage = {
        "prompt_tokens": input_tokens,
        "completion_tokens": output_tokens,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
    return {"provider": "openai", "model": "gpt-5-2025-08-07", "usage": usage, **more}


def sonnet(input_tokens: int, output_tokens: int, **more: Any) -> dict[str, Any]:
    """A call of Claude Sonnet 4.6: 3 USD a million in, 15 out, 3.75 written, 0.30 read."""
    usage = {"input_tokens": input_tokens, "output_tokens": output_tokens, **more.pop("cache", {})}
    return {"provider": "anthropic", "model": "claude-sonnet-4-6", "usage": usage, **more}
