"""Usage that cannot be read: broken counts are refused by name, the rest is kept unpriced."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.llm.test_recording import GPT, answer, read, submit


@pytest.mark.parametrize(
    ("usage", "field"),
    [
        ({"prompt_tokens": -1}, "prompt_tokens"),
        ({"prompt_tokens": 1.5}, "prompt_tokens"),
        ({"prompt_tokens": "12"}, "prompt_tokens"),
        ({"prompt_tokens": True}, "prompt_tokens"),
        ({"prompt_tokens": 10**30}, "prompt_tokens"),
        ({"prompt_tokens": 1, "prompt_tokens_details": 3}, "prompt_tokens_details"),
        (
            {"input_tokens": 5, "output_tokens": 1, "input_tokens_details": {"cached_tokens": -2}},
            "input_tokens_details.cached_tokens",
        ),
        (
            {
                "promptTokenCount": 5,
                "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": -1}],
            },
            "promptTokensDetails[0].tokenCount",
        ),
    ],
)
@pytest.mark.usefixtures("shop")
async def test_a_count_that_is_none_is_refused_by_its_name(
    rest: httpx.AsyncClient, usage: dict[str, Any], field: str
) -> None:
    good = answer("0", **GPT)
    bad = {**answer("1"), "llm_usage": [GPT, {**GPT, "usage": usage}]}
    reply = await submit(rest, good, bad)
    assert reply.status_code == 422
    assert list(reply.json()["errors"]) == [f"events[1].llm_usage[1].usage.{field}"]
    assert (await rest.get("/events/0")).status_code == 404


@pytest.mark.parametrize(
    ("call_of", "reason"),
    [
        ({"model": "gpt-99"}, "does not know the model 'gpt-99'"),
        ({"provider": "nobody"}, "does not know the model"),
        ({"usage": {"tokens": 5}}, "no known usage shape has the fields tokens"),
        ({"usage": {"total_token_count": 9}}, "only a total was reported"),
        ({"usage": None, "outcome": "aborted"}, "no usage was reported"),
        ({"usage": {}}, "no usage was reported"),
        ({"usage": {"prompt_tokens": 0, "completion_tokens": 0}, "outcome": "aborted"}, "aborted"),
        (
            {"usage": {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 6}}},
            "exceed their total",
        ),
        ({"service_tier": "scale"}, "no price for 'scale'"),
        ({"model": "gpt-audio", "batch": True}, "no price for 'batch'"),
        (
            {
                "model": "gpt-4o-audio-preview",
                "usage": {"prompt_tokens": 5, "prompt_tokens_details": {"audio_tokens": 5}},
            },
            "has no rate of gpt-4o-audio-preview for input_audio",
        ),
        (
            {
                "provider": "anthropic",
                "model": "claude-sonnet-4-6",
                "usage": {"inputTokens": 9, "outputTokens": 1, "cachedInputTokens": 4},
            },
            "version 5 of the AI SDK",
        ),
        (
            {
                "provider": "google",
                "model": "gemini-2.5-flash",
                "usage": {
                    "promptTokenCount": 100,
                    "cachedContentTokenCount": 50,
                    "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 80}],
                },
            },
            "how much of what was cached is text",
        ),
        (
            {
                "provider": "anthropic",
                "model": "claude-opus-4-6",
                "usage": {"input_tokens": 1, "output_tokens": 1, "service_tier": "priority"},
            },
            "no price for 'priority'",
        ),
    ],
)
@pytest.mark.usefixtures("shop")
async def test_what_is_not_known_is_never_nothing(
    rest: httpx.AsyncClient, call_of: dict[str, Any], reason: str
) -> None:
    assert (await submit(rest, answer("1", **{**GPT, **call_of}))).status_code == 204
    [cost] = (await read(rest, "/events/1"))["costs"]
    assert cost["unpriced"] is True and "amount" not in cost
    assert reason in cost["llm"]["reason"]
    assert (await read(rest, "/costs/unpriced"))["total_count"] == 1
