"""Token classes of a model call: disjoint counts that add up to what the provider reported. Pure.

The classes are what providers price apart. Nothing is guessed: counts that contradict each other
raise `Unreadable`, and the call is kept without a price.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from credyt_mcp.errors import InvalidRequest

KINDS = ("audio", "image", "video")
"""What tokens stand for, where it is not text; in this order they are taken from a cache."""
COUNT_LIMIT = 10**12

Count = int | Decimal


class Unreadable(Exception):
    """The usage cannot be told apart into classes; the message is the reason, for people."""


@dataclass(frozen=True)
class Reading:
    """`classes` are disjoint and left out when zero. `mixed_cache` tells that it was not said
    whether what was read from a cache was text or another kind; it is then taken for text first.
    `tier`, `speed` and `geo` are what the usage itself says of how the call was served."""

    classes: dict[str, Count]
    mixed_cache: bool = False
    tier: str | None = None
    speed: str | None = None
    geo: str | None = None

    def total(self, of: str) -> Count:
        """Tokens of `input` or `output`."""
        return sum((count for name, count in self.classes.items() if direction(name) == of), 0)


def direction(name: str) -> str | None:
    """Whether a class is of input or output tokens; None where it counts something else."""
    if name.startswith("output_"):
        return "output"
    tokens = name.startswith(("input_", "cached_", "cache_write_")) or name == "tool_prompt"
    return "input" if tokens else None


class Fields:
    """A provider's object, read by name. A count that is no count is refused by its path; one that
    is absent or null is None."""

    def __init__(self, given: Mapping[str, Any], path: str = "usage") -> None:
        self._given, self._path = given, path

    def has(self, *names: str) -> bool:
        return any(self._given.get(name) is not None for name in names)

    def count(self, *names: str) -> int:
        """The first of `names` that is there, or 0."""
        return self.maybe(*names) or 0

    def maybe(self, *names: str) -> int | None:
        for name in names:
            value = self._given.get(name)
            if value is not None:
                return _whole(value, f"{self._path}.{name}")
        return None

    def quantity(self, *names: str) -> Decimal:
        """A measure that need not be whole, such as seconds."""
        for name in names:
            value = self._given.get(name)
            if value is not None:
                return _number(value, f"{self._path}.{name}")
        return Decimal(0)

    def inside(self, *names: str) -> Fields:
        """The object under the first of `names` that is there, or one without fields."""
        for name in names:
            value = self._given.get(name)
            if isinstance(value, Mapping):
                return Fields(value, f"{self._path}.{name}")
            if value is not None:
                raise InvalidRequest(f"{self._path}.{name}", "must be an object")
        return Fields({}, self._path)

    def each(self, *names: str) -> list[Fields]:
        for name in names:
            value = self._given.get(name)
            if value is None:
                continue
            if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
                raise InvalidRequest(f"{self._path}.{name}", "must be a list of objects")
            return [
                Fields(item, f"{self._path}.{name}[{index}]") for index, item in enumerate(value)
            ]
        return []

    def text(self, *names: str) -> str | None:
        found = next((self._given[name] for name in names if self.has(name)), None)
        return found if isinstance(found, str) else None


def _number(value: object, path: str) -> Decimal:
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise InvalidRequest(path, "must be a number")
    number = Decimal(value)
    if not number.is_finite() or number < 0:
        raise InvalidRequest(path, "must not be negative")
    if number >= COUNT_LIMIT:
        raise InvalidRequest(path, f"must be less than {COUNT_LIMIT}")
    return number


def _whole(value: object, path: str) -> int:
    number = _number(value, path)
    if number != number.to_integral_value():
        raise InvalidRequest(path, "must be a whole number")
    return int(number)


def input_classes(
    total: int,
    cached: int = 0,
    writes: Mapping[str, int] | None = None,
    kinds: Mapping[str, int] | None = None,
    cached_kinds: Mapping[str, int] | None = None,
) -> tuple[dict[str, Count], bool]:
    """The classes of `total` input tokens, cached and written ones included, and whether the kinds
    of the cached ones had to be assumed. Raises Unreadable when the parts exceed the whole."""
    writes, kinds = dict(writes or {}), dict(kinds or {})
    text = total - sum(kinds.values()) - sum(writes.values())
    mixed = cached_kinds is None and cached > 0 and any(kinds.values())
    if cached_kinds is None:
        cached_kinds = _cached_kinds(cached - max(text, 0), kinds)
    cached_text = cached - sum(cached_kinds.values())
    classes: dict[str, Count] = {
        "input_uncached": text - cached_text,
        "input_cached_read": cached_text,
        **{f"cache_write_{ttl}": count for ttl, count in writes.items()},
        **{f"input_{kind}": kinds.get(kind, 0) - cached_kinds.get(kind, 0) for kind in KINDS},
        **{f"cached_{kind}": count for kind, count in cached_kinds.items()},
    }
    return _checked(classes, "input"), mixed


def _cached_kinds(beyond_text: int, kinds: Mapping[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for kind in KINDS:
        taken = max(0, min(beyond_text, kinds.get(kind, 0)))
        if taken:
            found[kind] = taken
            beyond_text -= taken
    return found


def output_classes(
    total: int, reasoning: int = 0, kinds: Mapping[str, int] | None = None
) -> dict[str, Count]:
    """The classes of `total` output tokens, reasoning included."""
    kinds = dict(kinds or {})
    classes: dict[str, Count] = {
        "output_text": total - reasoning - sum(kinds.values()),
        "output_reasoning": reasoning,
        **{f"output_{kind}": count for kind, count in kinds.items()},
    }
    return _checked(classes, "output")


def _checked(classes: dict[str, Count], what: str) -> dict[str, Count]:
    for name, count in classes.items():
        if count < 0:
            raise Unreadable(f"the parts of the {what} tokens exceed their total ({name}: {count})")
    return {name: count for name, count in classes.items() if count}


def merged(parts: Sequence[Mapping[str, Count]]) -> dict[str, Count]:
    sums: dict[str, Count] = {}
    for part in parts:
        for name, count in part.items():
            sums[name] = sums.get(name, 0) + count
    return {name: count for name, count in sums.items() if count}
