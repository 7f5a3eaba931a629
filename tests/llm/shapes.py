"""Usage objects in the shapes that providers and SDKs send, with what each call costs by hand.

`paid` lists tokens and the published USD per million of them, as the providers' price pages say
(November 2026); what is sold otherwise is put into the same terms: $10 per thousand searches are
10,000 a million, $0.36 an hour of sound 100 a million seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

SEARCH = "10000"


class Called(NamedTuple):
    name: str
    provider: str
    model: str
    usage: dict[str, Any]
    paid: list[tuple[int | str, str]]
    totals: tuple[int, int]
    """Input and output tokens as the provider counts them, all kinds together."""
    how: Mapping[str, Any] = MappingProxyType({})

    @property
    def cost(self) -> Decimal:
        return sum((Decimal(n) * Decimal(rate) for n, rate in self.paid), Decimal(0)) / 10**6


def chat(prompt: int, completion: int, **details: Any) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        **details,
    }


def cached(tokens: int, **more: int) -> dict[str, Any]:
    return {"prompt_tokens_details": {"cached_tokens": tokens, "audio_tokens": 0, **more}}


def reasoned(tokens: int, **more: int) -> dict[str, Any]:
    zero = {"audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}
    return {"completion_tokens_details": {"reasoning_tokens": tokens, **zero, **more}}


def responses(into: int, out: int, cached_tokens: int = 0, reasoning: int = 0) -> dict[str, Any]:
    return {
        "input_tokens": into,
        "input_tokens_details": {"cached_tokens": cached_tokens},
        "output_tokens": out,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": into + out,
    }


def claude(into: int, out: int, read: int = 0, m5: int = 0, h1: int = 0, **more: Any) -> Any:
    return {
        "input_tokens": into,
        "cache_creation_input_tokens": m5 + h1,
        "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": m5, "ephemeral_1h_input_tokens": h1},
        "output_tokens": out,
        "service_tier": "standard",
        **more,
    }


def gemini(prompt: int, candidates: int, thoughts: int = 0, **more: Any) -> dict[str, Any]:
    tools = more.get("toolUsePromptTokenCount", 0)
    return {
        "promptTokenCount": prompt,
        "candidatesTokenCount": candidates,
        **({"thoughtsTokenCount": thoughts} if thoughts else {}),
        "totalTokenCount": prompt + candidates + thoughts + tools,
        **more,
    }


def by_modality(**tokens: int) -> list[dict[str, Any]]:
    return [{"modality": name, "tokenCount": count} for name, count in tokens.items()]


def converse(into: int, out: int, **more: Any) -> dict[str, Any]:
    return {"inputTokens": into, "outputTokens": out, "totalTokens": into + out, **more}


def ai_sdk(into: int, out: int, **details: Any) -> dict[str, Any]:
    read, write = details.get("read", 0), details.get("write", 0)
    reasoning = details.get("reasoning", 0)
    return {
        "inputTokens": into,
        "inputTokenDetails": {
            "noCacheTokens": into - read - write,
            "cacheReadTokens": read,
            "cacheWriteTokens": write,
        },
        "outputTokens": out,
        "outputTokenDetails": {"textTokens": out - reasoning, "reasoningTokens": reasoning},
        "totalTokens": into + out,
    }


GPT5, SONNET, PRO = ("openai", "gpt-5"), ("anthropic", "claude-sonnet-4-6"), "gemini-2.5-pro"
BATCH, LATE = {"batch": True}, {"requested_at": "2026-11-19T20:00:00Z"}
