"""Adjustments and charges: an operator's own credits and debits, through the write lane."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, NamedTuple, Self

import anyio
from pydantic import AfterValidator, Field, model_validator

from credyt_mcp.clock import from_micros, to_micros
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.domain.external_payments import ExternalPayment, ExternalReference
from credyt_mcp.domain.grants import Reason
from credyt_mcp.domain.money import Asset, to_units
from credyt_mcp.domain.transfers import Adjust, Charge, Recorded
from credyt_mcp.errors import InvalidRequest, UnknownReference
from credyt_mcp.storage import assets, wallets
from credyt_mcp.use_cases.context import (
    Amount,
    AmountOrZero,
    Billing,
    Command,
    Moment,
    Result,
    ShortText,
)
from credyt_mcp.use_cases.customers import Metadata
from credyt_mcp.use_cases.subscriptions import CustomerId, customer_of


def _not_zero(value: Decimal) -> Decimal:
    if not value:
        raise ValueError("must not be 0")
    return value


_EXTERNAL = ("provider", "external_reference", "refund_of")

TransactionId = Annotated[
    ShortText,
    Field(description="your id of what happened; repeat it to retry, it counts once"),
]
AccountName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^:/\x00-\x1f]+$")]
AssetCode = Annotated[str, Field(description="currency or asset code")]


class AdjustmentFields(Command):
    transaction_id: TransactionId
    asset: AssetCode
    amount: Annotated[
        Amount, AfterValidator(_not_zero), Field(description="positive credits, negative debits")
    ]
    reason: Reason
    description: Annotated[str | None, Field(max_length=1000)] = None
    effective_at: Annotated[
        Moment | None, Field(description="when the credit can be used, default now")
    ] = None
    expires_at: Annotated[Moment | None, Field(description="default never")] = None
    account_name: AccountName = "default"
    metadata: Metadata | None = None
    provider: Annotated[
        ShortText | None, Field(description="who took the payment, such as paypal")
    ] = None
    external_reference: Annotated[
        ShortText | None, Field(description="their id of it; counts once")
    ] = None
    refund_of: Annotated[
        ShortText | None, Field(description="external_reference a debit refunds")
    ] = None

    @model_validator(mode="after")
    def _told_whole(self) -> Self:
        if (self.provider is None) != (self.external_reference is None):
            raise ValueError("provider and external_reference come together")
        if self.provider is not None and self.reason not in ("external_topup", "external_refund"):
            raise ValueError("provider is for the reasons external_topup and external_refund")
        if self.refund_of is not None and (self.provider is None or self.amount >= 0):
            raise ValueError("refund_of is for debits with a provider and an external_reference")
        return self


class CreateAdjustment(AdjustmentFields):
    """Credit or debit a wallet by hand: a gift, a payment taken elsewhere, a refund."""

    customer_id: CustomerId


class AdjustmentCreated(Result):
    id: str
    created_at: datetime


class ChargeFields(Command):
    transaction_id: TransactionId
    asset: AssetCode
    amount: AmountOrZero
    account_name: AccountName = "default"
    subject: Annotated[str | None, Field(max_length=255)] = None
    description: Annotated[str | None, Field(max_length=1000)] = None
    metadata: Metadata | None = None
    input_units: Amount | None = None
    input_volume: Amount | None = None
    unit_price: Amount | None = None
    volume_rate: Amount | None = None
    package_size: Amount | None = None


class CreateCharge(ChargeFields):
    """Debit a wallet for something that is not usage, in full whatever the balance."""

    customer_id: CustomerId


class ChargeCreated(Result):
    """Nothing is said of a charge but that it was made."""


class Target(NamedTuple):
    """Where a transfer goes, and whether its id is known already."""

    ref: CustomerRef
    account_name: str
    asset: Asset
    known: bool


async def create_adjustment(billing: Billing, command: CreateAdjustment) -> AdjustmentCreated:
    """Raises NotFound (customer), UnknownReference (asset), IdReused, AmountOutOfRange,
    InvalidRequest (dates that make no sense)."""
    target = await anyio.to_thread.run_sync(_checked, billing, command)
    adjust = Adjust(
        ref=target.ref,
        transaction_id=command.transaction_id,
        account_name=target.account_name,
        asset=target.asset,
        amount=to_units(command.amount, target.asset),
        reason=command.reason,
        description=command.description,
        effective_at=None if command.effective_at is None else to_micros(command.effective_at),
        expires_at=None if command.expires_at is None else to_micros(command.expires_at),
        details=command.model_dump(include={"metadata", *_EXTERNAL}, exclude_none=True),
        external=_external(billing, command),
    )
    recorded: Recorded | ExternalPayment = await billing.lane.submit(adjust)
    if isinstance(recorded, ExternalPayment):
        return AdjustmentCreated(
            id=recorded.client_id, created_at=from_micros(recorded.recorded_at)
        )
    return AdjustmentCreated(
        id=command.transaction_id, created_at=from_micros(recorded.transaction.recorded_at)
    )


async def create_charge(billing: Billing, command: CreateCharge) -> ChargeCreated:
    """Billed in full whatever the balance. Raises as `create_adjustment` does."""
    target = await anyio.to_thread.run_sync(_target, billing, command)
    charge = Charge(
        ref=target.ref,
        transaction_id=command.transaction_id,
        account_name=target.account_name,
        asset=target.asset,
        amount=to_units(command.amount, target.asset),
        description=command.description,
        details=command.model_dump(
            include={
                "metadata",
                "subject",
                "input_units",
                "input_volume",
                "unit_price",
                "volume_rate",
                "package_size",
            },
            exclude_none=True,
        ),
    )
    await billing.lane.submit(charge)
    return ChargeCreated()


def _external(billing: Billing, command: CreateAdjustment) -> ExternalReference | None:
    if command.provider is None or command.external_reference is None:
        return None
    return ExternalReference(
        billing.tenant.id, command.provider, command.external_reference, command.refund_of
    )


def _target(billing: Billing, command: CreateAdjustment | CreateCharge) -> Target:
    tenant_id = billing.tenant.id
    with billing.database.read() as session:
        customer = customer_of(session, billing, command.customer_id)
        asset = assets.find(session, tenant_id, command.asset)
        if asset is None:
            raise UnknownReference(
                "asset",
                f"there is no asset '{command.asset}'",
                hint="list_assets (GET /assets) shows what exists beside the currencies.",
            )
        # An account's id is compared without looking at case, so its name must be spelt one way.
        name = next(
            (
                known
                for known, code in wallets.account_keys(session, customer)
                if code == asset.code and known.casefold() == command.account_name.casefold()
            ),
            command.account_name,
        )
        known = wallets.transaction(session, tenant_id, command.transaction_id) is not None
    return Target(CustomerRef(tenant_id, customer.public_id), name, asset, known)


def _checked(billing: Billing, command: CreateAdjustment) -> Target:
    target = _target(billing, command)
    _check_dates(billing, command, target)
    return target


def _check_dates(billing: Billing, command: CreateAdjustment, target: Target) -> None:
    now = billing.now()
    effective_at, expires_at = command.effective_at or now, command.expires_at
    ahead = timedelta(seconds=billing.settings.event_max_ahead_seconds)
    if command.amount < 0 and effective_at > now + ahead:
        raise InvalidRequest("effective_at", "must not be in the future for a debit")
    if command.amount < 0 and expires_at is not None:
        raise InvalidRequest("expires_at", "is for credits; a debit does not expire")
    # A retry may come when the credit it once made has expired: it is still that retry.
    if expires_at is not None and not target.known and expires_at <= max(effective_at, now):
        raise InvalidRequest("expires_at", "must be later than effective_at and than now")
