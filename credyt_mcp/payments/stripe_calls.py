"""Every call to Stripe goes through here: how many wait at once, and what the SDK's errors mean."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any, Protocol

import stripe

from credyt_mcp.errors import (
    AmountOutOfRange,
    InternalError,
    Misconfigured,
    NotFound,
    ProviderUnavailable,
)

CALLS_AT_ONCE, CALL_WAIT_SECONDS = 16, 2
"""Fewer than the threads that serve all requests: a Stripe that hangs must not take them all."""

log = logging.getLogger(__name__)
_calls = BoundedSemaphore(CALLS_AT_ONCE)


class References(Protocol):
    """Remembers what an account at Stripe calls a thing of ours: a customer, a charge."""

    def get(self, tenant_id: int, name: str) -> str | None: ...

    def keep(self, tenant_id: int, name: str, ref: str) -> str:
        """Store it; if there is one of that name, answer that one instead."""


@contextmanager
def asking(what: str, of: str) -> Iterator[None]:
    """Turns the SDK's errors into ours. Stripe's own words may hold what people typed, so they are
    not repeated; its request id leads to them."""
    if not _calls.acquire(timeout=CALL_WAIT_SECONDS):
        raise ProviderUnavailable("too many requests wait for Stripe's answer")
    try:
        yield
    except stripe.StripeError as error:
        code = getattr(error.error, "code", None) if error.error else None
        kind, request = type(error).__name__, error.request_id
        log.warning("Stripe, %s of %s: %s %s, request %s", what, of, kind, code, request)
        raise _ours(error, code) from None
    finally:
        _calls.release()


def once(name: str) -> Any:
    """Options that make repeating a request the same as making it once, for about a day."""
    return {"idempotency_key": name}


def _ours(error: stripe.StripeError, code: str | None) -> Exception:
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return Misconfigured(
            "Stripe refuses the API key, or the key lacks a permission",
            hint="Correct STRIPE_API_KEY, or the payment account's key, or its permissions; see "
            "docs/payments.md.",
        )
    if isinstance(error, stripe.InvalidRequestError):
        if code == "resource_missing":
            return NotFound("Stripe knows no such object")
        if code in ("amount_too_small", "amount_too_large"):
            return AmountOutOfRange("amount", f"is {code[7:].replace('_', ' ')} for Stripe")
        return InternalError(f"Stripe refused the request ({code or 'invalid'})")
    # Also a declined key of another request and whatever is new: the outcome is not known.
    return ProviderUnavailable("Stripe does not answer")
