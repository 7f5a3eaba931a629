"""What an event means to each price in force: how much of what, and the count it adds to. Pure.

Never looks up a price: the caller passes those in force. Nothing here depends on what a wallet
holds, so it is worked out once an event, before the counts it names are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from credyt_mcp import ids
from credyt_mcp.domain.book import RateCard, SubscribedVersion
from credyt_mcp.domain.compiled_prices import UsagePrice
from credyt_mcp.domain.pricing import CounterKey, Unpriced, Usage, counter_key, measure


class Metered(NamedTuple):
    """An event's usage by one price; `count_key` names the running count it adds to, if any."""

    price: UsagePrice
    usage: Usage | Unpriced
    count_key: bytes | None


def matching(prices: Iterable[UsagePrice], event_type: str) -> Iterator[UsagePrice]:
    """The usage prices whose event type equals `event_type` exactly, in their order."""
    return (price for price in prices if price.event_type == event_type)


def meter(
    versions: Iterable[SubscribedVersion],
    event_type: str,
    occurred_at: int,
    data: Mapping[str, object],
) -> list[Metered]:
    """The usage of an event by every usage price for its type, of the versions in force when it
    occurred. Raises InvalidRequest for an unusable volume."""
    return [
        _metered(card, price, occurred_at, data)
        for card, from_at, until_at in versions
        if from_at <= occurred_at and (until_at is None or occurred_at < until_at)
        for price in matching(card.prices, event_type)
    ]


def _metered(
    card: RateCard, price: UsagePrice, occurred_at: int, data: Mapping[str, object]
) -> Metered:
    usage = measure(price, data)
    counter = None if isinstance(usage, Unpriced) else counter_key(price, usage, occurred_at)
    return Metered(price, usage, counter and _count_key(card.product_id, counter))


@lru_cache(maxsize=4096)
def _count_key(product_id: int, counter: CounterKey) -> bytes:
    """A running count belongs to the price's name within its product, so versions share it."""
    name, dimensions, period_start = counter
    return ids.text_key(str(product_id), name, dimensions, str(period_start))
