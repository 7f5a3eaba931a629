"""Automatic top-ups of a wallet account: switch on with the customer's consent, look, switch off.

The rule's terms are written under the customer's lock; from then on it acts in the write lane, see
`domain.auto_top_ups`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import anyio
from pydantic import Field
from sqlmodel import Session

from credyt_mcp.domain.assets import convert, currency, is_currency, minor_amount
from credyt_mcp.domain.auto_top_ups import SAID, CheckAutoTopUps
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.domain.declines import decline
from credyt_mcp.domain.ledger import Account
from credyt_mcp.domain.money import Asset, from_units, to_units
from credyt_mcp.errors import InvalidRequest, NotFound, UnknownReference, WrongState
from credyt_mcp.storage import auto_top_ups, customers, reversals
from credyt_mcp.storage.auto_top_up_tables import AutoChargeRow, AutoTopUpRow
from credyt_mcp.storage.tables import CustomerRow
from credyt_mcp.use_cases.context import (
    AmountOrZero,
    Billing,
    Command,
    Moment,
    Number,
    PositiveAmount,
    Result,
)
from credyt_mcp.use_cases.payment_methods import cards_of
from credyt_mcp.use_cases.return_urls import check_can_take_payments
from credyt_mcp.use_cases.subscriptions import CustomerId, customer_of
from credyt_mcp.use_cases.top_ups import rate_in_force
from credyt_mcp.use_cases.wallets import account_of

DAILY_COUNT, MONTHLY_COUNT = 5, 30
"""Caps where none are given: a mistake must not empty somebody's bank account."""

Count = Annotated[int, Field(ge=1, le=1000)]


class Consent(Command):
    """What the customer agreed to: the sentence they saw, and when."""

    text: Annotated[str, Field(min_length=1, max_length=2000)]
    version: Annotated[str | None, Field(max_length=100, description="of your terms")] = None
    given_at: Moment | None = None
    ip: Annotated[str | None, Field(max_length=45)] = None


class AutoTopUpFields(Command):
    threshold: Annotated[AmountOrZero, Field(description="in the account's asset")]
    amount: Annotated[PositiveAmount, Field(description="what is charged each time")]
    currency: Annotated[
        str | None, Field(description="of the charge; default the account's, else USD")
    ] = None
    payment_method_id: Annotated[
        str | None, Field(max_length=255, description="default: the customer's default card")
    ] = None
    daily_count: Annotated[Count, Field(description="at most so many a UTC day")] = DAILY_COUNT
    monthly_count: Count = MONTHLY_COUNT
    daily_limit: Annotated[
        PositiveAmount | None, Field(description="at most so much a UTC day, in currency")
    ] = None
    monthly_limit: PositiveAmount | None = None
    consent: Consent


class SetAutoTopUp(AutoTopUpFields):
    """Charge a saved card whenever what is available falls below the threshold. The customer must
    have agreed to exactly these terms; give the sentence they saw. Replaces an earlier rule."""

    customer_id: CustomerId
    account_id: str


class GetAutoTopUp(Command):
    """The rule of an account, whether it works, and what became of its last charge."""

    customer_id: CustomerId
    account_id: str


class StopAutoTopUp(Command):
    """Switch automatic top-ups of an account off. A charge under way may still arrive."""

    customer_id: CustomerId
    account_id: str


class LastCharge(Result):
    """`hint` tells the operator what to do about the `reason`."""

    top_up_id: str
    status: str
    amount: Number
    currency: str
    attempts: int
    code: str | None = None
    reason: str | None = None
    hint: str | None = None
    next_attempt_at: datetime | None = None
    threshold: Number
    available: Annotated[Number, Field(description="what was left when it began")]
    created_at: datetime


class GivenConsent(Result):
    text: str
    version: str | None = None
    given_at: datetime
    ip: str | None = None
    recorded_by: str


class AutoTopUp(Result):
    account_id: str
    status: Annotated[str, Field(description="active, action_required, off or frozen")]
    reason: str | None = None
    hint: str | None = None
    threshold: Number
    amount: Number
    currency: str
    payment_method_id: str | None = None
    daily_count: int | None = None
    monthly_count: int | None = None
    daily_limit: Number | None = None
    monthly_limit: Number | None = None
    consent: GivenConsent
    top_up_id: Annotated[str | None, Field(description="the top-up under way")] = None
    capped_until: datetime | None = None
    last_charge: LastCharge | None = None
    updated_at: datetime


async def set_auto_top_up(billing: Billing, command: SetAutoTopUp) -> AutoTopUp:
    """Raises NotFound (customer, account), InvalidRequest (no saved card, no rate),
    UnknownReference (currency), AmountOutOfRange, WrongState while frozen, ProviderUnavailable."""
    customer = await anyio.to_thread.run_sync(_set, billing, command)
    return await _checked(billing, customer, command.account_id)


async def stop_auto_top_up(billing: Billing, command: StopAutoTopUp) -> AutoTopUp:
    """Raises NotFound (customer, account, rule)."""
    customer = await anyio.to_thread.run_sync(_stop, billing, command)
    return await _checked(billing, customer, command.account_id)


def get_auto_top_up(billing: Billing, command: GetAutoTopUp) -> AutoTopUp:
    """Raises NotFound (customer, account, rule)."""
    with billing.database.read() as session:
        customer = customer_of(session, billing, command.customer_id)
        account = account_of(session, billing, customer, command.account_id)
        assert account.id is not None
        return view(_rule(session, account), account, auto_top_ups.last_charge(session, account.id))


async def _checked(billing: Billing, customer: CustomerRow, account_id: str) -> AutoTopUp:
    """The rule once it acts: an account that is low already is topped up."""
    ref = CustomerRef(customer.tenant_id, customer.public_id)
    await billing.lane.submit(CheckAutoTopUps(ref))
    looked = GetAutoTopUp(customer_id=customer.public_id, account_id=account_id)
    return await anyio.to_thread.run_sync(get_auto_top_up, billing, looked)


def _set(billing: Billing, command: SetAutoTopUp) -> CustomerRow:
    check_can_take_payments(billing, "currency")
    with billing.database.read() as session:
        customer = customer_of(session, billing, command.customer_id)
        account = account_of(session, billing, customer, command.account_id)
        terms = _terms(session, billing, account, command)
    _must_have_card(billing, customer, command.payment_method_id)
    with billing.database.write() as session:
        customers.find(session, billing.tenant.id, customer.public_id, lock=True)
        assert account.id is not None
        row, now = auto_top_ups.get(session, account.id), billing.now()
        disputed = reversals.has_open_dispute(session, billing.tenant.id, customer.id)
        if disputed or (row is not None and row.status == "frozen"):
            raise WrongState(
                "automatic top-ups are frozen: a payment is or was disputed",
                hint="Wait until the dispute is decided. After a lost one, switch them off first.",
            )
        terms |= {"consent": _consent(command.consent, billing.actor, now)}
        row = row or auto_top_ups.new(customer, account.id, now)
        auto_top_ups.change(session, row, terms, billing.actor, now)
    return customer


def _terms(
    session: Session, billing: Billing, account: Account, given: SetAutoTopUp
) -> dict[str, Any]:
    """The rule's columns. Raises what could not be charged or credited later."""
    own = account.asset.code if is_currency(account.asset.code) else "USD"
    paid = currency(given.currency or own)
    if paid is None:
        raise UnknownReference("currency", f"'{given.currency}' is not a currency code")
    amount = to_units(given.amount, paid)
    minor_amount(amount, paid)
    if paid != account.asset:
        now, tenant_id = billing.now(), billing.tenant.id
        rate = rate_in_force(session, tenant_id, account.asset, paid, now)
        if rate is None:
            raise InvalidRequest(
                "currency",
                f"'{account.asset.code}' has no {paid.code} rate in force",
                hint="Add one with add_asset_rate, or choose another currency.",
            )
        convert(amount, paid, account.asset, rate)
    limits = {
        name: None if limit is None else to_units(limit, paid, name)
        for name, limit in (
            ("daily_limit", given.daily_limit),
            ("monthly_limit", given.monthly_limit),
        )
    }
    for name, units in limits.items():
        if units is not None and units < amount:
            raise InvalidRequest(name, "is less than one top-up")
    return {
        "status": "active",
        "reason": None,
        "threshold": to_units(given.threshold, account.asset, "threshold"),
        "amount": amount,
        "currency": paid.code,
        "provider": billing.payments.name,
        "card": given.payment_method_id,
        "daily_count": given.daily_count,
        "monthly_count": given.monthly_count,
        **limits,
    }


def _must_have_card(billing: Billing, customer: CustomerRow, card: str | None) -> None:
    known = [one.id for one in cards_of(billing, customer)]
    if not known:
        raise InvalidRequest(
            "payment_method_id",
            "the customer has no saved card",
            hint="Save one first: POST /customers/{id}/payment-methods makes a page for it.",
        )
    if card is not None and card not in known:
        raise UnknownReference("payment_method_id", f"the customer has no saved card '{card}'")


def _consent(given: Consent, actor: str, now: datetime) -> dict[str, Any]:
    return {
        "text": given.text,
        "version": given.version,
        "given_at": given.given_at or now,
        "ip": given.ip,
        "recorded_by": actor,
    }


def _stop(billing: Billing, command: StopAutoTopUp) -> CustomerRow:
    with billing.database.write() as session:
        found = customer_of(session, billing, command.customer_id)
        customer = customers.find(session, billing.tenant.id, found.public_id, lock=True)
        assert customer is not None
        row = _rule(session, account_of(session, billing, customer, command.account_id))
        if row.status != "off":
            off = {"status": "off", "reason": "switched_off"}
            auto_top_ups.change(session, row, off, billing.actor, billing.now())
    return customer


def _rule(session: Session, account: Account) -> AutoTopUpRow:
    assert account.id is not None
    row = auto_top_ups.get(session, account.id)
    if row is None:
        raise NotFound(
            f"the account '{account.label}' has no automatic top-up",
            hint="PUT one, with the customer's consent.",
        )
    return row


def view(row: AutoTopUpRow, account: Account, last: AutoChargeRow | None) -> AutoTopUp:
    """A rule with its last charge, for whoever asks about the account."""
    paid = _asset(row.currency)
    reason, hint = _why(row.reason)
    if row.status == "frozen":
        reason, hint = row.reason, "Settle what froze it; it goes on once that is won or closed."
    return AutoTopUp(
        account_id=account.label,
        status=row.status,
        reason=reason,
        hint=hint,
        threshold=from_units(row.threshold, account.asset),
        amount=from_units(row.amount, paid),
        currency=row.currency,
        payment_method_id=row.card,
        daily_count=row.daily_count,
        monthly_count=row.monthly_count,
        daily_limit=None if row.daily_limit is None else from_units(row.daily_limit, paid),
        monthly_limit=None if row.monthly_limit is None else from_units(row.monthly_limit, paid),
        consent=GivenConsent(**row.consent),
        top_up_id=row.top_up_id,
        capped_until=row.check_at if row.reason == "cap_reached" else None,
        last_charge=None if last is None else _last(last),
        updated_at=row.updated_at,
    )


def _last(row: AutoChargeRow) -> LastCharge:
    reason, hint = _why(row.code)
    return LastCharge(
        **row.occasion,
        top_up_id=row.top_up_id,
        status=row.status,
        amount=from_units(row.amount, _asset(row.currency)),
        currency=row.currency,
        attempts=row.attempt,
        code=row.code,
        reason=reason,
        hint=hint,
        next_attempt_at=row.next_attempt_at,
        created_at=row.created_at,
    )


def _why(code: str | None) -> tuple[str | None, str | None]:
    """A reason in words, and what to do about it."""
    if code is None:
        return None, None
    if code in SAID:
        return SAID[code], None
    meaning = decline(code)
    return meaning.says, meaning.hint


def _asset(code: str) -> Asset:
    known = currency(code)
    assert known is not None, "a provider takes currencies only"
    return known
