"""Prices that no product may have, with how they are refused."""

from __future__ import annotations

from typing import Any

from tests.samples import TIERED, unit_price, volume_price

VALUES = "prices[0].pricing[0].values"


def tiers(*values: dict[str, Any], model: str = "tiered") -> list[dict[str, Any]]:
    return [TIERED | {"pricing_model": model, "pricing": [{"asset": "USD", "values": values}]}]


def fee(amount: float) -> dict[str, Any]:
    return {
        "name": "Fee",
        "type": "fixed",
        "billing_model": {"type": "recurring", "recurring": {"interval": "month"}},
        "pricing": [{"asset": "USD", "values": [{"unit_price": amount}]}],
    }


def with_two_options(first: dict[str, Any], second: dict[str, Any]) -> list[dict[str, Any]]:
    price = unit_price(1)
    return [price | {"pricing": [{"asset": "USD", "values": [first, second]}]}]


BAD_PRICES: dict[str, tuple[list[dict[str, Any]], tuple[int, str, str | None]]] = {
    "negative price": ([unit_price(-1)], (422, "invalid_request", f"{VALUES}[0].unit_price")),
    "negative volume rate": (
        [volume_price(-1)],
        (422, "invalid_request", f"{VALUES}[0].volume_rate"),
    ),
    "negative fixed fee": ([fee(-20)], (422, "invalid_request", f"{VALUES}[0].unit_price")),
    "package of nothing": (
        [volume_price(1, package_size=0)],
        (422, "invalid_request", f"{VALUES}[0].package_size"),
    ),
    "tiers out of order": (
        tiers({"up_to": 10, "unit_price": 1}, {"up_to": 5, "unit_price": 1}, {"unit_price": 1}),
        (422, "invalid_request", "prices[0]"),
    ),
    "tiers that overlap": (
        tiers({"up_to": 5, "unit_price": 1}, {"up_to": 5, "unit_price": 2}, {"unit_price": 1}),
        (422, "invalid_request", "prices[0]"),
    ),
    "tiers with an open one in the middle": (
        tiers({"unit_price": 1}, {"up_to": 5, "unit_price": 2}),
        (422, "invalid_request", "prices[0]"),
    ),
    "tiers that end": (
        tiers({"up_to": 5, "unit_price": 2}, model="bulk"),
        (422, "invalid_request", "prices[0]"),
    ),
    "a tier that holds nothing": (
        tiers({"up_to": 0, "unit_price": 1}, {"unit_price": 2}),
        (422, "invalid_request", f"{VALUES}[0].up_to"),
    ),
    "two flat values": (
        with_two_options({"unit_price": 1}, {"unit_price": 2}),
        (422, "invalid_request", "prices[0]"),
    ),
    "asset that does not exist": (
        [unit_price(1, asset="gold")],
        (422, "unknown_reference", "prices[0].pricing[0].asset"),
    ),
    "price finer than can be kept": (
        [unit_price("0.0000000000000000001")],
        (422, "invalid_request", f"{VALUES}[0].unit_price"),
    ),
    "price too large": ([unit_price(10**15)], (422, "invalid_request", f"{VALUES}[0].unit_price")),
    "volume without a field": (
        [volume_price(1, field="")],
        (422, "invalid_request", "prices[0]"),
    ),
    "two prices of one name": (
        [unit_price(1), unit_price(2)],
        (422, "invalid_request", "prices"),
    ),
    "nothing to publish": ([], (422, "invalid_request", "publish")),
}
