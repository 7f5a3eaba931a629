"""Reads what Stripe delivers: who signed it, for which mode, and what it is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import stripe

from credyt_mcp import exact_json
from credyt_mcp.domain.provider_events import ProviderEvent
from credyt_mcp.errors import MalformedRequest, Misconfigured, WebhookRefused

TOLERANCE_SECONDS = 300


def read_delivery(
    body: bytes, signature: str | None, secrets: Sequence[str], *, live: bool
) -> ProviderEvent:
    """What a delivery is about. Raises Misconfigured without a secret, WebhookRefused unless one
    of them signed it, for this mode, MalformedRequest for what is no event."""
    if not secrets:
        raise Misconfigured(
            "webhooks of Stripe arrive, but this endpoint has no signing secret",
            hint="Set STRIPE_WEBHOOK_SECRET, or webhook_secrets of the payment account, to the "
            "endpoint's signing secret (whsec_…); see docs/payments.md.",
        )
    if not any(_signed(body, signature, secret) for secret in secrets):
        raise WebhookRefused("the signature is not by any secret of this endpoint, or is old")
    try:
        event = event_of(exact_json.loads(body), body)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise MalformedRequest("the body is not an event of Stripe") from None
    if event.livemode != live:
        raise WebhookRefused("the event is of the other mode than the Stripe key, test or live")
    return event


def event_of(said: Any, body: bytes) -> ProviderEvent:
    """A snapshot event, or a thin one: both name an object."""
    thin = said["object"] == "v2.core.event"
    about = said["related_object"] if thin else said["data"]["object"]
    return ProviderEvent(
        id=said["id"],
        account=(said.get("context") if thin else said.get("account")) or "",
        livemode=bool(said["livemode"]),
        object_kind=about["type"] if thin else about["object"],
        object_id=about.get("id") or "",
        body=body.decode(),
    )


def _signed(body: bytes, signature: str | None, secret: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(body, signature, secret, TOLERANCE_SECONDS)
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False
    return True
