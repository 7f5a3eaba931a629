"""Customers, their saved cards, and charges of those at one account of Stripe."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import stripe

from credyt_mcp.errors import NotFound
from credyt_mcp.payments.cards import to_charge
from credyt_mcp.payments.provider import ChargeRequest, ChargeSnapshot, SavedCard, declined
from credyt_mcp.payments.stripe_access import StripeAccess
from credyt_mcp.payments.stripe_calls import References, asking, once
from credyt_mcp.payments.stripe_outcomes import outcome_of, saved_card, to_stripe

log = logging.getLogger(__name__)


class StripeCharges:
    def __init__(
        self, client: stripe.StripeClient, access: StripeAccess, known: Callable[[], References]
    ) -> None:
        """`known` answers what is remembered of the account."""
        self._api = client.v1
        self._access = access
        self._known = known

    def charge(self, request: ChargeRequest) -> ChargeSnapshot:
        """The PaymentIntent is made first and its id kept, then it is confirmed: after a crash
        there is always an id to ask about, and one that was lost took no money."""
        name = f"charge:{request.key}"
        intent_id = self._known().get(request.tenant_id, name)
        if intent_id is None:
            made = self._new(request, name)
            if isinstance(made, ChargeSnapshot):
                return made
            intent_id = made
        with asking("a charge", request.key):
            intents = self._api.payment_intents
            intent = intents.retrieve(intent_id)
            if intent.status == "requires_confirmation":
                try:
                    intents.confirm(intent_id, {"off_session": True}, once(f"confirm:{intent_id}"))
                except stripe.CardError as refused:
                    log.info("charge %s: declined, request %s", request.key, refused.request_id)
                intent = intents.retrieve(intent_id)
        return outcome_of(intent)

    def call_off(self, tenant_id: int, key: str) -> ChargeSnapshot | None:
        """A PaymentIntent that was not confirmed, or whose id we never got, takes no money."""
        intent_id = self._known().get(tenant_id, f"charge:{key}")
        if intent_id is None:
            return None
        with asking("calling off a charge", key):
            intents = self._api.payment_intents
            intent = intents.retrieve(intent_id)
            if intent.status in ("requires_confirmation", "requires_action"):
                intents.cancel(intent_id)
                intent = intents.retrieve(intent_id)
        return None if intent.status == "canceled" else outcome_of(intent)

    def cards(self, tenant_id: int, customer_key: str) -> list[SavedCard]:
        customer = self._known().get(tenant_id, f"customer:{customer_key}")
        return [] if customer is None else self._cards(customer)

    def remove_card(self, tenant_id: int, customer_key: str, card: str) -> None:
        if card not in [one.id for one in self.cards(tenant_id, customer_key)]:
            raise NotFound(f"the customer has no saved card '{card}'")
        with asking("removing a card", card):
            self._api.payment_methods.detach(card)

    def customer(self, tenant_id: int, customer_key: str) -> str:
        """Stripe's customer for ours, made once."""
        name = f"customer:{customer_key}"
        known = self._known().get(tenant_id, name)
        if known is not None:
            return known
        with asking("a customer", customer_key):
            made = self._api.customers.create(
                {"metadata": {"customer_id": customer_key}}, once(name)
            )
        return self._known().keep(tenant_id, name, made.id)

    def fee(self, amount: int) -> dict[str, Any]:
        """The platform's part of a payment that a connected account takes."""
        fee = self._access.fee_of(amount) if self._access.connected else 0
        return {"application_fee_amount": fee} if fee else {}

    def _cards(self, customer: str) -> list[SavedCard]:
        with asking("saved cards", customer):
            methods = self._api.customers.payment_methods.list(
                customer, {"type": "card", "limit": 100}
            )
        return [saved_card(method) for method in methods.data]

    def _new(self, request: ChargeRequest, name: str) -> str | ChargeSnapshot:
        """A PaymentIntent that takes nothing yet; or, where it has no card, what became of it."""
        customer = self._known().get(request.tenant_id, f"customer:{request.customer_key}")
        known = [] if customer is None else [card.id for card in self._cards(customer)]
        card = to_charge(request, known) if known else None
        if customer is None or card is None:
            gone = "no_card" if request.card is None else "card_removed"
            return declined(gone, request.amount_minor, request.currency)
        amount = to_stripe(request.amount_minor, request.currency)
        fee = self.fee(amount)
        params: Any = {
            "amount": amount,
            "currency": request.currency.lower(),
            "customer": customer,
            "payment_method": card,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "description": request.description[:500],
            "metadata": {"charge_key": request.key},
            **fee,
        }
        with asking("a charge", request.key):
            # With another card or fee it is another one; the first was not confirmed.
            options = once(":".join((name, card, *map(str, fee.values()))))
            made = self._api.payment_intents.create(params, options)
        return self._known().keep(request.tenant_id, name, made.id)
