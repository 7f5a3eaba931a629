"""Which prices an event meets. Never looks up a price: the caller passes those in force."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from credyt_mcp.domain.compiled_prices import UsagePrice


def matching(prices: Iterable[UsagePrice], event_type: str) -> Iterator[UsagePrice]:
    """The usage prices whose event type equals `event_type` exactly, in their order."""
    return (price for price in prices if price.event_type == event_type)
