"""Reads the usage objects of model providers and SDKs. Pure; adds nothing that was not reported.

The rule that matters most is whether tokens of a cache are counted inside the input:

* inside: OpenAI and all that copy it, Gemini, Mistral, Vercel AI SDK, LiteLLM, OpenTelemetry;
* beside it: Anthropic and Bedrock Converse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from credyt_mcp.domain.llm_usage import (
    KINDS,
    Count,
    Fields,
    Reading,
    Unreadable,
    input_classes,
    merged,
    output_classes,
)

_WRAPPERS = ("usage", "usageMetadata", "usage_metadata", "usage_info")
_OTEL = "gen_ai.usage."
_SNAKE = {
    "prompt_token_count": "promptTokenCount",
    "candidates_token_count": "candidatesTokenCount",
    "response_token_count": "responseTokenCount",
    "thoughts_token_count": "thoughtsTokenCount",
    "tool_use_prompt_token_count": "toolUsePromptTokenCount",
    "cached_content_token_count": "cachedContentTokenCount",
    "total_token_count": "totalTokenCount",
    "prompt_tokens_details": "promptTokensDetails",
    "cache_tokens_details": "cacheTokensDetails",
    "candidates_tokens_details": "candidatesTokensDetails",
    "response_tokens_details": "responseTokensDetails",
    "traffic_type": "trafficType",
}
_GEMINI = ("promptTokenCount", "candidatesTokenCount", "responseTokenCount", "totalTokenCount")
_GEMINI_SNAKE = ("prompt_token_count", "candidates_token_count", "total_token_count")
_MODALITIES = {"AUDIO": "audio", "IMAGE": "image", "DOCUMENT": "image", "VIDEO": "video"}
_ANTHROPIC = (
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "cache_creation",
    "server_tool_use",
    "iterations",
)
_TTLS = ("5m", "30m", "1h", "12h")
_DETAILS_IN = ("input_tokens_details", "input_token_details")
_DETAILS_OUT = ("output_tokens_details", "output_token_details")


def read_usage(given: Mapping[str, Any] | None, provider: str, model: str = "") -> Reading:
    """What a call used. `provider` and `model` decide only where two providers share a shape.

    Raises Unreadable for a shape that is not known or contradicts itself, InvalidRequest for a
    count that is none.
    """
    if not given:
        raise Unreadable("no usage was reported")
    for name in _WRAPPERS:
        if isinstance(given.get(name), Mapping):
            given = given[name]
            break
    read = _shape(given, f"{provider} {model}".lower())
    reading = read(Fields(given))
    if not reading.classes and not _explicit_zero(given):
        raise Unreadable("no usage was reported")
    return reading


def _explicit_zero(given: Mapping[str, Any]) -> bool:
    return any(value == 0 and not isinstance(value, bool) for value in given.values())


def _shape(given: Mapping[str, Any], who: str) -> Callable[[Fields], Reading]:
    fields = Fields(given)
    if any(name.startswith(_OTEL) for name in given):
        return lambda _: _opentelemetry(given)
    if fields.has(*_GEMINI) or fields.has(*_GEMINI_SNAKE):
        return lambda _: _gemini(given)
    if fields.has("prompt_tokens", "completion_tokens"):
        return _openai_chat
    if fields.has("input_tokens", "output_tokens"):
        anthropic = not fields.has(*_DETAILS_IN) and (
            fields.has(*_ANTHROPIC) or "anthropic" in who or "claude" in who
        )
        return _anthropic if anthropic else _openai_responses
    if fields.has("inputTokens", "outputTokens"):
        if fields.has("cacheReadInputTokens", "cacheWriteInputTokens", "cacheDetails"):
            return _bedrock
        return lambda one: _ai_sdk(one, given, who)
    if fields.has("promptTokens", "completionTokens"):
        return _ai_sdk_4
    if fields.has("seconds", "pages_processed", "characters"):
        return _measured
    raise Unreadable(f"no known usage shape has the fields {', '.join(sorted(given)[:6])}")


def _openai_chat(fields: Fields) -> Reading:
    """Also embeddings, Mistral, and LiteLLM, whose prompt includes Anthropic's cache tokens."""
    total_in, total_out = fields.count("prompt_tokens"), fields.count("completion_tokens")
    into = fields.inside("prompt_tokens_details")
    out = fields.inside("completion_tokens_details")
    ttl = into.inside("cache_creation_token_details")
    cached = into.maybe("cached_tokens")
    if cached is None:
        cached = fields.count("cache_read_input_tokens", "prompt_cache_hit_tokens", "cached_tokens")
    written = into.maybe("cache_write_tokens", "cache_creation_tokens")
    if written is None:
        written = fields.count("cache_creation_input_tokens")
    writes = _writes(
        written,
        {
            "5m": ttl.count("ephemeral_5m_input_tokens"),
            "1h": ttl.count("ephemeral_1h_input_tokens"),
        },
    )
    reasoning = out.count("reasoning_tokens")
    total = fields.maybe("total_tokens")
    if reasoning and total == total_in + total_out + reasoning:
        total_out += reasoning  # xAI and Gemini's compatible endpoint count it beside the output
    classes, mixed = input_classes(total_in, cached, writes, _kinds(into))
    audio = fields.quantity("prompt_audio_seconds")
    return Reading(
        merged(
            [
                classes,
                output_classes(total_out, reasoning, _kinds(out)),
                {"seconds": audio},
                _searches(fields),
            ]
        ),
        mixed,
    )


def _openai_responses(fields: Fields) -> Reading:
    """Also images, realtime and transcription, which say "token" in the singular, and LangChain."""
    into, out = fields.inside(*_DETAILS_IN), fields.inside(*_DETAILS_OUT)
    ttl = into.inside("cache_write_tokens_details")
    written = into.count("cache_write_tokens", "cache_creation")
    writes = _writes(
        written,
        {
            "30m": ttl.count("ttl_30m_tokens"),
            "12h": ttl.count("ttl_12h_tokens"),
            "5m": into.count("ephemeral_5m_input_tokens"),
            "1h": into.count("ephemeral_1h_input_tokens"),
        },
    )
    cached = into.count("cached_tokens", "cache_read")
    by_kind = into.inside("cached_tokens_details")
    said = by_kind.has("text_tokens", *(f"{kind}_tokens" for kind in KINDS))
    classes, mixed = input_classes(
        fields.count("input_tokens"),
        cached,
        writes,
        _kinds(into),
        _kinds(by_kind) if said else None,
    )
    reasoning = out.count("reasoning_tokens", "reasoning")
    output = output_classes(fields.count("output_tokens"), reasoning, _kinds(out))
    return Reading(merged([classes, output]), mixed)


def _anthropic(fields: Fields) -> Reading:
    parts = [_anthropic_tokens(fields)]
    # Tokens of a compaction are in no total.
    steps = fields.each("iterations")
    parts += [_anthropic_tokens(step) for step in steps if step.text("type") == "compaction"]
    parts.append(_searches(fields))
    return Reading(
        merged(parts),
        tier=fields.text("service_tier"),
        speed=fields.text("speed"),
        geo=fields.text("inference_geo"),
    )


def _anthropic_tokens(fields: Fields) -> dict[str, Count]:
    ttl = fields.inside("cache_creation")
    by_ttl = {
        "5m": ttl.count("ephemeral_5m_input_tokens"),
        "1h": ttl.count("ephemeral_1h_input_tokens"),
    }
    written = fields.maybe("cache_creation_input_tokens")
    writes = _writes(sum(by_ttl.values()) if written is None else written, by_ttl, rest="5m")
    cached = fields.count("cache_read_input_tokens")
    total = fields.count("input_tokens") + cached + sum(writes.values())
    classes, _ = input_classes(total, cached, writes)
    thinking = fields.inside("output_tokens_details").count("thinking_tokens")
    return merged([classes, output_classes(fields.count("output_tokens"), thinking)])


def _gemini(given: Mapping[str, Any]) -> Reading:
    """Thoughts are beside the candidates, what tools put into the prompt is beside the prompt."""
    fields = Fields({_SNAKE.get(name, name): value for name, value in given.items()})
    if not fields.has("promptTokenCount", "candidatesTokenCount", "responseTokenCount"):
        raise Unreadable("only a total was reported, not what was input and what output")
    cache = fields.each("cacheTokensDetails")
    classes, mixed = input_classes(
        fields.count("promptTokenCount"),
        fields.count("cachedContentTokenCount"),
        kinds=_modalities(fields.each("promptTokensDetails")),
        cached_kinds=_modalities(cache) if cache else None,
    )
    thoughts = fields.count("thoughtsTokenCount")
    output = output_classes(
        fields.count("candidatesTokenCount", "responseTokenCount") + thoughts,
        thoughts,
        _modalities(fields.each("candidatesTokensDetails", "responseTokensDetails")),
    )
    tools: dict[str, Count] = {"tool_prompt": fields.count("toolUsePromptTokenCount")}
    tier = fields.text("trafficType", "serviceTier", "service_tier")
    return Reading(merged([classes, tools, output]), mixed, tier=tier)


def _bedrock(fields: Fields) -> Reading:
    cached = fields.count("cacheReadInputTokens")
    by_ttl: dict[str, int] = {}
    for entry in fields.each("cacheDetails"):
        ttl = entry.text("ttl") or ""
        ttl = ttl if ttl in _TTLS else "other"
        by_ttl[ttl] = by_ttl.get(ttl, 0) + entry.count("inputTokens")
    written = fields.maybe("cacheWriteInputTokens")
    writes = _writes(sum(by_ttl.values()) if written is None else written, by_ttl)
    total = fields.count("inputTokens") + cached + sum(writes.values())
    classes, _ = input_classes(total, cached, writes)
    return Reading(merged([classes, output_classes(fields.count("outputTokens"))]))


def _ai_sdk(fields: Fields, given: Mapping[str, Any], who: str) -> Reading:
    """Versions 5 to 7. The provider's own object, where it is passed on and agrees, says more."""
    into, out = fields.inside("inputTokenDetails"), fields.inside("outputTokenDetails")
    cached = into.maybe("cacheReadTokens")
    if cached is None:
        cached = fields.count("cachedInputTokens")
        if cached and any(name in who for name in ("anthropic", "claude", "bedrock")):
            raise Unreadable(
                "version 5 of the AI SDK does not say whether the cached tokens of this provider "
                "are inside inputTokens; send providerMetadata's own usage object"
            )
    writes = _writes(into.count("cacheWriteTokens"), {})
    classes, _ = input_classes(fields.count("inputTokens"), cached, writes)
    reasoning = out.maybe("reasoningTokens")
    if reasoning is None:
        reasoning = fields.count("reasoningTokens")
    output = output_classes(fields.count("outputTokens"), reasoning)
    reading = Reading(merged([classes, output]))
    return _same_but_finer(reading, given.get("raw"), who) or reading


def _same_but_finer(reading: Reading, raw: object, who: str) -> Reading | None:
    if not isinstance(raw, Mapping) or not raw:
        return None
    try:
        finer = _shape(raw, who)(Fields(raw, "usage.raw"))
    except Unreadable:
        return None
    same = all(finer.total(of) == reading.total(of) for of in ("input", "output"))
    return finer if same else None


def _ai_sdk_4(fields: Fields) -> Reading:
    classes, _ = input_classes(fields.count("promptTokens"))
    return Reading(merged([classes, output_classes(fields.count("completionTokens"))]))


def _opentelemetry(given: Mapping[str, Any]) -> Reading:
    names = {name.removeprefix(_OTEL): value for name, value in given.items()}
    fields = Fields(names, "usage")
    writes = _writes(fields.count("cache_creation.input_tokens"), {})
    classes, _ = input_classes(
        fields.count("input_tokens", "prompt_tokens"),
        fields.count("cache_read.input_tokens"),
        writes,
    )
    output = output_classes(
        fields.count("output_tokens", "completion_tokens"),
        fields.count("reasoning.output_tokens"),
    )
    return Reading(merged([classes, output]))


def _measured(fields: Fields) -> Reading:
    """Transcription by the second, documents by the page, speech by the character."""
    return Reading(
        merged(
            [
                {"seconds": fields.quantity("seconds")},
                {"pages": fields.count("pages_processed")},
                {"characters": fields.count("characters")},
            ]
        )
    )


def _kinds(fields: Fields) -> dict[str, int]:
    return {kind: fields.count(f"{kind}_tokens") for kind in KINDS if fields.has(f"{kind}_tokens")}


def _modalities(details: list[Fields]) -> dict[str, int]:
    found: dict[str, int] = {}
    for entry in details:
        kind = _MODALITIES.get((entry.text("modality") or "").upper())
        if kind is not None:
            found[kind] = found.get(kind, 0) + entry.count("tokenCount", "token_count")
    return found


def _writes(total: int, by_ttl: Mapping[str, int], rest: str = "other") -> dict[str, int]:
    """Tokens written to a cache by how long it keeps them; what is not said is `rest`."""
    if sum(by_ttl.values()) > total:
        raise Unreadable("the parts of the cache writes exceed their total")
    writes = {ttl: count for ttl, count in by_ttl.items() if count}
    left = total - sum(writes.values())
    if left:
        writes[rest] = writes.get(rest, 0) + left
    return writes


def _searches(fields: Fields) -> dict[str, Count]:
    """Searches that the provider ran and charges apart. Fetching a page costs its tokens only."""
    return {"web_searches": fields.inside("server_tool_use").count("web_search_requests")}
