"""Payments by Stripe, at one account there: its hosted Checkout, its events, and by way of others
saved cards, charges, refunds. It retrieves what it needs to know; an event is never believed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import stripe

from credyt_mcp import exact_json
from credyt_mcp.clock import Clock
from credyt_mcp.domain.provider_events import GOES_BACK, ProviderEvent
from credyt_mcp.domain.refunds import RefundSnapshot
from credyt_mcp.errors import InternalError, Misconfigured
from credyt_mcp.payments.provider import (
    ChargeRequest,
    ChargeSnapshot,
    CheckoutRef,
    CheckoutRequest,
    PaidFor,
    PaymentSnapshot,
    RefundRequest,
    Reversals,
    SavedCard,
)
from credyt_mcp.payments.stripe_access import StripeAccess, fingerprint, is_live
from credyt_mcp.payments.stripe_calls import References, asking, once
from credyt_mcp.payments.stripe_charges import StripeCharges
from credyt_mcp.payments.stripe_outcomes import (
    checkout_status,
    from_stripe,
    kept_card,
    limits,
    to_stripe,
)
from credyt_mcp.payments.stripe_reversals import REFUND_EVENTS, StripeReversals
from credyt_mcp.payments.stripe_webhooks import event_of, read_delivery

API_VERSION = "2026-10-28.endive"
TIMEOUT_SECONDS, RETRIES = 20, 2
SESSION_MIN, SESSION_MAX = timedelta(minutes=30), timedelta(hours=24)
LISTENED = [
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    *REFUND_EVENTS,
]
"""Events worth asking for when they could not be delivered."""

log = logging.getLogger(__name__)


class StripeProvider:
    name = "stripe"
    page_origins = ("https://checkout.stripe.com",)

    def __init__(
        self,
        access: StripeAccess,
        references_of: Callable[[str], References],
        clock: Clock,
        *,
        done_url: str,
        api_base: str | None = None,
    ) -> None:
        """`references_of` answers what is known of an account at Stripe. `done_url` is where a
        customer ends who is to be sent nowhere else. `api_base` stands in for Stripe's own address
        in tests; raises Misconfigured for it with a live key."""
        self._live = is_live(access.api_key)
        if api_base and self._live:
            raise Misconfigured(
                "STRIPE_API_BASE is set, and a live key goes to Stripe's own address only",
                hint="Unset STRIPE_API_BASE.",
            )
        stripe.enable_telemetry = False
        self._client = stripe.StripeClient(
            access.api_key,
            stripe_account=access.connected,
            stripe_version=API_VERSION,
            max_network_retries=RETRIES,
            http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
            base_addresses={"api": api_base} if api_base else {},
        )
        self._access = access
        self._charges = StripeCharges(self._client, access, self._references)
        self._reversals = StripeReversals(self._client)
        self._references_of = references_of
        self._clock = clock
        self._done_url = done_url
        self._account = access.account
        self._known: References | None = None

    @property
    def account(self) -> str:
        """Stripe's id of the account, asked for once; a stand-in for it made of the key, if the key
        lacks the permission to ask."""
        if self._account is None:
            with asking("the account", "its key"):
                try:
                    self._account = self._client.v1.accounts.retrieve_current().id
                except stripe.PermissionError:
                    if self._access.connected:
                        raise
                    self._account = fingerprint(self._access.api_key)
        return self._account

    def check_amount(self, amount_minor: int, currency: str) -> None:
        to_stripe(amount_minor, currency)

    def limits(self, currency: str) -> tuple[int, int | None]:
        return limits(currency)

    def create_checkout(self, request: CheckoutRequest) -> CheckoutRef:
        expires_at = self._session_end(request)
        params: Any = {
            "client_reference_id": request.key,
            "metadata": _metadata(request),
            "success_url": request.return_url or self._done_url,
            "cancel_url": request.failure_url or request.return_url or self._done_url,
            **({"mode": "setup", "currency": request.currency.lower()} if request.setup else {}),
        }
        if not request.setup:
            params |= self._payment(request)
        if expires_at is not None:
            params["expires_at"] = expires_at
        if request.customer_key is not None:
            params["customer"] = self._charges.customer(request.tenant_id, request.customer_key)
        with asking("a checkout session", request.key):
            # A page that another end was asked for is another page; nobody has seen the first.
            options = once(f"checkout:{request.key}:{expires_at}")
            session = self._client.v1.checkout.sessions.create(params, options)
        if session.url is None:
            raise InternalError("Stripe made a checkout session without an address")
        return CheckoutRef(session.id, session.url)

    def fetch(self, checkout_id: str) -> PaymentSnapshot:
        return _snapshot(self._session(checkout_id))

    def close_checkout(self, checkout_id: str) -> PaymentSnapshot:
        session = self._session(checkout_id)
        if session.status == "open":
            with asking("closing a checkout session", checkout_id):
                try:
                    self._client.v1.checkout.sessions.expire(checkout_id)
                except stripe.InvalidRequestError:
                    log.info("checkout session %s was closed by somebody else", checkout_id)
            session = self._session(checkout_id)
        return _snapshot(session)

    def charge(self, request: ChargeRequest) -> ChargeSnapshot:
        return self._charges.charge(request)

    def call_off(self, tenant_id: int, key: str) -> ChargeSnapshot | None:
        return self._charges.call_off(tenant_id, key)

    def cards(self, tenant_id: int, customer_key: str) -> list[SavedCard]:
        return self._charges.cards(tenant_id, customer_key)

    def remove_card(self, tenant_id: int, customer_key: str, card: str) -> None:
        self._charges.remove_card(tenant_id, customer_key, card)

    def refund(self, request: RefundRequest) -> RefundSnapshot:
        return self._reversals.refund(request)

    def reversals(self, checkout_id: str) -> Reversals:
        return self._reversals.of_payment(checkout_id)

    def read_webhook(self, body: bytes, signature: str | None) -> ProviderEvent:
        """Raises as `read_delivery` does."""
        return read_delivery(body, signature, self._access.webhook_secrets, live=self._live)

    def paid_for(self, event: ProviderEvent) -> PaidFor | None:
        """Which payment of ours the event's object belongs to, by what Stripe says of it now."""
        page = None
        if event.object_kind == "checkout.session":
            session = self._session(event.object_id)
            # Not by client_reference_id, which a payment link takes from its address.
            known = (session.to_dict().get("metadata") or {}).get("payment_id")
            page = session.id
        elif event.object_kind == "payment_intent":
            with asking("a payment", event.object_id):
                intent = self._client.v1.payment_intents.retrieve(event.object_id)
            metadata = intent.to_dict().get("metadata") or {}
            known = metadata.get("payment_id") or metadata.get("charge_key")
        elif event.object_kind in GOES_BACK:
            known = self._reversals.payment_behind(event.object_kind, event.object_id)
        else:
            return None
        return PaidFor(known, page) if known else None

    def undelivered(self, since: datetime) -> Iterator[ProviderEvent]:
        """Events since then that Stripe could not deliver."""
        params: Any = {
            "types": LISTENED,
            "delivery_success": False,
            "created": {"gte": int(since.timestamp())},
            "limit": 100,
        }
        with asking("undelivered events", "list"):
            for event in self._client.v1.events.list(params).auto_paging_iter():
                plain = event.to_dict()
                found = event_of(plain, exact_json.dumps(plain))
                if found.livemode == self._live:
                    yield found

    def _references(self) -> References:
        if self._known is None:
            self._known = self._references_of(self.account)
        return self._known

    def _session(self, checkout_id: str) -> stripe.checkout.Session:
        with asking("a checkout session", checkout_id):
            return self._client.v1.checkout.sessions.retrieve(
                checkout_id, {"expand": ["payment_intent"]}
            )

    def _session_end(self, request: CheckoutRequest) -> int | None:
        """When the page closes; None (Stripe's own day) where it could not be as asked, such as
        for a test environment that moved its clock."""
        end = max(request.expires_at, request.created_at + SESSION_MIN + timedelta(minutes=1))
        now = self._clock.now()
        return int(end.timestamp()) if now + SESSION_MIN < end < now + SESSION_MAX else None

    def _payment(self, request: CheckoutRequest) -> dict[str, Any]:
        """What a page asks for that takes money."""
        amount = to_stripe(request.amount_minor, request.currency)
        intent: dict[str, Any] = {"metadata": _metadata(request), **self._charges.fee(amount)}
        if request.save_card:
            intent["setup_future_usage"] = "off_session"
        price: dict[str, Any] = {
            "currency": request.currency.lower(),
            "unit_amount": amount,
            "product_data": {"name": request.description[:250]},
        }
        params: dict[str, Any] = {
            "mode": "payment",
            "payment_intent_data": intent,
            "line_items": [{"quantity": 1, "price_data": price}],
            "adaptive_pricing": {"enabled": False},
        }
        if request.invoice:
            params["invoice_creation"] = {"enabled": True}
        if request.automatic_tax:
            price["tax_behavior"] = "exclusive"
            params["automatic_tax"] = {"enabled": True}
            if request.customer_key is not None:
                params["customer_update"] = {"address": "auto"}
        return params


def _metadata(request: CheckoutRequest) -> dict[str, str]:
    return {"payment_id": request.key, "tenant_id": str(request.tenant_id)}


def _snapshot(session: stripe.checkout.Session) -> PaymentSnapshot:
    """Before taxes: those are not the customer's credit."""
    intent = session.payment_intent
    intent_status = intent.status if isinstance(intent, stripe.PaymentIntent) else None
    status = checkout_status(session.status, session.payment_status, intent_status)
    currency = (session.currency or "").upper()
    amount = from_stripe(session.amount_subtotal or 0, currency)
    return PaymentSnapshot(status, amount, currency, kept_card(intent))
