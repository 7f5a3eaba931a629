"""What providers answer at their usage and cost endpoints, in their own shapes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

Results = dict[str, list[dict[str, Any]]]
"""By day."""


def _start(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def openai_page(days: Results, *, has_more: bool = False) -> dict[str, Any]:
    return {
        "object": "page",
        "data": [
            {
                "object": "bucket",
                "start_time": int(_start(day).timestamp()),
                "end_time": int((_start(day) + timedelta(days=1)).timestamp()),
                "results": results,
            }
            for day, results in days.items()
        ],
        "has_more": has_more,
        "next_page": "page_AAAA" if has_more else None,
    }


def openai_cost(
    line_item: str | None, value: Any, quantity: Any = None, **more: Any
) -> dict[str, Any]:
    return {
        "object": "organization.costs.result",
        "amount": {"value": value, "currency": "usd"},
        "line_item": line_item,
        "project_id": None,
        "organization_id": "org-1",
        "quantity": quantity,
        **more,
    }


def openai_usage(model: str | None, **counts: Any) -> dict[str, Any]:
    return {
        "object": "organization.usage.completions.result",
        "input_tokens": 0,
        "output_tokens": 0,
        "input_cached_tokens": 0,
        "input_audio_tokens": 0,
        "output_audio_tokens": 0,
        "num_model_requests": 1,
        "project_id": None,
        "user_id": None,
        "api_key_id": None,
        "model": model,
        "batch": False,
        "service_tier": "default",
        **counts,
    }


def anthropic_report(days: Results) -> dict[str, Any]:
    return {
        "data": [
            {
                "starting_at": f"{day}T00:00:00Z",
                "ending_at": f"{(_start(day) + timedelta(days=1)).date()}T00:00:00Z",
                "results": results,
            }
            for day, results in days.items()
        ],
        "has_more": False,
        "next_page": None,
    }


def anthropic_cost(model: str | None, token_type: str | None, cents: str) -> dict[str, Any]:
    return {
        "currency": "USD",
        "amount": cents,
        "workspace_id": None,
        "description": f"{model} Usage - {token_type}" if model else "Web Search Usage",
        "cost_type": "tokens" if model else "web_search",
        "context_window": "0-200k" if model else None,
        "model": model,
        "service_tier": "standard" if model else None,
        "token_type": token_type,
        "inference_geo": "global" if model else None,
    }


def anthropic_usage(model: str, **counts: Any) -> dict[str, Any]:
    return {
        "uncached_input_tokens": 0,
        "cache_creation": {
            "ephemeral_1h_input_tokens": counts.pop("written_1h", 0),
            "ephemeral_5m_input_tokens": counts.pop("written_5m", 0),
        },
        "cache_read_input_tokens": 0,
        "output_tokens": 0,
        "server_tool_use": {"web_search_requests": counts.pop("searches", 0)},
        "api_key_id": None,
        "workspace_id": None,
        "model": model,
        "service_tier": "standard",
        "context_window": "0-200k",
        **counts,
    }


def csv(header: str, rows: Iterable[str]) -> str:
    return "\n".join((header, *rows)) + "\n"
