"""The time machine for prices: recorded usage under other prices, kept, listed and compared."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from pydantic import TypeAdapter
from sqlmodel import Session

from credyt_mcp import exact_json
from credyt_mcp.clock import to_micros
from credyt_mcp.domain.bill_shock import DECIMALS, Rise, order, share
from credyt_mcp.domain.margins import Earned
from credyt_mcp.domain.replays import Outcome, Stretch
from credyt_mcp.errors import InvalidRequest, NotFound, TooMany
from credyt_mcp.storage import replays
from credyt_mcp.storage.replay_history import History, Population
from credyt_mcp.storage.replay_tables import ReplayRow
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.long_work import EVENTS_MAX, Step, patiently
from credyt_mcp.use_cases.price_suggestions import suggest
from credyt_mcp.use_cases.product_fields import ShownPrices
from credyt_mcp.use_cases.profits import profitability
from credyt_mcp.use_cases.replay_fields import (
    BillShock,
    CompareReplays,
    CustomerChange,
    CustomersOver,
    DeleteReplay,
    DryCustomers,
    GetReplay,
    ListReplayedCustomers,
    ListReplays,
    Replay,
    ReplayComparison,
    ReplayedCustomerPage,
    ReplayPage,
    ReplayPricing,
    ReplaySummary,
    UnpricedEvents,
)
from credyt_mcp.use_cases.replay_terms import Terms, recompiled, terms_of
from credyt_mcp.use_cases.replaying import Totals, Walk, amounts

CUSTOMERS_AT_ONCE = 500
FIRST_BILL_RISE = 2**62
_PRICES: TypeAdapter[ShownPrices] = TypeAdapter(ShownPrices)

Progress = Callable[[int, int], None]
"""Called with how many more events were walked, and how many there are in all."""


async def replay_pricing(billing: Billing, command: ReplayPricing) -> Replay:
    """One at a time in a process; a caller that goes away ends it.

    Raises NotFound, InvalidRequest, UnknownReference, TooMany.
    """

    def work(step: Step) -> Replay:
        return replay(billing, command, lambda count, _: step(count), EVENTS_MAX)

    return await patiently(work)


def replay(
    billing: Billing, command: ReplayPricing, progress: Progress, at_most: int | None = None
) -> Replay:
    """The same in the caller's own thread. Raises TooMany if there are more events than
    `at_most`, and whatever `progress` raises; then nothing is kept."""
    terms = terms_of(command, billing)
    population = _population(billing, command, terms)
    with billing.database.write() as session:
        row = replays.begin(session, billing.tenant.id, billing.now())
    try:
        with History(billing.database, population) as history:
            total = history.count_events(None if at_most is None else at_most + 1)
            if at_most is not None and total > at_most:
                raise TooMany(
                    "customers",
                    f"there are more than {at_most} events to walk, since before the stretch too",
                    hint="Name fewer customers, or use the command line: `credyt-mcp replay`.",
                )
            found = _run(
                billing, command, terms, history, row, lambda count: progress(count, total)
            )
        with billing.database.write() as session:
            replays.finish(session, row, exact_json.loads(exact_json.dumps(found.model_dump())))
    except BaseException:
        with billing.database.write() as session:
            replays.remove(session, row)
        raise
    return found


def list_replays(billing: Billing, command: ListReplays) -> ReplayPage:
    with billing.database.read() as session:
        rows, total = replays.page(session, billing.tenant.id, command.offset, command.limit)
        items = [ReplaySummary.model_validate(row.result) for row in rows]
    return ReplayPage(items=items, total_count=total, limit=command.limit, offset=command.offset)


def get_replay(billing: Billing, command: GetReplay) -> Replay:
    with billing.database.read() as session:
        return Replay.model_validate(_known(session, billing, command.replay_id).result)


def list_replayed_customers(
    billing: Billing, command: ListReplayedCustomers
) -> ReplayedCustomerPage:
    with billing.database.read() as session:
        replayed = _known(session, billing, command.replay_id)
        rows, total = replays.customers(session, replayed, command.offset, command.limit)
        items = [CustomerChange.model_validate(row.details) for row in rows]
    return ReplayedCustomerPage(
        items=items, total_count=total, limit=command.limit, offset=command.offset
    )


def compare_replays(billing: Billing, command: CompareReplays) -> ReplayComparison:
    with billing.database.read() as session:
        found = [
            Replay.model_validate(row.result)
            for row in (
                _known(session, billing, command.replay_id),
                _known(session, billing, command.other_id)
                if command.other_id is not None
                else replays.page(session, billing.tenant.id, 0, 1)[0][0],
            )
        ]
    first, second = found
    before, after = first.replayed, second.replayed
    alike = before.currency == after.currency
    asked = [(one.events, one.occurred_from, one.occurred_to, one.billed) for one in found]
    return ReplayComparison(
        first=ReplaySummary.model_validate(first.model_dump()),
        second=ReplaySummary.model_validate(second.model_dump()),
        same_usage=asked[0] == asked[1],
        revenue_difference=after.gross_revenue - before.gross_revenue if alike else None,
        margin_difference=after.margin - before.margin if alike else None,
        customers_over=[one.bill_shock.customers_over for one in found],
        ran_dry=[one.ran_dry.customers for one in found],
    )


def delete_replay(billing: Billing, command: DeleteReplay) -> None:
    with billing.database.write() as session:
        replays.remove(session, _known(session, billing, command.replay_id))


def _known(session: Session, billing: Billing, public_id: str) -> ReplayRow:
    row = replays.find(session, billing.tenant.id, public_id)
    if row is None:
        raise NotFound(f"there is no replay '{public_id}'", hint="GET /replays lists them.")
    return row


def _population(billing: Billing, command: ReplayPricing, terms: Terms) -> Population:
    """Raises InvalidRequest for customers that there are not."""
    named = None if command.customers is None else tuple(command.customers)
    if named is not None:
        with billing.database.read() as session:
            missing = replays.unknown_customers(session, billing.tenant.id, named)
        if missing:
            raise InvalidRequest("customers", f"there is no customer '{missing[0]}'")
    product = None if terms.everyone or terms.product is None else terms.product.id
    return Population(billing.tenant.id, named, product)


def _run(
    billing: Billing,
    command: ReplayPricing,
    terms: Terms,
    history: History,
    row: ReplayRow,
    step: Step,
) -> Replay:
    stretch = Stretch(
        None if command.occurred_from is None else to_micros(command.occurred_from),
        None if command.occurred_to is None else to_micros(command.occurred_to),
    )
    walk = Walk(billing, history, stretch, command.max_rise, to_micros(row.created_at))
    keeper = _Keeper(billing, row)
    totals = walk.totals(terms, step, keeper.add)
    keeper.flush()
    standing = history.standing_revenue(stretch)
    suggestion = None
    if command.target_margin is not None:

        def replayed(definitions: list[dict[str, Any]]) -> Outcome:
            return walk.totals(recompiled(billing, terms, definitions), step).outcome

        suggestion = suggest(terms, command.target_margin, totals.outcome, standing, replayed)
    return Replay(
        **_summary(command, terms, row),
        customers=totals.customers,
        events=totals.outcome.events,
        fees=walk.changes(billing.tenant.id, totals.outcome.billed, totals.outcome.replayed),
        **_profits(billing, history, totals.outcome, standing),
        bill_shock=_shock(totals),
        ran_dry=DryCustomers(
            customers=totals.ran_dry, newly=totals.newly_dry, lowest=list(totals.lowest)
        ),
        without_fee=_counted(totals.outcome.without_fee),
        refused=_counted(totals.outcome.refused),
        suggestion=suggestion,
        warnings=_warnings(terms, totals),
        prices=_PRICES.validate_python(terms.definitions),
    )


class _Keeper:
    """Saves what a replay came to for each customer, some at a time."""

    def __init__(self, billing: Billing, row: ReplayRow) -> None:
        self._billing, self._row = billing, row
        self._rows: list[dict[str, Any]] = []

    def add(self, change: CustomerChange, rise: Rise) -> None:
        highest = order(rise)
        self._rows.append(
            {
                "customer_id": change.customer_id,
                "rise": min(int(highest.scaleb(DECIMALS)), FIRST_BILL_RISE)
                if highest.is_finite()
                else FIRST_BILL_RISE,
                "details": change.model_dump(),
            }
        )
        if len(self._rows) >= CUSTOMERS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            with self._billing.database.write() as session:
                replays.add_customers(session, self._row, self._rows)
        self._rows = []


def _summary(command: ReplayPricing, terms: Terms, row: ReplayRow) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "name": command.name,
        "created_at": row.created_at,
        "product": None if terms.product is None else terms.product.code,
        "version": terms.version,
        "occurred_from": command.occurred_from,
        "occurred_to": command.occurred_to,
        "everyone": terms.everyone,
    }


def _profits(
    billing: Billing, history: History, outcome: Outcome, standing: Earned
) -> dict[str, Any]:
    find = partial(history.find_asset, billing.tenant.id)
    return {
        name: profitability(
            amounts(sums.revenue, standing, outcome.costs), find, outcome.unpriced_calls
        )
        for name, sums in (("billed", outcome.billed), ("replayed", outcome.replayed))
    }


def _shock(totals: Totals) -> BillShock:
    shock = totals.shock
    return BillShock(
        max_rise=shock.limit,
        customers_over=shock.over_limit,
        share_over=share(shock.over_limit, shock.customers),
        customers=shock.customers,
        dearer=shock.dearer,
        cheaper=shock.cheaper,
        first_bills=shock.first_bills,
        rises=[
            CustomersOver(rise=step, customers=over, share=part)
            for step, over, part in shock.shares()
        ],
        largest=list(totals.largest),
    )


def _counted(events: dict[str, int]) -> list[UnpricedEvents] | None:
    """The most frequent types."""
    most = sorted(events.items(), key=lambda item: (-item[1], item[0]))[:10]
    return [UnpricedEvents(event_type=name, events=count) for name, count in most] or None


def _warnings(terms: Terms, totals: Totals) -> list[str]:
    said = []
    if not totals.outcome.events:
        said.append("There was no usage in the stretch: check the dates and the customers.")
    elif not totals.outcome.own.fees:
        types = sorted({price.event_type for price in terms.card.prices})
        known = ", ".join(f"'{name}'" for name in types) or "none"
        said.append(f"These prices charged nothing; event types with a price: {known}.")
    if terms.card.fees or terms.card.entitlements:
        said.append(
            "Fixed fees and included credit were left as they were; only usage was priced anew."
        )
    if totals.outcome.unpriced_calls:
        said.append("Some model calls have no cost yet, so margins are too high: /costs/unpriced.")
    return said
