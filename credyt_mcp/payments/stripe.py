"""Payments by Stripe: hosted Checkout, charges of the saved card, webhooks. The only file that
imports its SDK. It retrieves what it needs to know; an event is a hint and never believed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Protocol

import stripe

from credyt_mcp import exact_json
from credyt_mcp.clock import Clock
from credyt_mcp.domain.provider_events import GOES_BACK, ProviderEvent
from credyt_mcp.domain.refunds import RefundSnapshot
from credyt_mcp.errors import (
    AmountOutOfRange,
    InternalError,
    MalformedRequest,
    Misconfigured,
    NotFound,
    ProviderUnavailable,
    WebhookRefused,
)
from credyt_mcp.payments.cards import to_charge
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
    declined,
)
from credyt_mcp.payments.stripe_outcomes import (
    checkout_status,
    from_stripe,
    kept_card,
    outcome_of,
    saved_card,
    to_stripe,
)
from credyt_mcp.payments.stripe_reversals import REFUND_EVENTS, StripeReversals

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


class References(Protocol):
    """Remembers what Stripe calls a thing of ours: a customer, a charge."""

    def get(self, tenant_id: int, name: str) -> str | None: ...

    def keep(self, tenant_id: int, name: str, ref: str) -> str:
        """Store it; if there is one of that name, answer that one instead."""


class StripeProvider:
    name = "stripe"

    def __init__(
        self,
        api_key: str,
        webhook_secrets: Sequence[str],
        references: References,
        clock: Clock,
        *,
        done_url: str,
        api_base: str | None = None,
    ) -> None:
        """`done_url` is where a customer ends who is to be sent nowhere else. `api_base` stands in
        for Stripe's own address in tests."""
        stripe.enable_telemetry = False
        self._client = stripe.StripeClient(
            api_key,
            stripe_version=API_VERSION,
            max_network_retries=RETRIES,
            http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
            base_addresses={"api": api_base} if api_base else {},
        )
        self._reversals = StripeReversals(self._client, _asking)
        self._live = "_live_" in api_key
        self._secrets = webhook_secrets
        self._references = references
        self._clock = clock
        self._done_url = done_url

    def create_checkout(self, request: CheckoutRequest) -> CheckoutRef:
        expires_at = self._session_end(request)
        metadata = _metadata(request)
        intent: dict[str, Any] = {"metadata": metadata}
        if request.save_card:
            intent["setup_future_usage"] = "off_session"
        params: Any = {
            "client_reference_id": request.key,
            "metadata": metadata,
            "success_url": request.return_url or self._done_url,
            "cancel_url": request.failure_url or request.return_url or self._done_url,
        }
        if request.setup:
            params |= {"mode": "setup", "currency": request.currency.lower()}
        else:
            price = {
                "currency": request.currency.lower(),
                "unit_amount": to_stripe(request.amount_minor, request.currency),
                "product_data": {"name": request.description[:250]},
            }
            params |= {
                "mode": "payment",
                "payment_intent_data": intent,
                "line_items": [{"quantity": 1, "price_data": price}],
                "adaptive_pricing": {"enabled": False},
            }
        if expires_at is not None:
            params["expires_at"] = expires_at
        if request.customer_key is not None:
            params["customer"] = self._customer(request.tenant_id, request.customer_key)
        with _asking("a checkout session", request.key):
            # A page that another end was asked for is another page; nobody has seen the first.
            options = _key(f"checkout:{request.key}:{expires_at}")
            session = self._client.v1.checkout.sessions.create(params, options)
        if session.url is None:
            raise InternalError("Stripe made a checkout session without an address")
        return CheckoutRef(session.id, session.url)

    def fetch(self, checkout_id: str) -> PaymentSnapshot:
        return _snapshot(self._session(checkout_id))

    def close_checkout(self, checkout_id: str) -> PaymentSnapshot:
        session = self._session(checkout_id)
        if session.status == "open":
            with _asking("closing a checkout session", checkout_id):
                try:
                    self._client.v1.checkout.sessions.expire(checkout_id)
                except stripe.InvalidRequestError:
                    log.info("checkout session %s was closed by somebody else", checkout_id)
            session = self._session(checkout_id)
        return _snapshot(session)

    def charge(self, request: ChargeRequest) -> ChargeSnapshot:
        """The PaymentIntent is made first and its id kept, then it is confirmed: after a crash
        there is always an id to ask about, and one that was lost took no money."""
        name = f"charge:{request.key}"
        intent_id = self._references.get(request.tenant_id, name)
        if intent_id is None:
            made = self._new_charge(request, name)
            if isinstance(made, ChargeSnapshot):
                return made
            intent_id = made
        with _asking("a charge", request.key):
            intents = self._client.v1.payment_intents
            intent = intents.retrieve(intent_id)
            if intent.status == "requires_confirmation":
                try:
                    intents.confirm(intent_id, {"off_session": True}, _key(f"confirm:{intent_id}"))
                except stripe.CardError as declined:
                    log.info("charge %s: declined, request %s", request.key, declined.request_id)
                intent = intents.retrieve(intent_id)
        return outcome_of(intent)

    def call_off(self, tenant_id: int, key: str) -> ChargeSnapshot | None:
        """A PaymentIntent that was not confirmed, or whose id we never got, takes no money."""
        intent_id = self._references.get(tenant_id, f"charge:{key}")
        if intent_id is None:
            return None
        with _asking("calling off a charge", key):
            intents = self._client.v1.payment_intents
            intent = intents.retrieve(intent_id)
            if intent.status in ("requires_confirmation", "requires_action"):
                intents.cancel(intent_id)
                intent = intents.retrieve(intent_id)
        return None if intent.status == "canceled" else outcome_of(intent)

    def cards(self, tenant_id: int, customer_key: str) -> list[SavedCard]:
        customer = self._references.get(tenant_id, f"customer:{customer_key}")
        return [] if customer is None else self._cards(customer)

    def remove_card(self, tenant_id: int, customer_key: str, card: str) -> None:
        if card not in [one.id for one in self.cards(tenant_id, customer_key)]:
            raise NotFound(f"the customer has no saved card '{card}'")
        with _asking("removing a card", card):
            self._client.v1.payment_methods.detach(card)

    def refund(self, request: RefundRequest) -> RefundSnapshot:
        return self._reversals.refund(request)

    def reversals(self, checkout_id: str) -> Reversals:
        return self._reversals.of_payment(checkout_id)

    def read_webhook(self, body: bytes, signature: str | None) -> ProviderEvent:
        """What a delivery is about. Raises Misconfigured without a secret, WebhookRefused unless
        Stripe signed it for this server and mode, MalformedRequest for what is no event."""
        if not self._secrets:
            raise Misconfigured(
                "webhooks of Stripe arrive, but STRIPE_WEBHOOK_SECRET is not set",
                hint="Set it to the endpoint's signing secret (whsec_…); see docs/payments.md.",
            )
        if not any(_signed(body, signature, secret) for secret in self._secrets):
            raise WebhookRefused("the signature is not of any STRIPE_WEBHOOK_SECRET, or is old")
        try:
            event = _event(exact_json.loads(body), body)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise MalformedRequest("the body is not an event of Stripe") from None
        if event.livemode != self._live:
            raise WebhookRefused("the event is of the other mode than STRIPE_API_KEY, test or live")
        return event

    def paid_for(self, event: ProviderEvent) -> PaidFor | None:
        """Which payment of ours the event's object belongs to, by what Stripe says of it now."""
        try:
            if event.object_kind == "checkout.session":
                session = self._session(event.object_id)
                # Not by client_reference_id, which a payment link takes from its address.
                known = (session.to_dict().get("metadata") or {}).get("payment_id")
                return PaidFor(known, session.id) if known else None
            if event.object_kind == "payment_intent":
                with _asking("a payment", event.object_id):
                    intent = self._client.v1.payment_intents.retrieve(event.object_id)
                metadata = intent.to_dict().get("metadata") or {}
                known = metadata.get("payment_id") or metadata.get("charge_key")
                return PaidFor(known, None) if known else None
            if event.object_kind in GOES_BACK:
                known = self._reversals.payment_behind(event.object_kind, event.object_id)
                return PaidFor(known, None) if known else None
        except NotFound:
            log.warning("event %s is about an object that is not there", event.id)
        return None

    def undelivered(self, since: datetime) -> Iterator[ProviderEvent]:
        """Events since then that Stripe could not deliver."""
        params: Any = {
            "types": LISTENED,
            "delivery_success": False,
            "created": {"gte": int(since.timestamp())},
            "limit": 100,
        }
        with _asking("undelivered events", "list"):
            for event in self._client.v1.events.list(params).auto_paging_iter():
                plain = event.to_dict()
                found = _event(plain, exact_json.dumps(plain))
                if found.livemode == self._live:
                    yield found

    def _session(self, checkout_id: str) -> stripe.checkout.Session:
        with _asking("a checkout session", checkout_id):
            return self._client.v1.checkout.sessions.retrieve(
                checkout_id, {"expand": ["payment_intent"]}
            )

    def _session_end(self, request: CheckoutRequest) -> int | None:
        """When the page closes; None (Stripe's own day) where it could not be as asked, such as
        for a test environment that moved its clock."""
        end = max(request.expires_at, request.created_at + SESSION_MIN + timedelta(minutes=1))
        now = self._clock.now()
        return int(end.timestamp()) if now + SESSION_MIN < end < now + SESSION_MAX else None

    def _customer(self, tenant_id: int, customer_key: str) -> str:
        """Stripe's customer for ours, made once."""
        name = f"customer:{customer_key}"
        known = self._references.get(tenant_id, name)
        if known is not None:
            return known
        with _asking("a customer", customer_key):
            made = self._client.v1.customers.create(
                {"metadata": {"customer_id": customer_key}}, _key(name)
            )
        return self._references.keep(tenant_id, name, made.id)

    def _cards(self, customer: str) -> list[SavedCard]:
        with _asking("saved cards", customer):
            methods = self._client.v1.customers.payment_methods.list(
                customer, {"type": "card", "limit": 100}
            )
        return [saved_card(method) for method in methods.data]

    def _new_charge(self, request: ChargeRequest, name: str) -> str | ChargeSnapshot:
        """A PaymentIntent that takes nothing yet; or, where it has no card, what became of it."""
        customer = self._references.get(request.tenant_id, f"customer:{request.customer_key}")
        known = [] if customer is None else [card.id for card in self._cards(customer)]
        card = to_charge(request, known) if known else None
        if customer is None or card is None:
            gone = "no_card" if request.card is None else "card_removed"
            return declined(gone, request.amount_minor, request.currency)
        amount = to_stripe(request.amount_minor, request.currency)
        with _asking("a charge", request.key):
            made = self._client.v1.payment_intents.create(
                {
                    "amount": amount,
                    "currency": request.currency.lower(),
                    "customer": customer,
                    "payment_method": card,
                    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                    "description": request.description[:500],
                    "metadata": {"charge_key": request.key},
                },
                _key(f"{name}:{card}"),
            )
        return self._references.keep(request.tenant_id, name, made.id)


def _metadata(request: CheckoutRequest) -> dict[str, str]:
    return {"payment_id": request.key, "tenant_id": str(request.tenant_id)}


def _key(name: str) -> Any:
    return {"idempotency_key": name}


def _snapshot(session: stripe.checkout.Session) -> PaymentSnapshot:
    """Before taxes: those are not the customer's credit."""
    intent = session.payment_intent
    intent_status = intent.status if isinstance(intent, stripe.PaymentIntent) else None
    status = checkout_status(session.status, session.payment_status, intent_status)
    currency = (session.currency or "").upper()
    amount = from_stripe(session.amount_subtotal or 0, currency)
    return PaymentSnapshot(status, amount, currency, kept_card(intent))


def _signed(body: bytes, signature: str | None, secret: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(body, signature, secret, tolerance=300)
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False
    return True


def _event(said: Any, body: bytes) -> ProviderEvent:
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


@contextmanager
def _asking(what: str, of: str) -> Iterator[None]:
    """Turns the SDK's errors into ours. Stripe's own words may hold what people typed, so they are
    not repeated; its request id leads to them."""
    try:
        yield
    except stripe.StripeError as error:
        code = getattr(error.error, "code", None) if error.error else None
        kind, request = type(error).__name__, error.request_id
        log.warning("Stripe, %s of %s: %s %s, request %s", what, of, kind, code, request)
        raise _ours(error, code) from None


def _ours(error: stripe.StripeError, code: str | None) -> Exception:
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return Misconfigured(
            "Stripe refuses the API key, or the key lacks a permission",
            hint="Correct STRIPE_API_KEY or its permissions; see docs/payments.md.",
        )
    if isinstance(error, stripe.InvalidRequestError):
        if code == "resource_missing":
            return NotFound("Stripe knows no such object")
        if code in ("amount_too_small", "amount_too_large"):
            return AmountOutOfRange("amount", f"is {code[7:].replace('_', ' ')} for Stripe")
        return InternalError(f"Stripe refused the request ({code or 'invalid'})")
    # Also a declined key of another request and whatever is new: the outcome is not known.
    return ProviderUnavailable("Stripe does not answer")
