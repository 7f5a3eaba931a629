"""A tenant's own price of a model: its fields, and the rates that they come to."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from credyt_mcp.domain.fields import Rate as RateField
from credyt_mcp.domain.llm_pricing import RATES, TIERS, Rate, Rates, Unpriced
from credyt_mcp.use_cases.context import Command, Moment, ShortText

PerMillion = Annotated[RateField | None, Field(description="USD per million tokens")]
PerThousand = Annotated[RateField | None, Field(description="USD per thousand")]


class LlmPriceTerms(Command):
    """Rates in USD; or `same_as` another model. A class of tokens without a rate of its own is
    charged as the class that it is part of: a cache read as input, for one."""

    input: PerMillion = None
    output: PerMillion = None
    cache_read: PerMillion = None
    cache_write: PerMillion = None
    cache_write_5m: PerMillion = None
    cache_write_1h: PerMillion = None
    cache_write_12h: PerMillion = None
    input_audio: PerMillion = None
    input_image: PerMillion = None
    input_video: PerMillion = None
    cached_audio: PerMillion = None
    cached_image: PerMillion = None
    cached_video: PerMillion = None
    output_reasoning: PerMillion = None
    output_audio: PerMillion = None
    output_image: PerMillion = None
    output_video: PerMillion = None
    web_search: PerThousand = None
    request: PerThousand = None
    page: PerThousand = None
    character: Annotated[RateField | None, Field(description="USD per million")] = None
    audio: Annotated[RateField | None, Field(description="USD per hour of sound")] = None
    tiers: Annotated[
        dict[str, RateField] | None,
        Field(max_length=20, description='factors of tiers: {"batch": 0.5, "priority": 2}'),
    ] = None
    same_as: Annotated[
        ShortText | None,
        Field(pattern=r"^[^/]+/.+$", description="provider/model that it costs the same as"),
    ] = None

    @model_validator(mode="after")
    def _rates_or_another(self) -> Self:
        given = any(getattr(self, name) is not None for name in RATES)
        if given == (self.same_as is not None):
            raise ValueError("give rates, such as input and output, or same_as")
        if self.tiers and not given:
            raise ValueError("tiers are factors of rates; the tiers of same_as are its own")
        return self

    def stored(self) -> dict[str, Any]:
        return self.model_dump(include={*RATES, "tiers", "same_as"}, exclude_none=True)


class LlmPriceFields(LlmPriceTerms):
    valid_from: Annotated[Moment | None, Field(description="default: always")] = None


def target_of(terms: dict[str, Any]) -> tuple[str, str] | None:
    """Provider and model of `same_as`."""
    if "same_as" not in terms:
        return None
    provider, _, model = terms["same_as"].partition("/")
    return provider, model


def rates_of_terms(terms: dict[str, Any], model: str, tier: str | None) -> Rates:
    """Raises Unpriced for a tier of which the terms say nothing."""
    tiers = {name.lower(): factor for name, factor in (terms.get("tiers") or {}).items()}
    factor = Decimal(1)
    if tier is not None and tier not in TIERS:
        if tier not in tiers:
            raise Unpriced(f"your price of {model} has no factor for '{tier}'")
        factor = Decimal(tiers[tier])
    by_name = {name: Rate(Decimal(terms[name]) * factor) for name in RATES if name in terms}
    return Rates(by_name, "your price", model)
