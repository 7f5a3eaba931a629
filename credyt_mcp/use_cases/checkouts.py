"""The sandbox's payment page: show a checkout, take a test card, settle what was paid."""

from __future__ import annotations

from typing import Annotated

import anyio
from pydantic import Field

from credyt_mcp.domain.assets import currency
from credyt_mcp.domain.checkouts import TEST_CARDS, Checkout, outcome_of
from credyt_mcp.domain.money import from_units
from credyt_mcp.errors import NotFound
from credyt_mcp.payments.sandbox import Challenge, SandboxProvider
from credyt_mcp.use_cases.context import Billing, Command, Result
from credyt_mcp.use_cases.settling import settle_payment


class ViewCheckout(Command):
    checkout_id: str


class PayCheckout(ViewCheckout):
    card_number: Annotated[str, Field(max_length=40)]
    confirmed: Annotated[bool | None, Field(description="what a card's bank was told")] = None


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
    setup: bool
    declined: str | None = None
    challenge: str | None = None


def view_checkout(billing: Billing, command: ViewCheckout) -> CheckoutView:
    """Raises NotFound for a link that is not ours."""
    return _view(_sandbox(billing).checkout(command.checkout_id))


async def pay_checkout(billing: Billing, command: PayCheckout) -> CheckoutView:
    """Pay with a test card and credit the wallet; `declined` says why a card was refused, and
    `challenge` is the card whose bank wants to hear whether the customer confirms.

    Paying twice pays once. Raises NotFound, or WrongState once the link has expired.
    """
    sandbox = _sandbox(billing)
    answer = await anyio.to_thread.run_sync(
        sandbox.pay, command.checkout_id, command.card_number, command.confirmed
    )
    checkout = await anyio.to_thread.run_sync(sandbox.checkout, command.checkout_id)
    if checkout.status == "paid":
        await settle_payment(billing, checkout.reference)
    if isinstance(answer, Challenge):
        return _view(checkout, challenge=command.card_number)
    return _view(checkout, answer)


def _sandbox(billing: Billing) -> SandboxProvider:
    if isinstance(billing.providers.sandbox, SandboxProvider):
        return billing.providers.sandbox
    raise NotFound("there is no sandbox checkout on this server")


def _view(
    checkout: Checkout, declined: str | None = None, challenge: str | None = None
) -> CheckoutView:
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
                outcome=outcome_of(number, setup=checkout.setup),
            )
            for number in TEST_CARDS
        ],
        setup=checkout.setup,
        declined=declined,
        challenge=challenge,
    )
