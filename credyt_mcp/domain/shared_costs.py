"""Settling shared costs: once a window is over, what customers bear moves between them. Pure.

A movement is an event that has costs and no fee, on the day of what it moves: it counts as any
event's costs do, whoever sums them up. It touches no wallet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from credyt_mcp.clock import DAY, from_micros
from credyt_mcp.domain.assets import currency
from credyt_mcp.domain.book import Book, CustomerRef, Event
from credyt_mcp.domain.cost_rules import Movement, settle
from credyt_mcp.domain.earnings import book_usage
from credyt_mcp.domain.money import from_units
from credyt_mcp.ids import client_key

EVENT_TYPE = "cost.allocation"
"""Of the events that move costs."""


class Window(NamedTuple):
    """What is settled together: costs of one rule and day; see `cost_rules.Shared`."""

    on: str
    rule: str
    shared_key: str
    first_day: int
    last_day: int


@dataclass(frozen=True)
class SettleCosts:
    """Settle those of `costs` (keys of their ids) that are open still, by how often each customer
    (row id) used what they paid for; `ref` is the tenant's internal customer. Once a cost is
    settled it stays so. Answers how many were.
    """

    ref: CustomerRef
    id: str
    window: Window
    costs: Sequence[bytes]
    users: Mapping[int, int]

    @property
    def keys(self) -> list[tuple[int, bytes]]:
        """About as many as there will be events: what has many goes to the lane apart."""
        return [(self.ref.tenant_id, client_key(self._event_id(n))) for n in range(len(self.users))]

    @property
    def shared_keys(self) -> list[tuple[int, bytes]]:
        return [(self.ref.tenant_id, key) for key in self.costs]

    def decide(self, book: Book) -> int:
        internal = book.customer(self.ref).id
        found = book.tallies.pools.settle(self.shared_keys, self.id)
        kinds = {str(one.kind): one.kind for one in found}
        users = {internal: 1} if self.window.rule == "write_off" else self.users
        costs = [(one.customer_id, str(one.kind), one.units) for one in found]
        movements = sorted(settle(costs, users, internal))
        for index, (customer_id, own) in enumerate(groupby(movements, key=itemgetter(0))):
            rule = self._rule(users.get(customer_id, 0), sum(users.values()))
            row = self._event(book, index, customer_id)
            row.costs = [
                _cost(f"{row.client_id}:{place}", one, kinds[one.kind], rule)
                for place, one in enumerate(own)
            ]
            book.record(row)
            book_usage(book, row, [], [])
        return len(found)

    def _rule(self, uses: int, of: int) -> dict[str, Any]:
        on, rule, shared_key, first_day, _ = self.window
        found: dict[str, Any] = {"on": on, "rule": rule, "allocation": self.id}
        if shared_key:
            found["shared_key"] = shared_key
        day = str(from_micros(first_day * DAY).date())
        return {**found, "day": day, "uses": uses, "of": of}

    def _event(self, book: Book, index: int, customer_id: int) -> Event:
        event_id = self._event_id(index)
        return Event(
            tenant_id=self.ref.tenant_id,
            key=client_key(event_id),
            client_id=event_id,
            customer_id=customer_id,
            event_type=EVENT_TYPE,
            occurred_at=self.window.first_day * DAY,
            recorded_at=book.now,
            subject=None,
            user_id=None,
            description=None,
            data=None,
            fees=None,
            costs=None,
        )

    def _event_id(self, index: int) -> str:
        return f"{self.id}:{index}"


def _cost(
    cost_id: str, movement: Movement, kind: dict[str, Any], rule: dict[str, Any]
) -> dict[str, Any]:
    """As a cost is stored; `kind` is what `cost_rules.Shared` says."""
    asset = currency(kind["currency"])
    assert asset is not None, "costs are in currencies"
    call = {name: kind[name] for name in ("provider", "model")}
    rule = {**rule, "total": from_units(movement.total, asset)}
    amount = from_units(movement.units, asset)
    placed = {name: kind[name] for name in kind if name not in call}
    return {**placed, "id": cost_id, "amount": amount, "rule": rule, "llm": call}
