"""The book's page of shared costs: what is to be settled later, who uses it, what is settled now.
Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from credyt_mcp.clock import DAY
from credyt_mcp.domain.cost_rules import Shared, shared, uses
from credyt_mcp.ids import client_key

if TYPE_CHECKING:
    from credyt_mcp.domain.book import Event

Key = tuple[int, bytes]
"""A tenant and the key of a cost's id."""
Use = tuple[int, str, int, int]
"""A tenant, a pool, a UTC day since 1970 and a customer."""


class OpenCost(NamedTuple):
    """A cost that is not settled yet; see `cost_rules.Shared`."""

    customer_id: int
    kind: dict[str, Any]
    units: int


class CostPools:
    """`open` has those costs that commands name and that are not settled; `undo` takes it back."""

    def __init__(self, undo: list[Callable[[], object]]) -> None:
        self.open: dict[Key, OpenCost] = {}
        self.shared: list[tuple[int, int, bytes, Shared]] = []
        self.uses: list[Use] = []
        self.settled: dict[Key, str] = {}
        self.dependencies: list[tuple[Event, Sequence[int]]] = []
        self._undo = undo

    def note(self, tenant_id: int, customer_id: int, day: int, cost: Mapping[str, Any]) -> None:
        """A cost that was recorded or priced, on the UTC day that it belongs to."""
        found = shared(cost, day)
        if found is not None:
            row = (tenant_id, customer_id, client_key(cost["id"]), found)
            self.shared.append(row)
            self._undo.append(self.shared.pop)

    def note_all(self, event: Event) -> None:
        """The costs of an event that was just recorded, each of which is a use as well. What an
        allocation moved is settled."""
        for cost in event.costs or ():
            rule = cost.get("rule")
            if rule is None or "allocation" in rule or not cost.get("counted", True):
                continue
            day = cost.get("booked_at", event.occurred_at) // DAY
            self.note(event.tenant_id, event.customer_id, day, cost)
            for pool in uses(cost):
                self.uses.append((event.tenant_id, pool, day, event.customer_id))
                self._undo.append(self.uses.pop)

    def depend(self, event: Event, customers: Sequence[int]) -> None:
        """Note the customers (row ids) whose data the event was made of."""
        self.dependencies.append((event, customers))
        self._undo.append(self.dependencies.pop)

    def settle(self, keys: Iterable[Key], allocation: str) -> list[OpenCost]:
        """Close those of these costs that are open, and answer them."""
        return [self._close(key, allocation) for key in keys if key in self.open]

    def _close(self, key: Key, allocation: str) -> OpenCost:
        one = self.open.pop(key)
        self.settled[key] = allocation
        self._undo += [lambda: self.open.update({key: one}), lambda: self.settled.pop(key)]
        return one
