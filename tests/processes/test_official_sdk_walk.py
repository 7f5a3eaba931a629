"""Every operation the official SDK has, found by reflection, called by its sync and async client.

Each is given every query parameter it knows, and every model it answers is read to the last field.
Client-side faults of SDK 0.2.0 are worked around here: it cannot send version "default", and raises
on the redirect that `external_id` makes.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from corehttp.credentials import ServiceKeyCredential
from corehttp.transport.httpx import AsyncHttpXTransport
from credytapi import CredytApiClient
from credytapi._utils.model_base import Model
from credytapi.aio import CredytApiClient as AsyncCredytApiClient

from tests.processes.harness import KEY, Server

REDIRECTED = {"customers.list": {"external_id"}}
"""Parameters left out, because the SDK raises on the answer that they rightly get."""

Unique = Callable[[str], str]
Given = tuple[tuple[Any, ...], dict[str, Any]]

NOW = datetime.now(UTC)
YESTERDAY, TOMORROW = NOW - timedelta(days=1), NOW + timedelta(days=1)
PAGE = {"offset": 0, "limit": 5}
DAYS = {"period_from": YESTERDAY.date(), "period_to": TOMORROW.date()}
URLS = {"return_url": "https://app.example/ok", "failure_url": "https://app.example/failed"}
TOPIC = "subscription.activated"


def given(*args: Any, **kwargs: Any) -> Given:
    return args, kwargs


class Story:
    """What was answered so far, by operation, and names that no other test uses."""

    def __init__(self, unique: Unique) -> None:
        self.named = unique
        self.answers: dict[str, Any] = {}

    def id(self, operation: str) -> str:
        return str(self.answers[operation]["id"])

    @property
    def product(self) -> str:
        return self.id("products.create")

    @property
    def customer(self) -> str:
        return self.id("customers.create")

    @property
    def subscription(self) -> str:
        return self.id("customers.create_subscription")

    @property
    def webhook(self) -> str:
        return self.id("webhooks.webhooks.create_webhook_destination")

    @property
    def connected(self) -> str:
        return self.id("accounts.create")

    def event(self) -> dict[str, Any]:
        cost = {"id": self.named("cost"), "vendor_external_id": self.named("openai")}
        return {
            "id": self.named("event"),
            "event_type": "image",
            "occurred_at": NOW.isoformat(),
            "subject": "image_1",
            "data": {"model": "fast", "tokens": 12, "cached": True},
            "costs": [{**cost, "category": "inference", "amount": 0.016, "currency": "USD"}],
        }

    def prices(self) -> list[dict[str, Any]]:
        per_model = {"dimensions": {"model": "*"}, "values": [{"unit_price": 0.05}]}
        usage = {"event_type": "image", "usage_type": "unit", "billable_dimensions": ["model"]}
        return [
            {
                "name": "Images",
                "type": "usage_based",
                "billing_model": {"type": "real_time"},
                "usage_calculation": usage,
                "pricing": [{"asset": "USD", "values": [per_model]}],
            }
        ]

    def entitlements(self) -> list[dict[str, Any]]:
        return [
            {
                "name": "Welcome",
                "asset": self.named("credits"),
                "amount": 50,
                "purpose": "promotion",
                "lifecycle": {"duration": "month"},
            }
        ]


STEPS: dict[str, Callable[[Story], Given]] = {
    "accounts.get_context": lambda s: given(),
    "accounts.create": lambda s: given({"name": "Shop", "external_id": s.named("shop")}),
    "accounts.list": lambda s: given(**PAGE, external_id=s.named("shop")),
    "accounts.get": lambda s: given(s.connected),
    "assets.create": lambda s: given(
        {
            "code": s.named("credits"),
            "name": "Credits",
            "rates": [{"source": "USD", "inverse_rate": 20}],
        }
    ),
    "assets.list": lambda s: given(**PAGE),
    "assets.add_rate": lambda s: given(
        s.named("credits"),
        {
            "source": "USD",
            "rate": 0.04,
            "valid_from": NOW.isoformat(),
            "valid_to": TOMORROW.isoformat(),
        },
    ),
    "assets.get": lambda s: given(s.named("credits")),
    "assets.quote": lambda s: given(
        s.named("credits"), {"source": "USD", "amount": 10, "exchange_at": TOMORROW.isoformat()}
    ),
    "vendors.vendors_ops.create_vendor": lambda s: given(
        {"name": "OpenAI", "external_id": s.named("openai")}
    ),
    "vendors.vendors_ops.list_vendors": lambda s: given(**PAGE, external_id=s.named("openai")),
    "vendors.vendors_ops.get_vendor": lambda s: given(s.id("vendors.vendors_ops.create_vendor")),
    "products.create": lambda s: given(
        {"name": "Studio", "code": s.named("studio"), "publish": True, "prices": s.prices()}
    ),
    "products.create_version": lambda s: given(
        s.product, {"prices": s.prices(), "entitlements": s.entitlements()}
    ),
    "products.update_version": lambda s: given(s.product, 2, {"publish": True}),
    "products.list": lambda s: given(**PAGE, code=s.named("studio")),
    "products.get": lambda s: given(s.product),
    "products.get_version": lambda s: given(s.product, 2),
    "products.simulate_usage": lambda s: given(s.product, 2, {"events": [s.event()]}),
    "customers.create": lambda s: given(
        {
            "name": "Jane Roe",
            "external_id": s.named("jane"),
            "email": f"{s.named('jane')}@example.com",
            "metadata": {"plan": "pro"},
            "external_accounts": [{"provider": "stripe", "provider_id": "cus_123"}],
            "subscriptions": [],
        }
    ),
    "customers.create_subscription": lambda s: given(
        s.customer,
        {
            "starts_at": (NOW - timedelta(hours=1)).isoformat(),
            "products": [{"id": s.product, "version": 1}],
            "redirect_to": "portal",
            **URLS,
        },
    ),
    "customers.update_subscription_product": lambda s: given(
        s.customer, s.subscription, s.product, {"version": "default"}
    ),
    "customers.update": lambda s: given(s.customer, {"name": "Jane R. Roe"}),
    "customers.get": lambda s: given(s.customer),
    "customers.list": lambda s: given(
        **PAGE,
        customer_id=s.customer,
        email=f"{s.named('jane')}@example.com",
        name="jane r. roe",
        status="active",
    ),
    "products.get_subscribers": lambda s: given(s.product, **PAGE),
    "wallets.customer_wallet_ops.create_adjustment": lambda s: given(
        s.customer,
        {
            "transaction_id": s.named("gift"),
            "account_name": "default",
            "asset": "USD",
            "amount": 10,
            "reason": "gift",
            "effective_at": YESTERDAY.isoformat(),
            "expires_at": TOMORROW.isoformat(),
            "metadata": {"why": "welcome"},
        },
    ),
    "wallets.customer_wallet_ops.create_charge": lambda s: given(
        s.customer,
        {"transaction_id": s.named("fee"), "asset": "USD", "amount": 4.5, "subject": "order_9"},
    ),
    "wallets.customer_wallet_ops.get_transaction": lambda s: given(s.customer, s.named("gift")),
    "wallets.customer_wallet_ops.get_customer_wallet": lambda s: given(s.customer),
    "wallets.customer_wallet_ops.get_account": lambda s: given(s.customer, "default:USD"),
    "wallets.customer_wallet_ops.get_credit_grants": lambda s: given(
        s.customer,
        "default:USD",
        **PAGE,
        purpose="promotion",
        exclude_expired=True,
        effective_from=YESTERDAY - timedelta(days=1),
        effective_to=TOMORROW,
        expired_from=YESTERDAY,
        expired_to=TOMORROW + timedelta(days=1),
    ),
    "events.send_usage": lambda s: given({"customer_id": s.customer, "events": [s.event()]}),
    "events.list": lambda s: given(
        **PAGE,
        **DAYS,
        event_id=s.named("event"),
        customer_id=s.customer,
        customer_external_id=s.named("jane"),
        subject="image_1",
        event_types="image,video",
        has_fees=True,
    ),
    "events.get": lambda s: given(s.named("event")),
    "customers.get_stats": lambda s: given(s.customer),
    "customers.list_stats": lambda s: given(**PAGE, **DAYS),
    "vendors.vendors_ops.get_vendor_stats": lambda s: given(
        s.id("vendors.vendors_ops.create_vendor"), **DAYS, category="inference"
    ),
    "top_ups.initiate": lambda s: given(
        {
            "customer_id": s.customer,
            "amount": 25,
            "currency": "USD",
            "destination": {
                "account_name": "default",
                "asset": s.named("credits"),
                "exchange_rate": 0.02,
            },
            "credit_expires_at": TOMORROW.isoformat(),
            "metadata": {"order_id": "o_1"},
            **URLS,
        }
    ),
    "top_ups.get": lambda s: given(s.id("top_ups.initiate")),
    "billing_portal.create_portal_session": lambda s: given({"customer_id": s.customer, **URLS}),
    "webhooks.webhooks.create_webhook_destination": lambda s: given(
        {"url": "https://hooks.example/credyt", "topics": ["*"], "connect": True}
    ),
    "webhooks.webhooks.list_webhook_destinations": lambda s: given(enabled=True, connect=True),
    "webhooks.webhooks.get_webhook_destination": lambda s: given(s.webhook),
    "webhooks.webhooks.update_webhook_destination": lambda s: given(s.webhook, {"topics": [TOPIC]}),
    "webhooks.webhooks.test_webhook_destination": lambda s: given(s.webhook, TOPIC, {"a": 1}),
    "webhooks.webhooks.test_connected_webhook_destination": lambda s: given(
        s.webhook, TOPIC, s.connected, {"a": 1}
    ),
    "webhooks.webhooks.test_webhook_destinations": lambda s: given(TOPIC, {"a": 1}),
    "webhooks.webhooks.test_connected_webhook_destinations": lambda s: given(
        TOPIC, s.connected, {"a": 1}
    ),
    "webhooks.webhooks.list_events": lambda s: given(
        limit=5,
        destination_id=s.webhook,
        status="Success",
        time_gte=YESTERDAY,
        time_lte=TOMORROW,
    ),
    "webhooks.webhooks.delete_webhook_destination": lambda s: given(s.webhook),
    "customers.update_subscription": lambda s: given(
        s.customer, s.subscription, {"status": "inactive"}
    ),
    "products.archive_version": lambda s: given(s.product, 2),
    "products.delete": lambda s: given(s.product),
}
CURSORS = {"next", "prev"}
"""Only a page's own answer knows good values for these."""


def operations(part: object, path: str = "") -> Iterator[tuple[str, Any]]:
    """`group.name` of every public method of a client's groups of operations."""
    for name in vars(part) if not path else dir(part):
        value = getattr(part, name)
        if name.startswith("_"):
            continue
        if type(value).__name__.endswith("Operations"):
            yield from operations(value, f"{path}{name}.")
        elif path and inspect.ismethod(value):
            yield f"{path}{name}", value


def read_whole(answer: Any) -> None:
    """Deserialize every field of every model inside; required ones must be there."""
    if isinstance(answer, list):
        for entry in answer:
            read_whole(entry)
    elif isinstance(answer, Model):
        for kind in type(answer).__mro__:
            for name, annotation in vars(kind).get("__annotations__", {}).items():
                field = answer._attr_to_rest_field.get(name)
                if field is not None:
                    optional = str(annotation).startswith(("typing.Optional", "Optional["))
                    assert optional or field._rest_name in answer, f"{kind.__name__}.{name}"
                    read_whole(getattr(answer, name))


@asynccontextmanager
async def client_of(kind: str, server: Server) -> AsyncIterator[Any]:
    credential = ServiceKeyCredential(KEY)
    if kind == "sync":
        with CredytApiClient(credential, endpoint=server.url) as client:
            yield client
    else:
        async with AsyncCredytApiClient(
            credential, endpoint=server.url, transport=AsyncHttpXTransport()
        ) as client:
            yield client


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_every_operation_is_answered_and_deserializes(
    kind: str, shared_server: Server, unique: Unique
) -> None:
    story = Story(unique)
    async with client_of(kind, shared_server) as client:
        known = dict(operations(client))
        assert set(known) == set(STEPS)
        for name, step in STEPS.items():
            args, kwargs = step(story)
            parameters = inspect.signature(known[name]).parameters.values()
            offered = {one.name for one in parameters if one.kind is one.KEYWORD_ONLY}
            offered -= {"content_type"} | CURSORS | REDIRECTED.get(name, set())
            assert set(kwargs) == offered, name
            answer = known[name](*args, **kwargs)
            story.answers[name] = await answer if inspect.isawaitable(answer) else answer
            read_whole(story.answers[name])
    assert story.answers["events.get"]["fees"][0]["amount"] == 0.05
    assert [entry["id"] for entry in story.answers["events.list"]["items"]] == [unique("event")]
    assert story.answers["customers.list"]["total_count"] == 1
    assert story.answers["products.get_subscribers"]["items"][0]["version"] == 1
    assert story.answers["wallets.customer_wallet_ops.get_credit_grants"]["total_count"] == 1
    assert story.answers["assets.quote"]["rate"] == 0.05
    assert story.answers["top_ups.get"]["destination"]["exchange_rate"] == 0.02
