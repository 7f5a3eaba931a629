"""What callers send and get about replays. No rules of their own."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from credyt_mcp.domain.prices import Price
from credyt_mcp.use_cases.context import Command, Moment, Number, PageOf, Result, ShortText
from credyt_mcp.use_cases.product_fields import OBJECTS, ShownPrices, VersionRef
from credyt_mcp.use_cases.profits import Profitability

Percent = Annotated[
    Decimal, Field(ge=0, lt=10**9, max_digits=18), WithJsonSchema({"type": "number"})
]
Margin = Annotated[Decimal, Field(ge=0, lt=100, max_digits=18), WithJsonSchema({"type": "number"})]
Plain = Annotated[list[dict[str, Any]], WithJsonSchema(OBJECTS)]
RiseInPercent = Annotated[
    Number | None, Field(description="in percent; absent of who paid nothing before")
]


class ReplayPricing(Command):
    """What recorded usage would have come to under other prices: revenue, margin, whose bill
    rises most, who runs dry, and a price for a target margin. Nothing is billed. Prices are a
    version of a product, or `prices`, or that version with `define` (define_price arguments)."""

    product_id: Annotated[
        str | None, Field(description="id or code; without one, prices are all there are")
    ] = None
    version: Annotated[
        VersionRef | None, Field(description="default: the newest draft, else the default version")
    ] = None
    prices: Annotated[
        list[Price] | None,
        WithJsonSchema(OBJECTS),
        Field(max_length=100, description="instead of version, as in create_product"),
    ] = None
    define: Annotated[
        Plain | None, Field(max_length=100, description='[{"event_type":"image","unit_price":12}]')
    ] = None
    occurred_from: Annotated[Moment | None, Field(description="default: from the start")] = None
    occurred_to: Annotated[Moment | None, Field(description="exclusive")] = None
    customers: Annotated[
        list[ShortText] | None, Field(max_length=1000, description="default: all")
    ] = None
    everyone: Annotated[
        bool | None,
        Field(description="those not subscribed too; default: only if nobody ever was"),
    ] = None
    max_rise: Annotated[Percent, Field(description="of a bill, in percent")] = Decimal(20)
    target_margin: Annotated[Margin | None, Field(description="in percent: suggest a price")] = None
    name: ShortText | None = None


class ListReplays(PageOf):
    """Replays that were made, newest first."""


class GetReplay(Command):
    """A replay with all it found."""

    replay_id: str


class ListReplayedCustomers(PageOf):
    """What a replay came to for each customer, largest rise first."""

    replay_id: str


class OtherReplay(Command):
    other_id: Annotated[
        str | None, Field(description="the replay to set beside it; default: the newest")
    ] = None


class CompareReplays(OtherReplay):
    """Two replays side by side."""

    replay_id: str


class DeleteReplay(Command):
    """Delete a replay and what it kept of each customer."""

    replay_id: str


class FeeChange(Result):
    """Fees in one asset, as billed and under the other prices."""

    asset: str
    billed: Number
    replayed: Number
    change: Number
    percent: Annotated[Number | None, Field(description="absent where nothing was billed")] = None


class RanDry(Result):
    """An account that the fees would have taken below what it may owe: `at` which event first, and
    the lowest balance then and as it really was."""

    account: str
    at: datetime
    event_id: str
    lowest_balance: Number
    lowest_balance_billed: Number | None = None


class CustomerChange(Result):
    customer_id: str
    external_id: str | None = None
    events: int
    fees: list[FeeChange]
    rise: RiseInPercent = None
    first_bill: bool | None = None
    ran_dry: list[RanDry] | None = None


class CustomersOver(Result):
    rise: Annotated[Number, Field(description="in percent")]
    customers: int
    share: Annotated[Number, Field(description="of customers, in percent")]


class BillShock(Result):
    """Of `customers` with usage or fees: whose bill changes. First bills are over any limit."""

    max_rise: Number
    customers_over: int
    share_over: Number
    customers: int
    dearer: int
    cheaper: int
    first_bills: int
    rises: list[CustomersOver]
    largest: list[CustomerChange]


class DryCustomers(Result):
    """Whose credit would not have covered the fees; `newly` where it did as billed."""

    customers: int
    newly: int
    lowest: list[CustomerChange]


class SuggestedPrice(Result):
    """`reached` tells whether a replay of `prices` came to the target; else `reason` says why
    not."""

    target_margin: Number
    reached: bool
    reason: str | None = None
    factor: Number | None = None
    price_name: str | None = None
    field: str | None = None
    was: Number | None = None
    value: Number | None = None
    margin: Number | None = None
    gross_revenue: Number | None = None
    prices: ShownPrices | None = None


class UnpricedEvents(Result):
    event_type: str
    events: int


class ReplaySummary(Result):
    """`version` is absent of prices that were given inline."""

    id: str
    name: str | None = None
    created_at: datetime
    product: str | None = None
    version: int | None = None
    occurred_from: datetime | None = None
    occurred_to: datetime | None = None
    everyone: bool
    customers: Annotated[int, Field(description="with usage in the stretch")]
    events: int
    fees: list[FeeChange]
    billed: Profitability
    replayed: Profitability


class Replay(ReplaySummary):
    bill_shock: BillShock
    ran_dry: DryCustomers
    without_fee: list[UnpricedEvents] | None = None
    refused: Annotated[
        list[UnpricedEvents] | None, Field(description="data that these prices cannot read")
    ] = None
    suggestion: SuggestedPrice | None = None
    warnings: list[str]
    prices: ShownPrices


class ReplayPage(Result):
    items: list[ReplaySummary]
    total_count: int
    limit: int
    offset: int


class ReplayedCustomerPage(Result):
    items: list[CustomerChange]
    total_count: int
    limit: int
    offset: int


class ReplayComparison(Result):
    """What the second comes to beside the first; differences are second less first."""

    first: ReplaySummary
    second: ReplaySummary
    same_usage: Annotated[bool, Field(description="whether both are of the same usage")]
    revenue_difference: Annotated[Number | None, Field(description="in the currency of both")] = (
        None
    )
    margin_difference: Annotated[Number | None, Field(description="in percentage points")] = None
    customers_over: list[int]
    ran_dry: list[int]
