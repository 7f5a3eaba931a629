"""What recorded model calls cost by the prices that are known now, beside what they were booked at.

The price table that was in force is stored with each cost, with every rate. So a newer table, or a
price of one's own, is compared with what was really used, and nothing is asked of the old table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Annotated, Any

from pydantic import Field
from sqlmodel import Session

from credyt_mcp.clock import from_micros, to_micros
from credyt_mcp.domain.llm_pricing import Unpriced
from credyt_mcp.domain.replays import RecordedEvent
from credyt_mcp.errors import InvalidRequest, TooMany
from credyt_mcp.storage.replay_history import History, Population
from credyt_mcp.use_cases import price_table
from credyt_mcp.use_cases.context import Billing, Command, Moment, Number, Result
from credyt_mcp.use_cases.llm_costs import CURRENCY, price
from credyt_mcp.use_cases.long_work import EVENTS_MAX, Step, patiently

SHOWN = 200


class ListLlmPriceChanges(Command):
    """Prices of models that are not what recorded calls were booked at, and what recorded calls
    would cost by them, per product. Nothing is booked."""

    since: Annotated[Moment | None, Field(description="of calls from then on; default: all")] = None
    priced_at: Annotated[
        Moment | None,
        Field(description="by the prices of this day; default: of each call's own day"),
    ] = None


class RateChange(Result):
    """Of one class of tokens; `rate` is per `per` of them. `calls` were booked at `was`, by the
    table `priced_by`."""

    provider: str
    model: str
    token_class: str
    was: Number
    rate: Number
    per: int
    priced_by: str
    now_by: str
    calls: int


class ProductCosts(Result):
    """`product` is the code of what the events' first fees are of; absent of events without a
    fee."""

    product: str | None = None
    calls: int
    booked: Number
    repriced: Number
    difference: Number


class TableUse(Result):
    """When calls were priced by a table, by their own days."""

    priced_by: str
    first_at: datetime
    last_at: datetime
    calls: int


class LlmPriceChanges(Result):
    """`newly_priced` calls had no price; `no_longer_priced` ones have none now, and are in no
    sum."""

    published: str
    currency: str
    changes: list[RateChange]
    products: list[ProductCosts]
    tables: list[TableUse]
    newly_priced: int
    no_longer_priced: int


@dataclass
class _Found:
    changes: dict[tuple[Any, ...], int] = field(default_factory=dict)
    products: dict[str | None, tuple[int, Decimal, Decimal]] = field(default_factory=dict)
    tables: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    newly_priced: int = 0
    no_longer_priced: int = 0


async def list_llm_price_changes(billing: Billing, command: ListLlmPriceChanges) -> LlmPriceChanges:
    """Raises TooMany."""
    return await patiently(partial(price_changes, billing, command, EVENTS_MAX))


def price_changes(
    billing: Billing, command: ListLlmPriceChanges, at_most: int | None, step: Step
) -> LlmPriceChanges:
    """The same in the caller's own thread, of any number of events if `at_most` is None."""
    found = _Found()
    with History(billing.database, Population(billing.tenant.id)) as history:
        if at_most is not None and history.count_events(at_most + 1) > at_most:
            raise TooMany(
                "since",
                f"there are more than {at_most} events to look through",
                hint="Use the command line: `credyt-mcp price-changes`.",
            )
        since = None if command.since is None else to_micros(command.since)
        for wallet in history.wallets():
            for event in wallet.life:
                if not isinstance(event, RecordedEvent):
                    continue
                step(1)
                if calls := list(_calls(event, since)):
                    with billing.database.read() as session:
                        for cost, moment in calls:
                            _compare(session, billing, command, found, event, cost, moment)
    return _shown(found)


def _calls(event: RecordedEvent, since: int | None) -> Iterator[tuple[dict[str, Any], int]]:
    """The event's model calls with their moments; one that was priced late, as it was then."""
    late = {cost["corrects"]: cost for cost in event.late_costs}
    for cost in event.costs:
        moment = cost.get("booked_at", event.occurred_at)
        was_asked = "priced_by" in cost.get("llm", ()) or cost.get("unpriced", False)
        if was_asked and cost.get("counted", True) and (since is None or moment >= since):
            yield late.get(cost["id"], cost), moment


def _compare(
    session: Session,
    billing: Billing,
    command: ListLlmPriceChanges,
    found: _Found,
    event: RecordedEvent,
    cost: dict[str, Any],
    moment: int,
) -> None:
    try:
        day = command.priced_at or from_micros(moment)
        now = price(session, billing.tenant.id, cost, day)
    except (Unpriced, InvalidRequest):
        found.no_longer_priced += not cost.get("unpriced", False)
        return
    booked = Decimal(0)
    if cost.get("unpriced"):
        found.newly_priced += 1
    else:
        booked = Decimal(cost["amount"])
        _note_rates(found, cost["llm"], now["llm"])
        _note_table(found, cost["llm"]["priced_by"], moment)
    product = None
    if event.fees:
        key = event.fees[0][0]
        product = billing.prices.get((key,))[key].product_code
    calls, before, after = found.products.get(product, (0, Decimal(0), Decimal(0)))
    found.products[product] = calls + 1, before + booked, after + Decimal(now["amount"])


def _note_rates(found: _Found, before: dict[str, Any], after: dict[str, Any]) -> None:
    known = {line["class"]: line for line in before["lines"]}
    for line in after["lines"]:
        old = known.get(line["class"])
        if old is not None and Decimal(old["rate"]) != Decimal(line["rate"]):
            key = (
                before["provider"],
                before["model"],
                line["class"],
                Decimal(old["rate"]),
                Decimal(line["rate"]),
                line["per"],
                before["priced_by"],
                after["priced_by"],
            )
            found.changes[key] = found.changes.get(key, 0) + 1


def _note_table(found: _Found, priced_by: str, moment: int) -> None:
    first, last, calls = found.tables.get(priced_by, (moment, moment, 0))
    found.tables[priced_by] = min(first, moment), max(last, moment), calls + 1


def _shown(found: _Found) -> LlmPriceChanges:
    names = ("provider", "model", "token_class", "was", "rate", "per", "priced_by", "now_by")
    most = sorted(found.changes.items(), key=lambda item: (-item[1], item[0]))[:SHOWN]
    return LlmPriceChanges(
        published=price_table.version(),
        currency=CURRENCY,
        changes=[
            RateChange(**dict(zip(names, key, strict=True)), calls=calls) for key, calls in most
        ],
        products=[
            ProductCosts(
                product=product,
                calls=calls,
                booked=before,
                repriced=after,
                difference=after - before,
            )
            for product, (calls, before, after) in sorted(
                found.products.items(), key=lambda item: item[0] or ""
            )
        ],
        tables=[
            TableUse(
                priced_by=name, first_at=from_micros(first), last_at=from_micros(last), calls=calls
            )
            for name, (first, last, calls) in sorted(found.tables.items())
        ],
        newly_priced=found.newly_priced,
        no_longer_priced=found.no_longer_priced,
    )
