"""Events on their way: signed by the SDK's own code, as snapshots or thin, as often and in such an
order as a test asks for."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx
from stripe import WebhookSignature

from tests.fake_stripe.account import Object, public


class Delivery(NamedTuple):
    event: Object
    body: str
    signature: str


def delivery(event: Object, secret: str, *, thin: bool = False) -> Delivery:
    body = json.dumps(thinned(event) if thin else public(event))
    return Delivery(event, body, WebhookSignature.generate_signature_header(body, secret))


def thinned(event: Object) -> Object:
    """The thin twin of a snapshot event: another id, and its object only by name."""
    about = event["data"]["object"]
    return {
        "id": f"{event['id']}_thin",
        "object": "v2.core.event",
        "type": f"v1.{event['type']}",
        "created": datetime.fromtimestamp(event["created"], UTC).isoformat(),
        "livemode": event["livemode"],
        "related_object": {
            "id": about["id"],
            "type": about["object"],
            "url": f"/v1/{about['object'].replace('.', '/')}s/{about['id']}",
        },
        "context": event.get("account"),
        "reason": None,
    }


def send(deliveries: list[Delivery], url: str, form: dict[str, Any]) -> list[int]:
    """Post them to an endpoint; answers each status, 0 where nobody answered. What was taken
    counts as delivered."""
    deliveries = deliveries * int(form.get("copies", 1))
    if form.get("order") == "reversed":
        deliveries = deliveries[::-1]
    elif form.get("order"):
        random.Random(form["order"]).shuffle(deliveries)
    with httpx.Client(timeout=10) as web:
        return [_post(web, url, one) for one in deliveries]


def _post(web: httpx.Client, url: str, one: Delivery) -> int:
    headers = {"Stripe-Signature": one.signature, "Content-Type": "application/json"}
    try:
        status = web.post(url, content=one.body, headers=headers).status_code
    except httpx.TransportError:
        return 0
    if status < 300:
        one.event["pending_webhooks"] = 0
    return status
