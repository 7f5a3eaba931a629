"""What a model call cost: its token classes times a table's rates, summed, rounded once. Pure.

A class without a rate of its own takes the rate of the class that contains it, but only where that
is how providers charge. Otherwise the call has no price: it is never priced at nothing, and never
at a rate that is known to be another's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any, NamedTuple

from credyt_mcp.domain.assets import currency
from credyt_mcp.domain.llm_usage import KINDS, Count, Reading
from credyt_mcp.domain.money import EXACT, from_units, round_units
from credyt_mcp.errors import AmountOutOfRange

MILLION, THOUSAND, HOUR = 10**6, 10**3, 3600
LINE_DECIMALS = 18

PER = {
    "web_searches": THOUSAND,
    "requests": THOUSAND,
    "pages": THOUSAND,
    "seconds": HOUR,
}
"""How many of a class its rate is for, where that is not a million."""

RATE_OF: dict[str, tuple[str, ...]] = {
    "input_uncached": ("input",),
    "input_cached_read": ("cache_read", "input"),
    "cache_write_5m": ("cache_write_5m", "cache_write", "input"),
    "cache_write_30m": ("cache_write", "input"),
    "cache_write_other": ("cache_write", "input"),
    "cache_write_1h": ("cache_write_1h", "input"),
    "cache_write_12h": ("cache_write_12h", "input"),
    "tool_prompt": ("input",),
    "output_text": ("output",),
    "output_reasoning": ("output_reasoning", "output"),
    **{f"input_{kind}": (f"input_{kind}", "input") for kind in KINDS},
    **{f"output_{kind}": (f"output_{kind}", "output") for kind in KINDS},
    **{
        f"cached_{kind}": (f"cached_{kind}", "cache_read", f"input_{kind}", "input")
        for kind in KINDS
    },
    "web_searches": ("web_search",),
    "requests": ("request",),
    "pages": ("page",),
    "seconds": ("audio",),
    "characters": ("character",),
}
"""The rates by which a class may be charged, the first that the table has."""

RATES = tuple(sorted({rate for rates in RATE_OF.values() for rate in rates}))

_LONGER_WRITES = ("cache_write_1h", "cache_write_12h")

TIERS = {
    **dict.fromkeys(
        ("standard", "default", "auto", "on_demand", "on-demand", "unspecified", "standard_only"),
        None,
    ),
    "traffic_type_unspecified": None,
    "on_demand_priority": "priority",
    "on_demand_flex": "flex",
}
"""What providers call being served in no special way, and their names for the tiers."""


class Unpriced(Exception):
    """There is no price for the call; the message is the reason, for people."""


class Step(NamedTuple):
    """A rate from so many input tokens on; it is then that of all of the call's tokens."""

    above: int
    rate: Decimal


class Rate(NamedTuple):
    base: Decimal
    steps: tuple[Step, ...] = ()

    def at(self, input_tokens: Count) -> Decimal:
        reached = [step.rate for step in self.steps if input_tokens > step.above]
        return reached[-1] if reached else self.base


@dataclass(frozen=True)
class Rates:
    """Rates by name in USD, and who says so. `own_audio` tells that sound costs more than text
    here even where the table has one rate for both, so that this one is not sound's."""

    by_name: Mapping[str, Rate]
    source: str
    model: str
    own_audio: bool = False


class Line(NamedTuple):
    """So many of a class at a rate per `per` of them."""

    name: str
    quantity: Count
    rate: Decimal
    per: int

    @property
    def amount(self) -> Decimal:
        with localcontext(EXACT):
            return self.quantity * self.rate / self.per

    def stored(self) -> dict[str, Any]:
        with localcontext(EXACT):
            amount = round(self.amount, LINE_DECIMALS).normalize() + 0
        return {
            "class": self.name,
            "count": self.quantity,
            "rate": self.rate,
            "per": self.per,
            "amount": Decimal(f"{amount:f}"),
        }


def lines(reading: Reading, rates: Rates) -> list[Line]:
    """What was used and what each part of it costs. Raises Unpriced."""
    total, found = reading.total("input"), list[Line]()
    classes = dict(reading.classes)
    if "request" in rates.by_name:
        classes["requests"] = 1
    if reading.mixed_cache and any(
        f"input_{kind}" in rates.by_name for kind in KINDS if _has(classes, kind)
    ):
        raise Unpriced("the usage does not say how much of what was cached is text")
    for name, count in classes.items():
        rate = _rate(name, rates)
        found.append(Line(name, count, rate.at(total), PER.get(name, MILLION)))
    return found


def base_line(name: str, count: Count, rates: Rates) -> Line:
    """A class by its lowest step: for sums of many calls, whose lengths are not known. Raises
    Unpriced."""
    return Line(name, count, _rate(name, rates).base, PER.get(name, MILLION))


def cost(parts: Sequence[Line]) -> Decimal:
    """The sum in USD, rounded once, half-even, to a billionth. Raises Unpriced if it is absurd."""
    asset = currency("USD")
    assert asset is not None
    with localcontext(EXACT):
        total = sum((part.amount for part in parts), Decimal(0))
    try:
        return from_units(round_units(total, asset), asset)
    except AmountOutOfRange:
        raise Unpriced("the cost is beyond what can be booked; check the rates") from None


def tier_of(*named: str | None) -> str | None:
    """The tier that the first of `named` means; None is the standard one."""
    said = next((name for name in named if name), None)
    return None if said is None else TIERS.get(said.lower(), said.lower())


def _rate(name: str, rates: Rates) -> Rate:
    known = rates.by_name
    chain = RATE_OF.get(name, ())
    if name in _LONGER_WRITES and "cache_write" in known:
        chain = chain[:1]  # keeping it longer costs more than the short write that is listed
    if rates.own_audio and name.endswith("_audio"):
        chain = tuple(rate for rate in chain if rate.endswith("_audio"))
    found = next((known[rate] for rate in chain if rate in known), None)
    if found is None:
        raise Unpriced(f"{rates.source} has no rate of {rates.model} for {name}")
    return found


def _has(classes: Mapping[str, Count], kind: str) -> bool:
    return any(classes.get(f"{place}_{kind}") for place in ("input", "cached"))
