"""An account with one of everything, made over REST, and who may see it.

Its texts hold a marker that is nobody else's. Its codes, external ids and
the ids it chose itself are those of every other world, so that only the account tells them apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.stripe.conftest import FakeStripe
from tests.tenancy.requests import AUTO_TOP_UP, BILL, RETURN, Asked

_OUR_IDS = re.compile(r"\b(?!acc_)[a-z]+_[0-9a-hjkmnp-tv-z]{26,}\b")


@dataclass
class World:
    """`values` are what placeholders in requests stand for, `secrets` the ids we made up."""

    name: str
    client: httpx.AsyncClient
    headers: dict[str, str]
    marker: str
    stripe_url: str
    values: dict[str, list[str]] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)

    async def ask(self, asked: Asked) -> httpx.Response:
        headers = {**self.headers, "Accept": "application/json, text/event-stream"}
        return await self.client.request(asked.method, asked.path, json=asked.body, headers=headers)

    async def make(self, path: str, body: dict[str, Any], method: str = "POST") -> Any:
        answer = await self.ask(Asked(path, method, path, body))
        assert answer.is_success, f"{method} {path}: {answer.text}"
        self.secrets |= set(_OUR_IDS.findall(answer.text))
        return answer.json() if answer.content else None

    def leaked(self, asked: Asked, answer: httpx.Response) -> set[str]:
        """What an answer to somebody else says of this account that they did not know."""
        said = f"{answer.headers} {answer.text}"
        secrets = {*self.secrets, self.marker}
        return {secret for secret in secrets if secret in said and secret not in asked.text}


async def fill(world: World) -> World:
    """Make one of everything that the account can have."""
    mark = world.marker
    vendor = await world.make("/vendors", {"name": f"Vendor {mark}", "external_id": "model-co"})
    await world.make(
        "/assets",
        {"code": "credits", "name": f"Asset {mark}", "rates": [{"source": "USD", "rate": 0.05}]},
    )
    product = await _product(world)
    customer = await world.make(
        "/customers",
        {
            "name": f"Jane {mark}",
            "external_id": "jane",
            "email": f"{mark}@example.com",
            "metadata": {"note": mark},
            "subscriptions": [{"products": [{"code": "studio"}], **RETURN}],
        },
    )
    shown = await world.make(f"/customers/{customer['id']}", {}, "GET")
    hook = await world.make("/webhooks", {"url": f"https://app.example/{mark}"})
    notices = await world.make("/notices", {}, "GET")
    await _wallet(world)
    world.values |= {
        "asset_code": ["credits"],
        "product_id": [product["id"], "studio"],
        "version": ["1", "2", "default"],
        "customer_id": [customer["id"], "jane"],
        "subscription_id": [entry["id"] for entry in shown["subscriptions"]],
        "account_id": ["default:USD"],
        "transaction_id": ["gift-1"],
        "event_id": ["event-1"],
        "authorization_id": ["hold-1"],
        "top_up_id": [],
        "payment_method_id": [],
        "vendor_id": [vendor["id"], "model-co"],
        "key_id": [],
        "webhook_id": [hook["id"]],
        "destination_id": [hook["id"]],
        "payment_account_id": ["pya_none"],
        "webhook_event_id": [notice["id"] for notice in notices["items"]],
        "topic": ["balance.low"],
        "connected_account_id": ["acc_none"],
        # Of queries:
        "external_id": ["jane", "model-co", "acme"],
        "customer_external_id": ["jane"],
        "email": [f"{mark}@example.com"],
        "name": [f"Jane {mark}"],
        "code": ["studio"],
        "subject": [f"subject {mark}"],
        "category": [f"category {mark}"],
        **(_calls(mark) | await _replays(world) | await _bills(world)),
    }
    await _only_some(world)
    return world


async def _payments(world: World) -> None:
    """A top-up that was paid and refunded in part, and a saved card that a rule of jane's account
    charges when need be: never."""
    top_up = {"customer_id": "jane", "amount": 5, "currency": "USD", "description": world.marker}
    started = await world.make("/top-ups", {**top_up, **RETURN})
    _pay(world, started)
    refund = {"quoted": 5, "amount": 1, "reason": world.marker}
    await world.make(f"/top-ups/{started['id']}/refunds", refund)
    cards = "/customers/jane/payment-methods"
    _pay(world, await world.make(cards, RETURN))
    rule = "/customers/jane/wallet/default:USD/auto-top-up"
    # It tells whose key set it, which may be a platform's.
    assert (await world.ask(Asked("", "PUT", rule, AUTO_TOP_UP))).is_success
    world.values |= {
        "top_up_id": [started["id"]],
        "payment_method_id": [(await world.make(cards, {}, "GET"))["items"][0]["id"]],
    }


def _pay(world: World, started: Any) -> None:
    stripe = FakeStripe(world.stripe_url, f"sk_test_{world.marker}")
    assert stripe.pay(started["redirect_url"]).is_success


def _calls(mark: str) -> dict[str, list[str]]:
    """What model calls and their own prices are named by."""
    return {
        "user_id": [f"user {mark}"],
        "provider": ["model-co"],
        "model": ["own-model"],
        "currency": ["USD", "credits"],
        "valid_from": ["2026-01-01T00:00:00Z"],
    }


async def _only_some(world: World) -> None:
    """What only some accounts can have."""
    mark = world.marker
    if world.name != "live":  # no real payments here
        await _stripe(world)
        await _payments(world)
    await world.make("/payment-settings", {"return_url_hosts": ["app.example"]}, "PATCH")
    if world.name in ("platform", "live"):
        connected = await world.make("/accounts", {"name": f"Acme {mark}", "external_id": "acme"})
        key = await world.make("/keys", {"name": f"Key {mark}"})
        world.values["connected_account_id"] = [connected["id"], "acme"]
        world.values["key_id"] = [key["id"]]


async def _stripe(world: World) -> None:
    mark = world.marker
    stripe = {"secret_key": f"sk_test_{mark}", "webhook_secrets": [f"whsec_{mark}"]}
    account = await world.make("/payment-accounts", stripe)
    world.values["payment_account_id"] = [account["id"]]


async def _replays(world: World) -> dict[str, list[str]]:
    named = {"product_id": "studio", "name": f"Replay {world.marker}"}
    made = await world.make("/replays", named)
    return {"replay_id": [made["id"]], "other_id": [made["id"]]}


async def _bills(world: World) -> dict[str, list[str]]:
    made = await world.make("/vendor-bills", {"document": BILL, "name": f"Bill {world.marker}"})
    return {"bill_id": [made["id"]]}


async def _product(world: World) -> Any:
    price = {
        "name": f"Price {world.marker}",
        "type": "usage_based",
        "billing_model": {"type": "real_time"},
        "usage_calculation": {"event_type": "image", "usage_type": "unit"},
        "pricing": [{"asset": "USD", "values": [{"unit_price": 0.5}]}],
    }
    version = {"prices": [price], "publish": True}
    product = await world.make(
        "/products", {"name": f"Product {world.marker}", "code": "studio", **version}
    )
    await world.make("/products/studio", {"prices": [price], "publish": False})
    return product


async def _wallet(world: World) -> None:
    mark, wallet = world.marker, "/customers/jane/wallet"
    gift = {"transaction_id": "gift-1", "asset": "USD", "amount": 20, "description": mark}
    await world.make(f"{wallet}/adjustments", {**gift, "reason": "gift"})
    await world.make(f"{wallet}/charges", {**gift, "transaction_id": "charge-1", "amount": 1})
    # Usage then falls below the threshold, which makes a notice.
    await world.make(f"{wallet}/default:USD", {"low_balance_threshold": 19}, "PATCH")
    cost = {"id": "cost-1", "vendor_external_id": "model-co", "amount": 0.1}
    cost["category"] = f"category {mark}"
    event = {
        "id": "event-1",
        "event_type": "image",
        "subject": f"subject {mark}",
        "user_id": f"user {mark}",
        "description": mark,
        "data": {"note": mark},
        "costs": [cost],
        "llm_usage": {"provider": "model-co", "model": mark, "usage": {"prompt_tokens": 5}},
    }
    await world.make("/events", {"customer_id": "jane", "events": [event]})
    own = {"input": 2, "valid_from": "2026-01-01T00:00:00Z"}
    await world.make("/llm-prices/model-co/own-model", own, "PUT")
    watched = {"metric": "cost", "scope": "customer", "customer_id": "jane", "threshold": 9}
    alert = await world.make("/alerts", {**watched, "name": mark})
    world.values["alert_id"] = [alert["id"]]
    limited = {"limit": 100, "user_id": f"user {mark}"}
    budget = await world.make("/customers/jane/budgets", limited, "PUT")
    world.values["budget_id"] = [budget["id"]]
    hold = {"id": "hold-1", "customer_id": "jane", "amount": 2, "subject": mark}
    await world.make("/authorizations", hold)
