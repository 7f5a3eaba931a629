"""Cards that a customer has saved with the payment provider: list, add without paying, choose the
default, remove. We never see a card's number, only what tells one card from another."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import anyio
from pydantic import Field

from credyt_mcp.domain.auto_top_ups import ForgetCard
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.errors import NotFound
from credyt_mcp.ids import new_id
from credyt_mcp.payments.provider import CheckoutRequest, SavedCard
from credyt_mcp.storage import audit, customers
from credyt_mcp.storage.tables import CustomerRow
from credyt_mcp.use_cases.context import Billing, Command, Result
from credyt_mcp.use_cases.return_urls import check_can_take_payments, check_return_url
from credyt_mcp.use_cases.subscriptions import CustomerId, customer_of

Url = Annotated[str, Field(max_length=2000)]


class ListPaymentMethods(Command):
    """A customer's saved cards, newest first."""

    customer_id: CustomerId


class PaymentMethodFields(Command):
    return_url: Url
    failure_url: Url
    currency: str = "USD"


class AddPaymentMethod(PaymentMethodFields):
    """A page where the customer saves a card without paying."""

    customer_id: CustomerId


class OnPaymentMethod(Command):
    customer_id: CustomerId
    payment_method_id: Annotated[str, Field(max_length=255)]


class SetDefaultPaymentMethod(OnPaymentMethod):
    """Charge this card where no other was chosen; without a default it is the newest."""


class RemovePaymentMethod(OnPaymentMethod):
    """Forget a card for good. Automatic top-ups that charge it are switched off."""


class PaymentMethod(Result):
    id: str
    type: str = "card"
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    is_default: bool
    created_at: datetime


class PaymentMethods(Result):
    items: list[PaymentMethod]


class CardPage(Result):
    redirect_url: str
    expires_at: datetime


def list_payment_methods(billing: Billing, command: ListPaymentMethods) -> PaymentMethods:
    """Raises NotFound (customer), ProviderUnavailable."""
    customer = _customer(billing, command.customer_id)
    return PaymentMethods(items=shown(customer, cards_of(billing, customer)))


def add_payment_method(billing: Billing, command: AddPaymentMethod) -> CardPage:
    """Raises NotFound (customer), InvalidRequest for a URL that is not allowed,
    ProviderUnavailable."""
    for name in ("return_url", "failure_url"):
        check_return_url(billing, getattr(command, name), name)
    return card_page(billing, command)


def card_page(billing: Billing, asked: AddPaymentMethod) -> CardPage:
    """`add_payment_method` for URLs that are known to be good, such as those of our own pages."""
    check_can_take_payments(billing, "currency")
    customer, now = _customer(billing, asked.customer_id), billing.now()
    ends = now + timedelta(minutes=billing.settings.checkout_minutes)
    page = billing.payments.create_checkout(
        CheckoutRequest(
            key=new_id("card"),
            tenant_id=billing.tenant.id,
            amount_minor=0,
            currency=asked.currency.upper(),
            description="Save a card for later payments",
            return_url=asked.return_url,
            failure_url=asked.failure_url,
            created_at=now,
            expires_at=ends,
            save_card=True,
            customer_key=customer.public_id,
            setup=True,
        )
    )
    return CardPage(redirect_url=page.url, expires_at=ends)


def set_default_payment_method(billing: Billing, command: SetDefaultPaymentMethod) -> PaymentMethod:
    """Raises NotFound (customer, card), ProviderUnavailable."""
    customer = _customer(billing, command.customer_id)
    found = [one for one in cards_of(billing, customer) if one.id == command.payment_method_id]
    if not found:
        raise NotFound(f"the customer has no saved card '{command.payment_method_id}'")
    customer = _set_default(billing, customer, found[0].id)
    return shown(customer, found)[0]


async def remove_payment_method(billing: Billing, command: RemovePaymentMethod) -> None:
    """Raises NotFound (customer, card), ProviderUnavailable."""
    customer, last = await anyio.to_thread.run_sync(_remove, billing, command)
    ref = CustomerRef(customer.tenant_id, customer.public_id)
    await billing.lane.submit(ForgetCard(ref, command.payment_method_id, last))


def cards_of(billing: Billing, customer: CustomerRow) -> list[SavedCard]:
    """Cards that the provider of this environment keeps. Raises ProviderUnavailable."""
    return billing.payments.cards(customer.tenant_id, customer.public_id)


def shown(customer: CustomerRow, cards: list[SavedCard]) -> list[PaymentMethod]:
    """The chosen default, or else the newest, is marked."""
    chosen = customer.default_card
    default = next((one.id for one in cards if one.id == chosen), cards[0].id if cards else None)
    return [
        PaymentMethod(
            id=card.id,
            brand=card.brand,
            last4=card.last4,
            exp_month=card.exp_month,
            exp_year=card.exp_year,
            is_default=card.id == default,
            created_at=card.created_at,
        )
        for card in cards
    ]


def _remove(billing: Billing, command: RemovePaymentMethod) -> tuple[CustomerRow, bool]:
    """The customer, and whether that was the last card."""
    customer, card = _customer(billing, command.customer_id), command.payment_method_id
    billing.payments.remove_card(customer.tenant_id, customer.public_id, card)
    with billing.database.write() as session:
        target, now = f"customer:{customer.public_id}", billing.now()
        gone = {"payment_method_id": card}
        audit.add(
            session,
            customer.tenant_id,
            billing.actor,
            "payment_method.remove",
            target,
            now,
            before=gone,
        )
    if customer.default_card == card:
        _set_default(billing, customer, None)
    return customer, not cards_of(billing, customer)


def _set_default(billing: Billing, customer: CustomerRow, card: str | None) -> CustomerRow:
    with billing.database.write() as session:
        row = customers.find(session, customer.tenant_id, customer.public_id, lock=True)
        assert row is not None
        row.default_card = card
        session.add(row)
    return row


def _customer(billing: Billing, name: str) -> CustomerRow:
    with billing.database.read() as session:
        return customer_of(session, billing, name)
