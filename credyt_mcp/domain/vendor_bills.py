"""Lines of vendors' bills and usage exports, and what they add up to. Pure.

A bill is what a vendor says it will be paid, or counted as used, by model, day and group of tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from credyt_mcp.clock import SECOND, to_micros
from credyt_mcp.domain.assets import currency
from credyt_mcp.domain.llm_pricing import tier_of
from credyt_mcp.domain.money import EXACT
from credyt_mcp.errors import InvalidRequest

COST, USAGE = "cost", "usage"
"""Kinds of lines; usage that a vendor exports apart has a kind of its own, such as
`usage.embeddings`, and does not replace the rest."""

GROUPS = ("input", "cache_read", "cache_write", "output", "search", "other")
"""What bills tell apart; our classes of tokens are finer, see `group_of`."""
TIERED = GROUPS[:4]
REQUESTS = "requests"
"""A line that counts calls, not tokens."""
WHOLE = ""
"""The group of a line that tells nothing apart."""

DAY_SECONDS = 86_400
LIMIT = Decimal(10) ** 15
DECIMALS_MIN, DECIMALS_MAX = 2, 9


class BillLine(NamedTuple):
    """One line; `day` counts since 1970. A cost has an amount, usage has none; a line of neither
    only says that the day was billed. `group` is one of `GROUPS`, or more exactly one of our own
    classes of tokens."""

    vendor: str
    day: int
    kind: str
    model: str = ""
    group: str = WHOLE
    tier: str = ""
    currency: str = "USD"
    amount: Decimal | None = None
    quantity: Decimal | None = None


class Place(NamedTuple):
    """What the lines of a day are summed by."""

    model: str
    group: str
    tier: str
    currency: str


@dataclass
class Sum:
    """`quantity` is None once one of the lines had none."""

    amount: Decimal = Decimal(0)
    quantity: Decimal | None = Decimal(0)
    lines: int = 0


@dataclass
class BilledDay:
    """All that a bill says of a vendor's day. `decimals` is how exactly its amounts are written."""

    sums: dict[Place, Sum] = field(default_factory=dict)
    decimals: int = DECIMALS_MIN

    def add(self, line: BillLine, model: str) -> None:
        if line.amount is None and line.quantity is None:
            return
        place = Place(model, line.group, line.tier, line.currency)
        found = self.sums.setdefault(place, Sum())
        found.lines += 1
        if line.amount is not None:
            found.amount = EXACT.add(found.amount, line.amount)
            exponent = line.amount.as_tuple().exponent
            assert isinstance(exponent, int), "amounts are finite"
            self.decimals = max(self.decimals, min(-exponent, DECIMALS_MAX))
        if line.quantity is None or found.quantity is None:
            found.quantity = None
        else:
            found.quantity = EXACT.add(found.quantity, line.quantity)


def group_of(name: str) -> str:
    """The group of bills that one of our classes of tokens falls into, or the group itself."""
    if name in (*GROUPS, WHOLE, REQUESTS):
        return name
    if name.startswith("cache_write"):
        return "cache_write"
    if name.startswith("cached_") or name == "input_cached_read":
        return "cache_read"
    if name.startswith("input_") or name == "tool_prompt":
        return "input"
    if name.startswith("output_"):
        return "output"
    return "search" if name == "web_searches" else "other"


def part_of(name: str, tier: str | None) -> str:
    """What of a row is compared with each other: a group, and its tier unless it is the standard
    one, since tiers have prices of their own."""
    group, special = group_of(name), tier_of(tier)
    return f"{group} {special}" if special and group in TIERED else group


def without_tier(part: str) -> str:
    return part.partition(" ")[0]


def text_of(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    return value.strip() if isinstance(value, str) else ""


def count_of(given: Mapping[str, Any], name: str, path: str) -> Decimal:
    return quantity_of(given.get(name), f"{path}.{name}") or Decimal(0)


def quantity_of(value: Any, path: str) -> Decimal | None:
    found = decimal_of(value, path)
    if found is not None and found < 0:
        raise wrong(path, "must not be negative")
    return found


def decimal_of(value: Any, path: str) -> Decimal | None:
    """A number, or a text that is one; amounts may be negative, as credits are."""
    if value is None:
        return None
    if isinstance(value, float):
        value = repr(value)
    try:
        if isinstance(value, bool):
            raise TypeError
        found = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        raise wrong(path, "must be a number such as 12.34") from None
    if not found.is_finite() or abs(found) >= LIMIT:
        raise wrong(path, f"must be smaller than {LIMIT:f}")
    return found


def currency_of(code: Any, path: str) -> str:
    known = currency(code) if isinstance(code, str) else None
    if known is None:
        raise wrong(path, f"'{code}' is not a currency")
    return known.code


def day_of(value: Any, path: str) -> int:
    return moment_of(value, path) // DAY_SECONDS


def moment_of(value: Any, path: str) -> int:
    """Seconds since 1970 of a number of them, a day, or a moment with its zone."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        if abs(Decimal(value)) < LIMIT:
            return int(value)
        raise wrong(path, "must be a number of seconds since 1970")
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise wrong(path, "must be a day such as 2026-03-01") from None
    return to_micros(found if found.tzinfo else found.replace(tzinfo=UTC)) // SECOND


def wrong(path: str, message: str) -> InvalidRequest:
    """Lines of a table are named in the message, since no field of the request is theirs."""
    if path.startswith("line "):
        return InvalidRequest("document", f"{path} {message}")
    return InvalidRequest(path, message)
