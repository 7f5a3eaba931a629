"""The fields of a reconciliation, as callers ask for it and get it back."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from credyt_mcp.use_cases.context import Command, Number, Result, ShortText

GroupBy = Literal["day", "model", "vendor"]


class BilledPeriod(Command):
    period_from: Annotated[date | None, Field(description="default: first billed day")] = None
    period_to: Annotated[date | None, Field(description="included")] = None
    vendor_id: Annotated[ShortText | None, Field(description="or external id")] = None


class ReconcileCosts(BilledPeriod):
    """Compare what vendors billed with the costs that were recorded: the difference, and why.
    `credyt-mcp reconcile FILE` or POST /vendor-bills imports a bill first."""

    group_by: Annotated[GroupBy, Field(description="day: model and day")] = "day"


class TrueUpCosts(BilledPeriod):
    """Book the difference as a cost of the internal customer, so that margins are what was paid.
    May be repeated: a later bill changes what is booked. `reverse` takes all of it back."""

    reverse: bool = False


class DifferenceClasses(Result):
    """Why billed and recorded differ, in money; they add up to the difference exactly."""

    unattributed: Number | None = None
    retry: Number | None = None
    cache_write: Number | None = None
    unpriced: Number | None = None
    price_change: Number | None = None
    rounding: Number | None = None
    timing: Number | None = None
    unexplained: Number | None = None


class Reconciled(Result):
    """`recorded` plus all `classes` is `billed`. `internal` is the part of what was recorded that
    is no customer's; `true_up` is booked, `open` is what of the difference is not."""

    currency: str
    billed: Number
    recorded: Number
    difference: Number
    classes: DifferenceClasses
    true_up: Number
    open: Number
    internal: Number
    calls: int
    unpriced_calls: int


class ReconciledRow(Reconciled):
    """`model` is absent of what is billed without one; `estimated` where there is no bill but only
    counted usage, valued by the prices known now."""

    vendor_id: str
    vendor_external_id: str | None = None
    model: str | None = None
    day: date | None = None
    estimated: bool | None = None
    priced_by: list[str]


class WithoutBill(Result):
    """What was recorded on days of which there is no bill of the vendor's."""

    vendor_id: str
    vendor_external_id: str | None = None
    currency: str
    recorded: Number
    days: int


class Reconciliation(Result):
    period_from: date
    period_to: date
    rows: list[ReconciledRow]
    totals: list[Reconciled]
    without_bill: list[WithoutBill]
    warnings: list[str]


class TrueUpBooked(Result):
    """`added` is what this changed; `booked` is all that is booked for the period."""

    currency: str
    added: Number
    booked: Number


class CostsTruedUp(Result):
    period_from: date
    period_to: date
    changed: int
    unchanged: int
    amounts: list[TrueUpBooked]
    warnings: list[str]
