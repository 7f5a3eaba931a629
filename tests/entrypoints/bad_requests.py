"""Requests that are refused, by what they are about, each with the status, code and field."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.conftest import NOW
from tests.entrypoints.bad_prices import BAD_PRICES
from tests.samples import unit_price

OLD, AHEAD = (NOW - timedelta(days=36)).isoformat(), (NOW + timedelta(minutes=6)).isoformat()
EVENT: dict[str, Any] = {"id": "e1", "event_type": "image", "data": {"size": 1}}
CHAT: dict[str, Any] = {"id": "e2", "event_type": "chat"}
GIFT: dict[str, Any] = {"transaction_id": "g1", "asset": "USD", "amount": 1, "reason": "gift"}
TOP_UP: dict[str, Any] = {
    "customer_id": "jane",
    "amount": 10,
    "currency": "USD",
    "return_url": "https://app.example/ok",
    "failure_url": "https://app.example/failed",
}
TOO_LARGE, TOO_FINE = 10**10, 0.0000000001

Expected = tuple[int, str, str | None]
Cases = dict[str, tuple[tuple[str, dict[str, Any]], Expected]]
"""A path and a body, and how they are answered."""


def events(*given: dict[str, Any], **more: Any) -> tuple[str, dict[str, Any]]:
    return "/events", {"customer_id": "jane", "events": list(given), **more}


def adjust(**changes: Any) -> tuple[str, dict[str, Any]]:
    return "/customers/jane/wallet/adjustments", {**GIFT, **changes}


def subscribe(code: str, **more: Any) -> tuple[str, dict[str, Any]]:
    product = {"code": code, **more}
    body = {"name": "Bob", "external_id": "bob", "subscriptions": [{"products": [product]}]}
    return "/customers", body


COST = {"id": "c1", "vendor_external_id": "nobody", "amount": 1}
USAGE: Cases = {
    "unknown customer": (
        events(EVENT, customer_id="nobody"),
        (422, "unknown_reference", "customer_id"),
    ),
    "unknown external customer": (
        events(EVENT, customer_id=None, customer_external_id="nobody"),
        (422, "unknown_reference", "customer_external_id"),
    ),
    "no customer": (events(EVENT, customer_id=None), (422, "invalid_request", "customer_id")),
    "no id": (events({"event_type": "image"}), (422, "invalid_request", "events[0].id")),
    "volume that is a word": (
        events(CHAT | {"data": {"tokens": "many"}}),
        (422, "invalid_request", "events[0].data.tokens"),
    ),
    "volume that is a truth value": (
        events(CHAT | {"data": {"tokens": True}}),
        (422, "invalid_request", "events[0].data.tokens"),
    ),
    "negative volume after a good event": (
        events({**EVENT, "id": "e3"}, CHAT | {"data": {"tokens": -1}}),
        (422, "invalid_request", "events[1].data.tokens"),
    ),
    "data in data": (
        events(CHAT | {"data": {"tokens": {"in": 1}}}),
        (422, "invalid_request", "events[0].data.tokens"),
    ),
    "too old": (
        events(CHAT | {"occurred_at": OLD}),
        (422, "outside_window", "events[0].occurred_at"),
    ),
    "in the future": (
        events(CHAT | {"occurred_at": AHEAD}),
        (422, "outside_window", "events[0].occurred_at"),
    ),
    "a time without a zone": (
        events(CHAT | {"occurred_at": "2026-03-10T12:00:00"}),
        (422, "invalid_request", "events[0].occurred_at"),
    ),
    "unknown vendor": (
        events(CHAT | {"costs": [COST]}),
        (422, "unknown_reference", "events[0].costs[0].vendor_external_id"),
    ),
    "same id, other data": (
        events(EVENT | {"data": {"size": 2}}),
        (409, "id_reused", None),
    ),
    "1,001 events": (
        events(*({**CHAT, "id": f"n{number}"} for number in range(1001))),
        (422, "too_many", "events"),
    ),
}
MONEY: Cases = {
    "unknown asset": (adjust(asset="gold"), (422, "unknown_reference", "asset")),
    "amount too large": (adjust(amount=TOO_LARGE), (422, "amount_out_of_range", "amount")),
    "debit too large": (adjust(amount=-TOO_LARGE), (422, "amount_out_of_range", "amount")),
    "too many decimals": (adjust(amount=TOO_FINE), (422, "amount_out_of_range", "amount")),
    "amount that is a truth value": (adjust(amount=True), (422, "invalid_request", "amount")),
    "unknown reason": (adjust(reason="mood"), (422, "invalid_request", "reason")),
    "wallet of nobody": (
        ("/customers/nobody/wallet/adjustments", GIFT),
        (404, "not_found", None),
    ),
    "negative charge": (
        ("/customers/jane/wallet/charges", {**GIFT, "amount": -1}),
        (422, "invalid_request", "amount"),
    ),
    "top-up finer than cents": (
        ("/top-ups", TOP_UP | {"amount": 10.001}),
        (422, "amount_out_of_range", "amount"),
    ),
    "top-up of nothing": (
        ("/top-ups", TOP_UP | {"amount": 0}),
        (422, "invalid_request", "amount"),
    ),
    "top-up for nobody": (
        ("/top-ups", TOP_UP | {"customer_id": "nobody"}),
        (422, "unknown_reference", "customer_id"),
    ),
    "top-up in an unknown currency": (
        ("/top-ups", TOP_UP | {"currency": "XYZ"}),
        (422, "unknown_reference", "currency"),
    ),
    "top-up that leads away by http": (
        ("/top-ups", TOP_UP | {"return_url": "http://evil.example/"}),
        (422, "invalid_request", "return_url"),
    ),
}
CATALOGUE: Cases = {
    "draft product": (
        subscribe("draft"),
        (422, "invalid_request", "subscriptions[0].products[0]"),
    ),
    "draft version": (
        subscribe("draft", version=1),
        (422, "invalid_request", "subscriptions[0].products[0]"),
    ),
    "unknown product": (
        subscribe("none"),
        (422, "unknown_reference", "subscriptions[0].products[0]"),
    ),
    "unknown version": (
        subscribe("studio", version=7),
        (422, "unknown_reference", "subscriptions[0].products[0]"),
    ),
    "customer that exists": (
        ("/customers", {"name": "Jane", "external_id": "jane"}),
        (409, "already_exists", None),
    ),
    "product that exists": (
        ("/products", {"name": "S", "code": "studio", "prices": [unit_price(1)]}),
        (409, "already_exists", None),
    ),
    "asset that exists in another case": (
        ("/assets", {"name": "C", "code": "CREDITS"}),
        (409, "already_exists", None),
    ),
    "asset that is a currency": (
        ("/assets", {"name": "E", "code": "eur"}),
        (409, "already_exists", None),
    ),
    "negative rate": (
        ("/assets/credits/rates", {"source": "USD", "rate": -1}),
        (422, "invalid_request", "rate"),
    ),
    **{
        name: (
            ("/products", {"name": "P", "code": "p", "publish": True, "prices": prices}),
            expected,
        )
        for name, (prices, expected) in BAD_PRICES.items()
    },
}
