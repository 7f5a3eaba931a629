"""The sandbox's payment page: show a checkout, take a test card, settle what was paid."""

from __future__ import annotations

from typing import Annotated

import anyio
from pydantic import Field

from credyt_mcp.domain.assets import currency
from credyt_mcp.domain.checkouts import TEST_CARDS, Checkout, outcome_of
from credyt_mcp.domain.money import from_units
from credyt_mcp.errors import NotFound
from credyt_mcp.payments.sandbox import SandboxProvider
from credyt_mcp.storage import subscription_payments as stored_payments
from credyt_mcp.storage import top_ups as stored_top_ups
from credyt_mcp.storage.subscription_payments import Found
from credyt_mcp.storage.tables import CustomerRow, TopUpRow
from credyt_mcp.use_cases import subscription_payments, top_ups
from credyt_mcp.use_cases.context import Billing, Command, Result
from credyt_mcp.use_cases.keys import as_tenant


class ViewCheckout(Command):
    checkout_id: str


class PayCheckout(ViewCheckout):
    card_number: Annotated[str, Field(max_length=40)]


class TestCard(Result):
    number: str
    outcome: str


class CheckoutView(Result):
    id: str
    status: str
    amount: str
    currency: str
    description: str
    return_url: str
    failure_url: str
    cards: list[TestCard]
    declined: str | None = None


def view_checkout(billing: Billing, command: ViewCheckout) -> CheckoutView:
    """Raises NotFound for a link that is not ours."""
    return _view(_sandbox(billing).checkout(command.checkout_id))


async def pay_checkout(billing: Billing, command: PayCheckout) -> CheckoutView:
    """Pay with a test card and credit the wallet; `declined` says why a card was refused.

    Paying twice pays once. Raises NotFound, or WrongState once the link has expired.
    """
    sandbox = _sandbox(billing)
    declined = await anyio.to_thread.run_sync(sandbox.pay, command.checkout_id, command.card_number)
    checkout = await anyio.to_thread.run_sync(sandbox.checkout, command.checkout_id)
    if checkout.status == "paid":
        await _settle(billing, checkout)
    return _view(checkout, declined)


async def _settle(billing: Billing, checkout: Checkout) -> None:
    """Book the payment that the page was for: a subscription's, or a top-up."""
    payment_id = checkout.reference.partition(":")[0]
    found = await anyio.to_thread.run_sync(_subscription_payment, billing, payment_id)
    if found is not None:
        await subscription_payments.settle(billing.as_tenant(as_tenant(found.tenant)), found)
        return
    owner, row, customer = await anyio.to_thread.run_sync(_top_up, billing, payment_id)
    await top_ups.settle(owner, row, customer)


def _subscription_payment(billing: Billing, payment_id: str) -> Found | None:
    with billing.database.read() as session:
        return stored_payments.get(session, payment_id)


def _top_up(billing: Billing, payment_id: str) -> tuple[Billing, TopUpRow, CustomerRow]:
    with billing.database.read() as session:
        tenant = as_tenant(stored_top_ups.tenant_of(session, payment_id))
        found = stored_top_ups.get(session, tenant.id, payment_id)
    assert found is not None
    return billing.as_tenant(tenant), *found


def _sandbox(billing: Billing) -> SandboxProvider:
    if isinstance(billing.payments, SandboxProvider):
        return billing.payments
    raise NotFound("there is no sandbox checkout on this server")


def _view(checkout: Checkout, declined: str | None = None) -> CheckoutView:
    paid_in = currency(checkout.currency)
    assert paid_in is not None
    amount = from_units(checkout.amount_minor, paid_in._replace(scale=paid_in.precision))
    return CheckoutView(
        id=checkout.id,
        status=checkout.status,
        amount=f"{amount:,.{paid_in.precision}f}",
        currency=checkout.currency,
        description=checkout.description,
        return_url=checkout.return_url,
        failure_url=checkout.failure_url,
        cards=[
            TestCard(
                number=" ".join(number[i : i + 4] for i in range(0, 16, 4)),
                outcome=outcome_of(number),
            )
            for number in TEST_CARDS
        ],
        declined=declined,
    )
