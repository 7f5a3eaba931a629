"""Budgets: how much a customer, an end user or a task may use in an hour, a day or a month. Pure.

A budget counts fees in one asset or costs in one currency: what was used in its window of UTC, and
what open authorizations hold. It refuses authorizations and enforced usage; usage that happened is
counted, whatever it comes to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

from credyt_mcp import ids
from credyt_mcp.clock import from_micros, to_micros
from credyt_mcp.domain.alerts import Window, began
from credyt_mcp.domain.margins import vendor_costs
from credyt_mcp.domain.money import Asset, from_units
from credyt_mcp.errors import BudgetExceeded

if TYPE_CHECKING:
    from credyt_mcp.domain.book import Authorization, Book, Event
    from credyt_mcp.domain.fees import StoredFee

Metric = Literal["fee", "cost"]
Level = Literal["customer", "end_user", "task"]

EACH = "*"
"""In place of an end user or a task: every one of them has this budget for itself."""


class Who(NamedTuple):
    """Whose usage it is; the customer is the database's id."""

    customer_id: int
    user_id: str | None
    subject: str | None

    @classmethod
    def of(cls, usage: Authorization | Event) -> Self:
        return cls(usage.customer_id, usage.user_id, usage.subject)


class Item(NamedTuple):
    """Units of an asset that usage came to, at a moment in microseconds."""

    metric: Metric
    asset: str
    units: int
    at: int


class Budget(NamedTuple):
    """`limit` in units of `asset`. At most one of `user_id` and `subject` is given; the other, or
    both for the customer's own budget, are empty."""

    id: int
    tenant_id: int
    public_id: str
    customer_id: int
    user_id: str
    subject: str
    metric: Metric
    asset: Asset
    window: Window
    limit: int

    @property
    def level(self) -> Level:
        return "end_user" if self.user_id else "task" if self.subject else "customer"

    @property
    def kind(self) -> tuple[Any, ...]:
        """What the budget of one has in common with that of each, in whose place it is."""
        return self.level, self.metric, self.asset.code, self.window

    @property
    def is_of_each(self) -> bool:
        return EACH in (self.user_id, self.subject)

    def part_of(self, user_id: str | None, subject: str | None) -> str | None:
        """Whose share of the budget this usage is: the end user's, the task's, or '' for the
        customer's; None where it does not count."""
        meant, given = (self.user_id, user_id) if self.user_id else (self.subject, subject)
        if not meant:
            return ""
        return given if given and meant in (EACH, given) else None

    def sum_of(self, items: Iterable[Item], since: int | None = None) -> int:
        """Units of the items that it counts, from a moment on."""
        return sum(
            units
            for metric, asset, units, at in items
            if (metric, asset) == (self.metric, self.asset.code) and (since is None or at >= since)
        )


@dataclass(eq=False)
class BudgetUse:
    """What one share of a budget has used in the window that began at `began_at`, and what open
    authorizations hold of it."""

    budget: Budget
    part: str
    began_at: int
    used: int = 0
    held: int = 0
    stored: bool = False

    def used_at(self, now: int) -> int:
        """What was used in the window of that moment."""
        return self.used if self.began_at >= window_start(self.budget.window, now) else 0


def window_start(window: Window, now: int) -> int:
    return to_micros(began(window, from_micros(now)))


def window_end(window: Window, now: int) -> int:
    start = began(window, from_micros(now))
    longest = {"hour": timedelta(hours=1), "day": timedelta(days=1), "month": timedelta(days=31)}
    return to_micros(began(window, start + longest[window]))


def fee_items(fees: Iterable[tuple[str, int]], at: int) -> list[Item]:
    """Of amounts by the code of their asset."""
    return [Item("fee", asset, units, at) for asset, units in fees]


def cost_items(costs: Iterable[dict[str, Any]] | None, at: int) -> list[Item]:
    """Of costs as events keep them; one that has no price yet, or came before, is left out. A cost
    may have a moment of its own."""
    found = []
    for cost in costs or ():
        [spent] = vendor_costs([cost])
        if spent.counted and spent.unpriced <= 0:
            found.append(Item("cost", spent.currency, spent.units, cost.get("booked_at", at)))
    return found


def usage_items(
    fees: Iterable[StoredFee], costs: Iterable[dict[str, Any]] | None, at: int
) -> list[Item]:
    """Of an event."""
    return fee_items(((fee.asset, fee.amount) for fee in fees), at) + cost_items(costs, at)


def held_items(authorization: Authorization) -> list[Item]:
    """What an authorization holds now, and what its usage was estimated to cost."""
    fees = ((leg.account.asset.code, leg.held) for leg in authorization.legs)
    return open_items(fees, authorization.costs.items(), authorization.created_at)


def open_items(
    fees: Iterable[tuple[str, int]], costs: Iterable[tuple[str, int]], at: int
) -> list[Item]:
    """Of amounts by the code of their asset."""
    return [*fee_items(fees, at), *(Item("cost", code, units, at) for code, units in costs)]


class Budgets:
    """What a book knows of budgets: nothing of customers who have none, and of others those that
    its commands may touch, customer by customer, with their `uses` share by share."""

    def __init__(self) -> None:
        self.of: dict[int, list[Budget]] = {}
        self.uses: dict[tuple[int, str], BudgetUse] = {}
        self.refused_by: BudgetUse | None = None

    def uses_of(self, who: Who) -> Iterator[BudgetUse]:
        """From the customer's down, as they are named when they refuse."""
        for budget in sorted(self.of[who.customer_id], key=_from_above):
            part = budget.part_of(who.user_id, who.subject)
            if part is not None:
                yield self.uses[budget.id, part]

    def deciding(self, who: Who) -> list[BudgetUse]:
        """Those that may refuse: who has a budget of their own is not bound by that of each."""
        uses = list(self.uses_of(who))
        own = {use.budget.kind for use in uses if not use.budget.is_of_each}
        return [use for use in uses if not use.budget.is_of_each or use.budget.kind not in own]


def must_fit(book: Book, who: Who, items: Iterable[Item]) -> None:
    """Raises BudgetExceeded if they are more than any level has left, or if costs that nobody
    estimated begin when nothing is left."""
    if who.customer_id not in book.budgets.of:
        return
    known = list(items)
    for use in book.budgets.deciding(who):
        budget, used = use.budget, use.used_at(book.now)
        left, needed = budget.limit - used - use.held, budget.sum_of(known)
        unknown = budget.metric == "cost" and not needed
        if needed > max(0, left) or (unknown and left <= 0):
            book.budgets.refused_by = use
            raise BudgetExceeded(facts_of(use, book.now), from_units(needed, budget.asset))


def spend(book: Book, who: Who, items: Iterable[Item]) -> None:
    """Count usage that happened in the present windows, and notice a limit it reaches."""
    if who.customer_id not in book.budgets.of:
        return
    known = list(items)
    for use in book.budgets.uses_of(who):
        # Another process's clock may be ahead, in the next window already.
        start = max(use.began_at, window_start(use.budget.window, book.now))
        units = use.budget.sum_of(known, start)
        if units:
            before = use.used_at(book.now)
            book.touch(use)
            use.began_at, use.used = start, before + units
            if before < use.budget.limit <= use.used:
                _tell(book, use)


def count_hold(book: Book, authorization: Authorization, factor: int = 1) -> None:
    """Count what an authorization holds now; with factor -1 count it no longer."""
    if authorization.customer_id not in book.budgets.of:
        return
    items = held_items(authorization)
    for use in book.budgets.uses_of(Who.of(authorization)):
        units = use.budget.sum_of(items)
        if units:
            book.touch(use)
            use.held += factor * units


def tell_of_refusal(book: Book) -> None:
    """Notice the limit that refused the last command, once that is taken back."""
    if book.budgets.refused_by is not None:
        _tell(book, book.budgets.refused_by)
        book.budgets.refused_by = None


def _tell(book: Book, use: BudgetUse) -> None:
    """Once for each limit in each window, whether it was reached or refused before that."""
    budget, start = use.budget, window_start(use.budget.window, book.now)
    terms = (budget.public_id, use.part, str(start), str(budget.limit))
    once = ids.text_key("budget.reached", *terms)
    facts = facts_of(use, book.now)
    book.notice("budget.reached", budget.tenant_id, budget.customer_id, facts, once=once)


def _from_above(budget: Budget) -> tuple[bool, bool, int]:
    return bool(budget.subject), bool(budget.user_id), budget.id


def facts_of(use: BudgetUse, now: int) -> dict[str, Any]:
    """What a refusal and a notice say of a budget, in wire shape."""
    budget, part = use.budget, use.part
    asset = budget.asset
    whose = {"end_user": {"user_id": part}, "task": {"subject": part}, "customer": {}}
    return {
        "budget_id": budget.public_id,
        "level": budget.level,
        **whose[budget.level],
        "metric": budget.metric,
        "asset": asset.code,
        "window": budget.window,
        "limit": from_units(budget.limit, asset),
        "used": from_units(use.used_at(now), asset),
        "held": from_units(use.held, asset),
        "resets_at": from_micros(window_end(budget.window, now)),
    }


def sums_by_code(items: Iterable[Item]) -> dict[str, int]:
    """Of items of one metric, by the code of their asset."""
    sums: dict[str, int] = {}
    for item in items:
        sums[item.asset] = sums.get(item.asset, 0) + item.units
    return sums
