"""The fields of a usage event and of what it cost, as callers send them and get them back."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictInt, StrictStr

from credyt_mcp import exact_json
from credyt_mcp.use_cases.context import (
    Amount,
    AmountOrZero,
    Command,
    Moment,
    ShortText,
)

LLM_USAGE_BYTES = 20_000


def exact(value: object) -> object:
    """A float as the number it was written as, before a union could take 1.0 for True."""
    return Decimal(repr(value)) if isinstance(value, float) else value


Scalar = Annotated[StrictStr | StrictBool | StrictInt | Decimal | None, BeforeValidator(exact)]
Data = dict[str, Scalar]

EventId = Annotated[
    ShortText,
    Field(
        description="id of what happened in your app, such as the image's or request's id. "
        "Reuse it when you retry: the same id is billed once, ever"
    ),
]
EventType = Annotated[ShortText, Field(description="what happened, as prices name it")]
OccurredAt = Annotated[Moment | None, Field(description="default now")]
EventData = Annotated[
    Data | None, Field(description='what prices read, such as {"total_tokens": 1200}')
]


class Cost(Command):
    """What an event cost you, and whom you pay."""

    id: ShortText
    vendor_id: str | None = None
    vendor_external_id: str | None = None
    category: str | None = Field(default=None, max_length=255)
    description: str | None = Field(default=None, max_length=1000)
    metadata: Data | None = None
    units: Amount | None = None
    unit_price: Amount | None = None
    input_volume: Amount | None = None
    volume_rate: Amount | None = None
    package_size: Amount | None = None
    amount: AmountOrZero
    currency: str = "USD"


def _not_large(value: dict[str, Any]) -> dict[str, Any]:
    if len(exact_json.dumps(value)) > LLM_USAGE_BYTES:
        raise ValueError(f"must be at most {LLM_USAGE_BYTES} bytes")
    return value


class LlmUsage(Command):
    """One call of a model, with the usage object as the provider or the SDK gave it."""

    provider: Annotated[
        ShortText | None, Field(description="as in openai, anthropic, bedrock, vertex_ai")
    ] = None
    model: Annotated[ShortText | None, Field(description="as the provider names it")] = None
    usage: Annotated[
        Annotated[dict[str, Any], AfterValidator(_not_large)] | None,
        Field(description="unchanged; leave it out if the call was cut off before it came"),
    ] = None
    response_id: Annotated[
        ShortText | None, Field(description="the provider's; the same one counts once")
    ] = None
    service_tier: Annotated[
        str | None, Field(max_length=64, description="the response's, such as flex or priority")
    ] = None
    batch: Annotated[bool, Field(description="a call of a batch API")] = False
    attempt: Annotated[int, Field(ge=1, le=1000, description="which try this was")] = 1
    outcome: Annotated[
        Literal["ok", "failed", "aborted", "unknown", "reused"] | None,
        Field(description="reused: no call was needed"),
    ] = None
    shared_key: Annotated[
        ShortText | None,
        Field(description="names a cached prompt or embeddings that others use"),
    ] = None
    requested_at: Annotated[
        Moment | None,
        Field(description="its price and day are of then; default occurred_at"),
    ] = None


CostList = Annotated[list[Cost], Field(max_length=100)]
LlmUsages = LlmUsage | Annotated[list[LlmUsage], Field(max_length=100)]


class UsageEventFields(Command):
    id: EventId
    event_type: EventType
    occurred_at: OccurredAt = None
    subject: Annotated[
        str | None, Field(max_length=255, description="what it was for, to find it again")
    ] = None
    user_id: Annotated[str | None, Field(max_length=255, description="the customer's end user")] = (
        None
    )
    description: Annotated[str | None, Field(max_length=1000)] = None
    data: EventData = None
    costs: Annotated[
        CostList | None,
        Field(description='what it cost you: [{"id","vendor_id","amount","currency"}]'),
    ] = None
    llm_usage: Annotated[
        LlmUsages | None,
        Field(description='{"provider","model","usage"}: model calls, whose cost we work out'),
    ] = None
    depends_on: Annotated[
        list[ShortText] | None,
        Field(max_length=20, description="customers whose data it used"),
    ] = None
    authorization_id: Annotated[
        str | None, Field(max_length=255, description="the hold this usage captures")
    ] = None
    final: Annotated[
        bool, Field(description="false keeps the rest of the hold, for more events")
    ] = True
