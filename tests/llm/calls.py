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

SEARCH, GEMINI_SEARCH = "10000", "35000"


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

OPENAI = [
    Called("chat", *GPT5, chat(1000, 500), [(1000, "1.25"), (500, "10")], (1000, 500)),
    Called(
        "chat, cached",
        *GPT5,
        chat(5000, 200, **cached(4096)),
        [(904, "1.25"), (4096, "0.125"), (200, "10")],
        (5000, 200),
    ),
    Called(
        "chat, reasoning is inside the completion",
        *GPT5,
        chat(300, 2500, **reasoned(2048)),
        [(300, "1.25"), (452, "10"), (2048, "10")],
        (300, 2500),
    ),
    Called(
        "chat, rejected predictions are billed",
        "openai",
        "gpt-4o",
        chat(800, 300, **reasoned(0, rejected_prediction_tokens=120)),
        [(800, "2.5"), (300, "10")],
        (800, 300),
    ),
    Called(
        "chat, dated model",
        "openai",
        "gpt-4o-mini-2024-07-18",
        chat(12345, 678),
        [(12345, "0.15"), (678, "0.6")],
        (12345, 678),
    ),
    Called(
        "chat, one token",
        "openai",
        "gpt-4o-mini",
        chat(1, 1),
        [(1, "0.15"), (1, "0.6")],
        (1, 1),
    ),
    Called(
        "chat, flex",
        *GPT5,
        chat(1000, 500, **cached(400)),
        [(600, "0.625"), (400, "0.0625"), (500, "5")],
        (1000, 500),
        {"service_tier": "flex"},
    ),
    Called(
        "chat, priority",
        *GPT5,
        chat(1000, 500),
        [(1000, "2.5"), (500, "20")],
        (1000, 500),
        {"service_tier": "priority"},
    ),
    Called(
        "chat, default is the standard tier",
        *GPT5,
        chat(1000, 500),
        [(1000, "1.25"), (500, "10")],
        (1000, 500),
        {"service_tier": "default"},
    ),
    Called(
        "chat, batch", *GPT5, chat(1000, 500), [(1000, "0.625"), (500, "5")], (1000, 500), BATCH
    ),
    Called(
        "chat, batch, cached is not halved twice",
        "openai",
        "gpt-4o",
        chat(2000, 100, **cached(1024)),
        [(976, "1.25"), (1024, "1.25"), (100, "5")],
        (2000, 100),
        BATCH,
    ),
    Called(
        "chat, last chunk of a stream",
        "openai",
        "gpt-4.1",
        {**chat(42, 17), **cached(0), **reasoned(0)},
        [(42, "2"), (17, "8")],
        (42, 17),
    ),
    Called(
        "chat, sound in and out",
        "openai",
        "gpt-audio",
        chat(400, 900, **cached(0, audio_tokens=250), **reasoned(0, audio_tokens=700)),
        [(150, "2.5"), (250, "32"), (200, "10"), (700, "64")],
        (400, 900),
    ),
    Called(
        "chat, nothing was used",
        *GPT5,
        chat(0, 0),
        [],
        (0, 0),
        {"outcome": "failed"},
    ),
    Called(
        "chat, fine-tuned",
        "openai",
        "ft:gpt-4o-2024-08-06:acme::9abc",
        chat(1000, 100),
        [(1000, "3.75"), (100, "15")],
        (1000, 100),
    ),
    Called("responses", *GPT5, responses(1500, 400), [(1500, "1.25"), (400, "10")], (1500, 400)),
    Called(
        "responses, cached and reasoning",
        "openai",
        "gpt-5-mini",
        responses(9000, 3000, 8192, 2432),
        [(808, "0.25"), (8192, "0.025"), (568, "2"), (2432, "2")],
        (9000, 3000),
    ),
    Called(
        "responses, cache writes cost as input where nothing else is listed",
        *GPT5,
        {
            **responses(3000, 10, 1000),
            "input_tokens_details": {
                "cached_tokens": 1000,
                "cache_write_tokens": 500,
                "cache_write_tokens_details": {"ttl_30m_tokens": 500, "ttl_12h_tokens": 0},
            },
        },
        [(1500, "1.25"), (1000, "0.125"), (500, "1.25"), (10, "10")],
        (3000, 10),
    ),
    Called(
        "responses, long context takes the higher rate for all of it",
        "openai",
        "gpt-5.5",
        responses(300_000, 1000, 100_000),
        [(200_000, "10"), (100_000, "1"), (1000, "45")],
        (300_000, 1000),
    ),
    Called(
        "responses, at the edge of long context",
        "openai",
        "gpt-5.5",
        responses(272_000, 1000),
        [(272_000, "5"), (1000, "30")],
        (272_000, 1000),
    ),
    Called(
        "responses, o3 in flex",
        "openai",
        "o3",
        responses(2000, 1000, 0, 900),
        [(2000, "1"), (1000, "4")],
        (2000, 1000),
        {"service_tier": "flex"},
    ),
    Called(
        "embeddings",
        "openai",
        "text-embedding-3-small",
        {"prompt_tokens": 8191, "total_tokens": 8191},
        [(8191, "0.02")],
        (8191, 0),
    ),
    Called(
        "embeddings, large",
        "openai",
        "text-embedding-3-large",
        {"prompt_tokens": 77, "total_tokens": 77},
        [(77, "0.13")],
        (77, 0),
    ),
    Called(
        "images, made from a text",
        "openai",
        "gpt-image-1",
        {
            "input_tokens": 50,
            "input_tokens_details": {"text_tokens": 50, "image_tokens": 0},
            "output_tokens": 4160,
            "total_tokens": 4210,
        },
        [(50, "5"), (4160, "40")],
        (50, 4160),
    ),
    Called(
        "images, edited",
        "openai",
        "gpt-image-1",
        {
            "input_tokens": 373,
            "input_tokens_details": {"text_tokens": 50, "image_tokens": 323},
            "output_tokens": 1056,
            "output_tokens_details": {"image_tokens": 1056, "text_tokens": 0},
            "total_tokens": 1429,
        },
        [(50, "5"), (323, "10"), (1056, "40")],
        (373, 1056),
    ),
    Called(
        "realtime, cached sound is told from cached text",
        "openai",
        "gpt-realtime",
        {
            "total_tokens": 1500,
            "input_tokens": 1000,
            "output_tokens": 500,
            "input_token_details": {
                "text_tokens": 400,
                "audio_tokens": 600,
                "cached_tokens": 320,
                "cached_tokens_details": {"text_tokens": 120, "audio_tokens": 200},
            },
            "output_token_details": {"text_tokens": 100, "audio_tokens": 400},
        },
        [(280, "4"), (400, "32"), (120, "0.4"), (200, "0.4"), (100, "16"), (400, "64")],
        (1000, 500),
    ),
    Called(
        "transcription in tokens",
        "openai",
        "gpt-4o-transcribe",
        {
            "type": "tokens",
            "input_tokens": 140,
            "input_token_details": {"text_tokens": 10, "audio_tokens": 130},
            "output_tokens": 45,
            "total_tokens": 185,
        },
        [(10, "2.5"), (130, "6"), (45, "10")],
        (140, 45),
    ),
    Called(
        "transcription in seconds",
        "openai",
        "whisper-1",
        {"type": "duration", "seconds": 27.5},
        [("27.5", "100")],
        (0, 0),
    ),
]

ANTHROPIC = [
    Called("plain", *SONNET, claude(1000, 500), [(1000, "3"), (500, "15")], (1000, 500)),
    Called(
        "cache beside the input",
        *SONNET,
        claude(21, 393, 188_086),
        [(21, "3"), (188_086, "0.3"), (393, "15")],
        (188_107, 393),
    ),
    Called(
        "writes for 5 minutes and for an hour, searches",
        *SONNET,
        claude(500, 700, 10_000, 1000, 2000, server_tool_use={"web_search_requests": 2}),
        [(500, "3"), (1000, "3.75"), (2000, "6"), (10_000, "0.3"), (700, "15"), (2, SEARCH)],
        (13_500, 700),
    ),
    Called(
        "writes without their time are for 5 minutes",
        *SONNET,
        {"input_tokens": 10, "output_tokens": 5, "cache_creation_input_tokens": 4000},
        [(10, "3"), (4000, "3.75"), (5, "15")],
        (4010, 5),
    ),
    Called(
        "batch; searches are not halved",
        *SONNET,
        claude(500, 700, 10_000, 1000, 2000, server_tool_use={"web_search_requests": 2}),
        [(500, "1.5"), (1000, "1.875"), (2000, "3"), (10_000, "0.15"), (700, "7.5"), (2, SEARCH)],
        (13_500, 700),
        BATCH,
    ),
    Called(
        "the usage itself says batch",
        *SONNET,
        {**claude(1000, 500), "service_tier": "batch"},
        [(1000, "1.5"), (500, "7.5")],
        (1000, 500),
    ),
    Called(
        "thinking is inside the output",
        "anthropic",
        "claude-opus-4-6",
        claude(100, 5000, output_tokens_details={"thinking_tokens": 4200}),
        [(100, "5"), (5000, "25")],
        (100, 5000),
    ),
    Called(
        "haiku, aborted stream: what message_start said",
        "anthropic",
        "claude-haiku-4-5-20251001",
        claude(2095, 1),
        [(2095, "1"), (1, "5")],
        (2095, 1),
        {"outcome": "aborted"},
    ),
    Called(
        "long context of an older model counts the cache too",
        "anthropic",
        "claude-sonnet-4-5",
        claude(1000, 1000, 200_000),
        [(1000, "6"), (200_000, "0.6"), (1000, "22.5")],
        (201_000, 1000),
    ),
    Called(
        "at the edge of long context",
        "anthropic",
        "claude-sonnet-4-5",
        claude(100_000, 1000, 100_000),
        [(100_000, "3"), (100_000, "0.3"), (1000, "15")],
        (200_000, 1000),
    ),
    Called(
        "no long context any more",
        *SONNET,
        claude(1000, 1000, 300_000),
        [(1000, "3"), (300_000, "0.3"), (1000, "15")],
        (301_000, 1000),
    ),
    Called(
        "a compaction is in no total",
        *SONNET,
        claude(
            1000,
            200,
            iterations=[
                {"type": "compaction", "input_tokens": 90_000, "output_tokens": 3000},
                {"type": "message", "input_tokens": 1000, "output_tokens": 200},
            ],
        ),
        [(1000, "3"), (200, "15"), (90_000, "3"), (3000, "15")],
        (91_000, 3200),
    ),
    Called(
        "held in one country",
        "anthropic",
        "claude-opus-4-6",
        claude(1000, 100, inference_geo="us"),
        [(1000, "5.5"), (100, "27.5")],
        (1000, 100),
    ),
    Called(
        "of a whole response",
        *SONNET,
        {"id": "msg_1", "type": "message", "role": "assistant", "usage": claude(10, 20)},
        [(10, "3"), (20, "15")],
        (10, 20),
    ),
]

GOOGLE = [
    Called("plain", "google", PRO, gemini(1000, 500), [(1000, "1.25"), (500, "10")], (1000, 500)),
    Called(
        "thoughts are beside the candidates",
        "google",
        PRO,
        gemini(1000, 500, 2000),
        [(1000, "1.25"), (500, "10"), (2000, "10")],
        (1000, 2500),
    ),
    Called(
        "cached inside the prompt",
        "google",
        "gemini-2.5-flash",
        gemini(10_000, 100, cachedContentTokenCount=8000),
        [(2000, "0.3"), (8000, "0.03"), (100, "2.5")],
        (10_000, 100),
    ),
    Called(
        "sound, and sound that was cached",
        "google",
        "gemini-2.5-flash",
        gemini(
            5000,
            100,
            cachedContentTokenCount=2000,
            promptTokensDetails=by_modality(TEXT=1000, AUDIO=4000),
            cacheTokensDetails=by_modality(TEXT=500, AUDIO=1500),
        ),
        [(500, "0.3"), (2500, "1"), (500, "0.03"), (1500, "0.1"), (100, "2.5")],
        (5000, 100),
    ),
    Called(
        "pictures and films cost as text",
        "google",
        PRO,
        gemini(3000, 10, promptTokensDetails=by_modality(TEXT=500, IMAGE=1290, VIDEO=1210)),
        [(3000, "1.25"), (10, "10")],
        (3000, 10),
    ),
    Called(
        "what tools put into the prompt is beside it",
        "google",
        "gemini-2.5-flash",
        gemini(1000, 100, toolUsePromptTokenCount=2500),
        [(1000, "0.3"), (2500, "0.3"), (100, "2.5")],
        (3500, 100),
    ),
    Called(
        "long context",
        "google",
        PRO,
        gemini(200_001, 1000, cachedContentTokenCount=100_000),
        [(100_001, "2.5"), (100_000, "0.25"), (1000, "15")],
        (200_001, 1000),
    ),
    Called(
        "batch",
        "google",
        "gemini-2.5-flash",
        gemini(1000, 500),
        [(1000, "0.15"), (500, "1.25")],
        (1000, 500),
        BATCH,
    ),
    Called(
        "a picture comes out",
        "google",
        "gemini-2.5-flash-image",
        gemini(20, 1320, candidatesTokensDetails=by_modality(IMAGE=1290, TEXT=30)),
        [(20, "0.3"), (30, "2.5"), (1290, "30")],
        (20, 1320),
    ),
    Called(
        "as the Python SDK dumps it",
        "vertex_ai",
        "gemini-2.5-flash",
        {
            "prompt_token_count": 700,
            "candidates_token_count": 80,
            "thoughts_token_count": 20,
            "cached_content_token_count": None,
            "prompt_tokens_details": [{"modality": "TEXT", "token_count": 700}],
            "total_token_count": 800,
            "traffic_type": "ON_DEMAND",
        },
        [(700, "0.3"), (100, "2.5")],
        (700, 100),
    ),
    Called(
        "all thoughts and no answer",
        "google",
        "gemini-2.5-flash-lite",
        {"promptTokenCount": 9, "thoughtsTokenCount": 91, "totalTokenCount": 100},
        [(9, "0.1"), (91, "0.4")],
        (9, 91),
    ),
    Called(
        "Claude on Vertex",
        "google",
        "claude-sonnet-4-5@20250929",
        claude(1000, 500),
        [(1000, "3"), (500, "15")],
        (1000, 500),
    ),
]

BEDROCK = "anthropic.claude-sonnet-4-5-20250929-v1:0"
OTHERS = [
    Called(
        "Bedrock, cache beside the input",
        "bedrock",
        f"global.{BEDROCK}",
        converse(100, 50, cacheReadInputTokens=4000, cacheWriteInputTokens=900),
        [(100, "3"), (4000, "0.3"), (900, "3.75"), (50, "15")],
        (5000, 50),
    ),
    Called(
        "Bedrock, writes by time, in a region",
        "aws",
        f"us.{BEDROCK}",
        converse(
            100,
            50,
            cacheReadInputTokens=0,
            cacheWriteInputTokens=900,
            cacheDetails=[{"ttl": "1h", "inputTokens": 600}, {"ttl": "5m", "inputTokens": 300}],
        ),
        [(100, "3.3"), (600, "6.6"), (300, "4.125"), (50, "16.5")],
        (1000, 50),
    ),
    Called(
        "Bedrock, Nova by the name of an inference profile",
        "amazon-bedrock",
        "arn:aws:bedrock:us-east-1:1234:inference-profile/us.amazon.nova-pro-v1:0",
        converse(1000, 1000),
        [(1000, "0.8"), (1000, "3.2")],
        (1000, 1000),
    ),
    Called(
        "Bedrock, the vendor's own body",
        "bedrock",
        f"global.{BEDROCK}",
        claude(10, 10, 100),
        [(10, "3"), (100, "0.3"), (10, "15")],
        (110, 10),
    ),
    Called(
        "Mistral",
        "mistral",
        "mistral-large-latest",
        chat(1000, 100),
        [(1000, "2"), (100, "6")],
        (1000, 100),
    ),
    Called(
        "Mistral, batch and cached",
        "mistral",
        "mistral-small-latest",
        chat(1000, 100, prompt_tokens_details={"cached_tokens": 600}),
        [(400, "0.075"), (600, "0.0075"), (100, "0.3")],
        (1000, 100),
        BATCH,
    ),
    Called(
        "Mistral, pages read",
        "mistral",
        "mistral-ocr-latest",
        {"usage_info": {"pages_processed": 12, "doc_size_bytes": 3002783}},
        [(12, "4000")],
        (0, 0),
    ),
    Called(
        "AI SDK, OpenAI",
        "openai.responses",
        "gpt-5",
        ai_sdk(5000, 900, read=4096, reasoning=640),
        [(904, "1.25"), (4096, "0.125"), (900, "10")],
        (5000, 900),
    ),
    Called(
        "AI SDK, Claude: the cache is inside here",
        "anthropic.messages",
        "claude-sonnet-4-6",
        ai_sdk(13_500, 700, read=10_000, write=3000),
        [(500, "3"), (10_000, "0.3"), (3000, "3.75"), (700, "15")],
        (13_500, 700),
    ),
    Called(
        "AI SDK, Claude: the provider's object tells hours from minutes",
        "anthropic.messages",
        "claude-sonnet-4-6",
        {
            **ai_sdk(13_500, 700, read=10_000, write=3000),
            "raw": claude(500, 700, 10_000, 1000, 2000),
        },
        [(500, "3"), (10_000, "0.3"), (1000, "3.75"), (2000, "6"), (700, "15")],
        (13_500, 700),
    ),
    Called(
        "AI SDK 5",
        "openai",
        "gpt-5",
        {
            "inputTokens": 2000,
            "outputTokens": 300,
            "totalTokens": 2300,
            "reasoningTokens": 200,
            "cachedInputTokens": 1024,
        },
        [(976, "1.25"), (1024, "0.125"), (300, "10")],
        (2000, 300),
    ),
    Called(
        "AI SDK 4",
        "openai",
        "gpt-4o",
        {"promptTokens": 100, "completionTokens": 10, "totalTokens": 110},
        [(100, "2.5"), (10, "10")],
        (100, 10),
    ),
    Called(
        "AI SDK through a gateway",
        "gateway",
        "anthropic/claude-sonnet-4.5",
        ai_sdk(1000, 100),
        [(1000, "3"), (100, "15")],
        (1000, 100),
    ),
    Called(
        "LiteLLM: Claude's cache is inside the prompt",
        "litellm",
        "anthropic/claude-sonnet-4-6",
        chat(
            13_500,
            700,
            cache_creation_input_tokens=3000,
            cache_read_input_tokens=10_000,
            prompt_tokens_details={
                "cached_tokens": 10_000,
                "cache_creation_tokens": 3000,
                "cache_creation_token_details": {
                    "ephemeral_5m_input_tokens": 1000,
                    "ephemeral_1h_input_tokens": 2000,
                },
            },
        ),
        [(500, "3"), (10_000, "0.3"), (1000, "3.75"), (2000, "6"), (700, "15")],
        (13_500, 700),
    ),
    Called(
        "LiteLLM, Bedrock",
        "litellm",
        f"bedrock/global.{BEDROCK}",
        chat(1000, 100),
        [(1000, "3"), (100, "15")],
        (1000, 100),
    ),
    Called(
        "OpenTelemetry",
        "gcp.gemini",
        "gemini-2.5-flash",
        {
            "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.output_tokens": 50,
            "gen_ai.usage.cache_read.input_tokens": 400,
            "gen_ai.usage.reasoning.output_tokens": 30,
        },
        [(600, "0.3"), (400, "0.03"), (50, "2.5")],
        (1000, 50),
    ),
    Called(
        "OpenTelemetry, old names",
        "openai",
        "gpt-4o",
        {"gen_ai.usage.prompt_tokens": 7, "gen_ai.usage.completion_tokens": 3},
        [(7, "2.5"), (3, "10")],
        (7, 3),
    ),
    Called(
        "LangChain, cache inside",
        "anthropic",
        "claude-sonnet-4-6",
        {
            "input_tokens": 13_500,
            "output_tokens": 700,
            "total_tokens": 14_200,
            "input_token_details": {"cache_read": 10_000, "cache_creation": 3000},
        },
        [(500, "3"), (10_000, "0.3"), (3000, "3.75"), (700, "15")],
        (13_500, 700),
    ),
    Called(
        "Azure",
        "azure",
        "gpt-4o",
        chat(1000, 100, **cached(512)),
        [(488, "2.5"), (512, "1.25"), (100, "10")],
        (1000, 100),
    ),
    Called(
        "xAI counts reasoning beside the completion",
        "xai",
        "grok-4",
        {**chat(100, 9, **reasoned(300)), "total_tokens": 409},
        [(100, "3"), (309, "15")],
        (100, 309),
    ),
    Called(
        "DeepSeek, by day",
        "deepseek",
        "deepseek-chat",
        chat(1000, 100, prompt_cache_hit_tokens=600, prompt_cache_miss_tokens=400),
        [(400, "0.27"), (600, "0.07"), (100, "1.1")],
        (1000, 100),
    ),
    Called(
        "DeepSeek, asked at night and answered by day",
        "deepseek",
        "deepseek-chat",
        chat(1000, 100, prompt_cache_hit_tokens=600, prompt_cache_miss_tokens=400),
        [(400, "0.135"), (600, "0.035"), (100, "0.55")],
        (1000, 100),
        LATE,
    ),
    Called(
        "Groq",
        "groq",
        "llama-3.3-70b-versatile",
        {**chat(1000, 100), "queue_time": 0.01, "prompt_time": 0.002},
        [(1000, "0.59"), (100, "0.79")],
        (1000, 100),
    ),
    Called(
        "OpenRouter has prices of its own",
        "openrouter",
        "anthropic/claude-sonnet-4.5",
        chat(1000, 100, cost=0.0045),
        [(1000, "3"), (100, "15")],
        (1000, 100),
    ),
]

CALLS = [*OPENAI, *ANTHROPIC, *GOOGLE, *OTHERS]
