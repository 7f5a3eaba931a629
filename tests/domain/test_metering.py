"""An event meets exactly the usage prices whose event type it has."""

from __future__ import annotations

from typing import Any

from credyt_mcp.domain.compiled_prices import compile_price
from credyt_mcp.domain.metering import matching
from credyt_mcp.domain.money import Asset
from credyt_mcp.domain.prices import UsageBasedPrice


def usage(name: str, event_type: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "usage_based",
        "billing_model": {"type": "real_time"},
        "usage_calculation": {"event_type": event_type, "usage_type": "unit"},
        "pricing": [{"asset": "USD", "values": [{"unit_price": 1}]}],
    }


PRICES = [
    compile_price(
        UsageBasedPrice.model_validate(usage(name, event_type)),
        key=key,
        price_id=f"prc_{key}",
        assets={"USD": Asset("USD", 9, 2)},
    )
    for key, (name, event_type) in enumerate(
        [("a", "image"), ("b", "Image"), ("c", "image"), ("d", "image.big")]
    )
]


def test_every_usage_price_with_the_same_event_type_matches_in_listed_order() -> None:
    assert [price.name for price in matching(PRICES, "image")] == ["a", "c"]


def test_event_types_are_compared_exactly() -> None:
    assert [price.name for price in matching(PRICES, "Image")] == ["b"]
    assert list(matching(PRICES, "image ")) == []
    assert list(matching(PRICES, "imag")) == []
