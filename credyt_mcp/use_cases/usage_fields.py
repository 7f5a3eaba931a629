"""The fields of a usage event and of what it cost, as callers send them and get them back."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, StrictBool, StrictInt, StrictStr

from credyt_mcp.use_cases.context import (
    Amount,
    AmountOrZero,
    Command,
    Moment,
    ShortText,
)


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


class UsageEventFields(Command):
    id: EventId
    event_type: EventType
    occurred_at: OccurredAt = None
    subject: Annotated[
        str | None, Field(max_length=255, description="what it was for, to find it again")
    ] = None
    description: Annotated[str | None, Field(max_length=1000)] = None
    data: EventData = None
    costs: Annotated[
        list[Cost] | None,
        Field(
            max_length=100,
            description='what it cost you: [{"id","vendor_id","amount","currency"}]',
        ),
    ] = None
    authorization_id: Annotated[
        str | None, Field(max_length=255, description="the hold this usage captures")
    ] = None
    final: Annotated[
        bool, Field(description="false keeps the rest of the hold, for more events")
    ] = True
