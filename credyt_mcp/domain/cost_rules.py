"""Whose a cost is where that is a matter of choice: shared ones, failures, retries. Pure.

The rule is chosen when the cost is recorded, and stored in it. What can only be known later, who
read what somebody wrote, is worked out once the window is over, in whole units: the parts always
add up to the cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any, Literal, NamedTuple

from credyt_mcp.clock import DAY, SECOND
from credyt_mcp.domain.assets import currency
from credyt_mcp.domain.money import EXACT, round_units

WhoWrote = Literal["writer", "readers"]
WhoFailed = Literal["attribute", "write_off", "spread"]

REUSED = "reused"
"""The outcome of a call that was not made, since what it would have answered was there."""
CALLS = "calls"
"""The pool of those who carry what is spread: calls that went well."""
GRACE = 3600 * SECOND
"""How long after a window's end it is settled, for usage that is reported a little late."""

_MOVED = ("readers", "write_off", "spread")


@dataclass(frozen=True)
class CostRules:
    """A tenant's choices. What is embedded is shared by who uses it within `embedding_days`, what
    is written to a cache by who uses it that day."""

    cache_writes: WhoWrote = "writer"
    embeddings: WhoWrote = "writer"
    embedding_days: int = 30
    failures: WhoFailed = "attribute"
    retries: WhoFailed = "attribute"

    @property
    def spreads(self) -> bool:
        return "spread" in (self.failures, self.retries)


DEFAULT = CostRules()


class Shared(NamedTuple):
    """What of a cost is to be settled once its window (UTC days since 1970, both included) is over,
    and by which `uses`. `kind` is what sorts it: vendor, model, category and currency."""

    on: str
    rule: str
    shared_key: str
    first_day: int
    last_day: int
    kind: dict[str, Any]
    units: int

    @property
    def due_at(self) -> int:
        """Microseconds since 1970."""
        return (self.last_day + 1) * DAY + GRACE


class Movement(NamedTuple):
    """Units that one customer is to bear more, or less, of one `kind` of cost, of a `total`."""

    customer_id: int
    kind: str
    units: int
    total: int


def rule_of(
    rules: CostRules,
    cost: Mapping[str, Any],
    shared_key: str | None,
    *,
    internal: bool,
    depends: bool,
) -> dict[str, Any] | None:
    """The rule to store with a model call's cost; None for a plain one. The first that fits."""
    call = cost["llm"]
    failed, retried = call.get("outcome") == "failed", call.get("attempt", 1) > 1
    embeds = cost["category"] == "embedding" or call.get("outcome") == REUSED
    if internal and shared_key is None:
        return {"on": "background", "rule": "internal"}
    if failed or retried:
        on, rule = ("failures", rules.failures) if failed else ("retries", rules.retries)
        found: dict[str, Any] = {"on": on, "rule": rule}
    elif shared_key is not None and embeds:
        found = {"on": "embeddings", "rule": rules.embeddings, "shared_key": shared_key}
        found["days"] = rules.embedding_days
    elif shared_key is not None:
        found = {"on": "cache_writes", "rule": rules.cache_writes, "shared_key": shared_key}
    elif _writes(cost):
        found = {"on": "cache_writes", "rule": "writer"}
    elif depends:
        found = {"on": "agent_chains", "rule": "request_boundary"}
    elif rules.spreads:
        found = {"on": CALLS, "rule": "attribute"}
    else:
        return None
    if rules.spreads and not internal and call.get("outcome", "ok") == "ok":
        found["carries"] = True
    return found


def uses(cost: Mapping[str, Any]) -> Iterable[str]:
    """The pools that a cost of this rule makes its customer a user of, once each."""
    rule = cost["rule"]
    if rule["rule"] == "readers":
        yield pool(rule["on"], rule["shared_key"])
    if rule.get("carries"):
        yield CALLS


def pool(on: str, shared_key: str) -> str:
    """What is shared by the users of one key; all that is spread, by calls that went well."""
    return f"{on}:{shared_key}" if shared_key else CALLS


def shared(cost: Mapping[str, Any], day: int) -> Shared | None:
    """What of a cost of that day is to be settled later, if anything."""
    rule = cost["rule"]
    if rule["rule"] not in _MOVED or cost.get("unpriced"):
        return None
    asset = currency(cost["currency"])
    assert asset is not None, "costs are in currencies"
    writes = rule["on"] == "cache_writes"
    units = round_units(_writes(cost) if writes else Decimal(cost["amount"]), asset)
    if not units:
        return None
    kind = {name: cost[name] for name in ("vendor_id", "vendor_external_id") if name in cost}
    kind |= {"category": cost["category"], "currency": asset.code}
    kind |= {name: cost["llm"][name] for name in ("provider", "model")}
    last_day = day + rule.get("days", 1) - 1
    return Shared(rule["on"], rule["rule"], rule.get("shared_key", ""), day, last_day, kind, units)


def settle(
    costs: Iterable[tuple[int, str, int]], users: Mapping[int, int], internal: int
) -> list[Movement]:
    """What moves between customers, by costs of (customer, kind, units) and how often each of the
    `users` used what they paid for. Nothing, where nobody did. The tenant's own work carries a part
    only where there is nobody else. The movements of each kind add up to nothing."""
    given: dict[str, dict[int, int]] = {}
    for customer_id, kind, units in costs:
        of = given.setdefault(kind, {})
        of[customer_id] = of.get(customer_id, 0) + units
    weights = {user: count for user, count in users.items() if count > 0 and user != internal}
    weights = weights or {user: count for user, count in users.items() if count > 0}
    found = []
    for kind, of in sorted(given.items()):
        total = sum(of.values())
        parts = divide(total, weights) if weights else of
        for customer_id in sorted({*of, *parts}):
            units = parts.get(customer_id, 0) - of.get(customer_id, 0)
            if units:
                found.append(Movement(customer_id, kind, units, total))
    return found


def divide(units: int, weights: Mapping[int, int]) -> dict[int, int]:
    """`units` in proportion to positive `weights`, each part cut to a whole unit; those that lost
    most by that get one more, the first of equals by key. The parts add up to `units`."""
    whole = sum(weights.values())
    parts = {key: units * weight // whole for key, weight in weights.items()}
    lost = {key: Fraction(units * weight, whole) - parts[key] for key, weight in weights.items()}
    by_loss = sorted(weights, key=lambda key: (-lost[key], key))
    for key in by_loss[: units - sum(parts.values())]:
        parts[key] += 1
    return parts


def _writes(cost: Mapping[str, Any]) -> Decimal:
    """What writing to the cache cost."""
    with localcontext(EXACT):
        return sum(
            (
                Decimal(line["amount"])
                for line in cost["llm"].get("lines", ())
                if line["class"].startswith("cache_write_")
            ),
            Decimal(0),
        )
