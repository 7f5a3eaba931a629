"""The published prices of models, from the installed `genai-prices`: the only file that knows it.

It is never brought up to date over the network: a newer table comes with a newer package.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any

from credyt_mcp.domain.llm_pricing import Rate, Rates, Step, Unpriced

_NAMES = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_5m_mtok": "cache_write_5m",
    "cache_write_1h_mtok": "cache_write_1h",
    "input_audio_mtok": "input_audio",
    "input_image_mtok": "input_image",
    "input_video_mtok": "input_video",
    "cache_audio_read_mtok": "cached_audio",
    "cache_image_read_mtok": "cached_image",
    "cache_video_read_mtok": "cached_video",
    "output_audio_mtok": "output_audio",
    "output_image_mtok": "output_image",
    "output_video_mtok": "output_video",
    "output_reasoning_mtok": "output_reasoning",
    "web_searches_kcount": "web_search",
    "requests_kcount": "request",
    "input_document_kpages": "page",
    "audio_hours": "audio",
    "input_mchars": "character",
}
"""Our names for the table's. It has more, which no usage object reports."""

_ALIASES = {
    "bedrock": "aws",
    "amazon": "aws",
    "amazon-bedrock": "aws",
    "aws.bedrock": "aws",
    "aws-bedrock": "aws",
    "vertex": "google",
    "vertex_ai": "google",
    "vertex-ai": "google",
    "gemini": "google",
    "google-vertex": "google",
    "google-genai": "google",
    "gcp.gen_ai": "google",
    "gcp.gemini": "google",
    "gcp.vertex_ai": "google",
    "azure-openai": "azure",
    "azure_openai": "azure",
    "azure_ai": "azure",
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "xai": "x-ai",
    "x_ai": "x-ai",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "together_ai": "together",
    "togetherai": "together",
    "fireworks_ai": "fireworks",
    "cohere_chat": "cohere",
    "moonshot": "moonshotai",
    "voyage": "voyageai",
    "meta-llama": "meta",
}
"""What SDKs, gateways and OpenTelemetry call the providers of the table."""

_SOUND_COSTS_MORE = ("openai", "azure")
_ARN = re.compile(r"arn:aws[\w-]*:bedrock:.*?/(.+)")
GEOGRAPHY = {("anthropic", "us"): Decimal("1.1")}
"""By how much Anthropic's rates grow when inference is held in a country. The table leaves it
out."""
_ANYWHERE = (None, "", "global", "not_available")


@cache
def version() -> str:
    """What was priced by is stored with each cost."""
    from importlib.metadata import version as installed

    return f"genai-prices {installed('genai-prices')}"


@cache
def _snapshot() -> Any:
    # Not at the top: reading the table takes a quarter of a second, which starting must not.
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot()


@cache
def _providers() -> dict[str, Any]:
    return {provider.id: provider for provider in _snapshot().providers}


def name_of(provider: str) -> str:
    """What people call it."""
    known = _providers().get(provider)
    return str(known.name) if known else provider


def canonical(provider: str) -> str:
    """One name for a provider, however it is spelt: `openai.chat`, `bedrock`, `vertex_ai`."""
    name = provider.strip().lower()
    for spelling in (name, name.partition(".")[0]):
        known = _ALIASES.get(spelling, spelling)
        if known in _providers():
            return known
    return name


def candidates(provider: str, model: str) -> Iterator[tuple[str, str]]:
    """The providers and models that a call may mean, surest first: as given, and the parts of a
    gateway's `vendor/model`."""
    arn = _ARN.fullmatch(model)
    model = arn[1] if arn else model
    yield provider, model
    if "/" in model:
        vendor, rest = model.split("/", 1)
        if canonical(vendor) == provider or provider not in _providers():
            yield from candidates(canonical(vendor), rest)


def rates(
    provider: str,
    model: str,
    moment: datetime,
    tier: str | None,
    speed: str | None,
    geo: str | None,
) -> Rates:
    """The rates in force at `moment` for a call served in that way. Raises Unpriced."""
    found = _find(provider, model)
    if found is None:
        raise Unpriced(f"{version()} does not know the model '{model}' of '{provider}'")
    of, known = found
    context = _context(known, of, moment, tier, speed, f"'{model}' of '{provider}'")
    factor = Decimal(1) if geo in _ANYWHERE else GEOGRAPHY.get((of.id, str(geo)))
    if factor is None:
        raise Unpriced(f"{version()} has no price for inference held in '{geo}'")
    by_name = {
        _NAMES[name]: _rate(price, factor)
        for name, price in vars(known.get_prices(moment, context)).items()
        if price is not None and name in _NAMES
    }
    if not by_name:
        raise Unpriced(f"{version()} has no rates for '{model}' of '{provider}'")
    return Rates(by_name, version(), known.id, own_audio=of.id in _SOUND_COSTS_MORE)


def model_name(provider: str, model: str) -> str:
    """One name for a model, whichever of its dated names is meant; its own where the table does
    not know it."""
    for of, name in candidates(provider, model):
        if found := _find(of, name):
            return str(found[1].id)
    return model


def knows(provider: str, model: str) -> bool:
    return _find(provider, model) is not None


@lru_cache(maxsize=4096)
def _find(provider: str, model: str) -> Any:
    """The table's provider and model, not by its own lookup, which remembers all names for ever."""
    of = _providers().get(provider)
    known = of and of.find_model(model, all_providers=_snapshot().providers)
    return (of, known) if known else None


def _context(
    known: Any, of: Any, moment: datetime, tier: str | None, speed: str | None, whom: str
) -> dict[str, str]:
    """How the table names the way a call was served. One that it has no prices for is not standard:
    that would be the wrong price."""
    wanted: dict[str, str] = {}
    if tier is not None:
        wanted["processing" if tier == "batch" else "service_tier"] = tier
    if speed not in (None, "", "standard"):
        wanted["speed"] = str(speed)
    own = any(known is model for model in of.models)
    for key, value in wanted.items():
        priced = own and any(
            variant.when == {key: value}
            and (variant.constraint is None or variant.constraint.active(moment))
            for variant in known.price_variants or ()
        )
        if not priced:
            day = moment.date()
            raise Unpriced(f"{version()} has no price for '{value}' of {whom} on {day}")
    return wanted


def _rate(price: Any, factor: Decimal) -> Rate:
    if isinstance(price, Decimal):
        return Rate(price * factor)
    steps = tuple(Step(tier.start, tier.price * factor) for tier in price.tiers)
    return Rate(price.base * factor, steps)
