"""Anthropic's calls, each with what it costs by hand."""

from __future__ import annotations

from tests.llm.shapes import BATCH, SEARCH, SONNET, Called, claude

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
