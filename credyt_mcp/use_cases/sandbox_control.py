"""The sandbox provider's dashboard: what was paid there, refunds and disputes made there, and what
becomes of them. It stands in for a real provider's dashboard, in the test environment only."""

from __future__ import annotations

from typing import Annotated, Literal

import anyio
from pydantic import Field

from credyt_mcp.domain.assets import currency
from credyt_mcp.domain.checkouts import Checkout
from credyt_mcp.domain.money import Asset, from_units, to_units
from credyt_mcp.domain.sandbox_reversals import SandboxReversal, Step
from credyt_mcp.errors import Forbidden, NotFound
from credyt_mcp.payments.sandbox import SandboxProvider
from credyt_mcp.use_cases.context import Billing, Command, PositiveAmount, Result
from credyt_mcp.use_cases.reversals import settle_reversals


class ViewSandbox(Command):
    """Nothing need be said."""


class RefundInSandbox(Command):
    """A refund that the API did not ask for; without `amount`, of the whole payment."""

    payment_id: str
    amount: PositiveAmount | None = None
    outcome: Literal["succeeded", "pending", "failed"] = "succeeded"


class DisputeInSandbox(Command):
    payment_id: str
    amount: PositiveAmount | None = None


class StepInSandbox(Command):
    """What becomes of a pending refund or an open dispute."""

    reversal_id: Annotated[str, Field(max_length=64)]
    step: Step


class ShownReversal(Result):
    id: str
    kind: str
    status: str
    amount: str
    withdrawn: bool
    steps: list[str]


class ShownPayment(Result):
    id: str
    reference: str
    amount: str
    currency: str
    description: str
    reversals: list[ShownReversal]


class SandboxView(Result):
    payments: list[ShownPayment]


def view_sandbox(billing: Billing, command: ViewSandbox) -> SandboxView:
    """The newest payments. Raises Forbidden in the live environment."""
    paid = _sandbox(billing).payments(billing.tenant.id)
    return SandboxView(payments=[_shown(one, reversals) for one, reversals in paid])


async def refund_in_sandbox(billing: Billing, command: RefundInSandbox) -> SandboxView:
    """Raises NotFound, Forbidden, AmountOutOfRange."""
    await _make(billing, command, "refund", command.outcome)
    return await anyio.to_thread.run_sync(view_sandbox, billing, ViewSandbox())


async def dispute_in_sandbox(billing: Billing, command: DisputeInSandbox) -> SandboxView:
    """Raises NotFound, Forbidden, AmountOutOfRange."""
    await _make(billing, command, "dispute", "open")
    return await anyio.to_thread.run_sync(view_sandbox, billing, ViewSandbox())


async def step_in_sandbox(billing: Billing, command: StepInSandbox) -> SandboxView:
    """Raises NotFound, Forbidden, WrongState for a step that is not possible now."""
    sandbox, tenant_id = _sandbox(billing), billing.tenant.id
    reversal = await anyio.to_thread.run_sync(
        sandbox.step, tenant_id, command.reversal_id, command.step
    )
    checkout = await anyio.to_thread.run_sync(sandbox.checkout, reversal.checkout_id)
    await settle_reversals(billing, checkout.reference)
    return await anyio.to_thread.run_sync(view_sandbox, billing, ViewSandbox())


async def _make(
    billing: Billing,
    command: RefundInSandbox | DisputeInSandbox,
    kind: Literal["refund", "dispute"],
    status: str,
) -> None:
    """Book it at once, as a provider's event would."""
    sandbox = _sandbox(billing)
    checkout = await anyio.to_thread.run_sync(sandbox.checkout, command.payment_id)
    if checkout.tenant_id != billing.tenant.id:
        raise NotFound(f"there is no payment '{command.payment_id}'")
    amount = checkout.amount_minor
    if command.amount is not None:
        amount = to_units(command.amount, _minor(checkout))
    await anyio.to_thread.run_sync(sandbox.add_reversal, checkout, kind, amount, status)
    await settle_reversals(billing, checkout.reference)


def _sandbox(billing: Billing) -> SandboxProvider:
    if billing.tenant.environment == "live":
        raise Forbidden("the sandbox takes no live payments", hint="Use a test key.")
    if isinstance(billing.providers.sandbox, SandboxProvider):
        return billing.providers.sandbox
    raise NotFound("there is no sandbox on this server")


def _shown(checkout: Checkout, reversals: tuple[SandboxReversal, ...]) -> ShownPayment:
    return ShownPayment(
        id=checkout.id,
        reference=checkout.reference,
        amount=_text(checkout, checkout.amount_minor),
        currency=checkout.currency,
        description=checkout.description,
        reversals=[
            ShownReversal(
                id=one.id,
                kind=one.kind,
                status=one.status,
                amount=_text(checkout, one.amount_minor),
                withdrawn=one.kind == "dispute" and one.is_out,
                steps=list(one.steps),
            )
            for one in reversals
        ],
    )


def _text(checkout: Checkout, amount_minor: int) -> str:
    asset = _minor(checkout)
    return f"{from_units(amount_minor, asset):,.{asset.precision}f}"


def _minor(checkout: Checkout) -> Asset:
    """The currency counted in its minor unit."""
    asset = currency(checkout.currency)
    assert asset is not None, "payments are in currencies"
    return asset._replace(scale=asset.precision)
