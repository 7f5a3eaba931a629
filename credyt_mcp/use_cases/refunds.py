"""Refunds of top-ups: what could go back, and sending it back; with the lists of refunds and
disputes. The wallet is debited first, then the provider is asked."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Annotated, Any, Literal

import anyio
from pydantic import Field
from sqlmodel import Session

from credyt_mcp.clock import to_micros
from credyt_mcp.domain import refunds as decided
from credyt_mcp.domain.assets import currency, minor_amount
from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.domain.money import Asset, from_units, to_units
from credyt_mcp.domain.reversals import Bought, Room, room
from credyt_mcp.domain.wallets import as_of
from credyt_mcp.errors import CredytError, NotFound, ProviderUnavailable, WrongState
from credyt_mcp.ids import new_id
from credyt_mcp.storage import assets, customers, reversals, top_ups, wallets
from credyt_mcp.storage.reversals import Listed, Wanted
from credyt_mcp.storage.top_ups import Found
from credyt_mcp.use_cases.context import (
    AmountOrZero,
    Billing,
    Command,
    Number,
    PageOf,
    PositiveAmount,
    Result,
    ShortText,
)
from credyt_mcp.use_cases.reversals import (
    ask_for_refund,
    bought_by,
    first_poll,
    settle_reversals,
)
from credyt_mcp.use_cases.settling import settle_payment

log = logging.getLogger(__name__)


class QuoteRefund(Command):
    """What of a top-up is unspent and can be refunded."""

    top_up_id: str


class RefundQuote(Result):
    """`refundable` of the payment would take `credit` from the wallet; `left` is what was paid and
    not refunded, spent or not."""

    top_up_id: str
    paid: Number
    currency: str
    refunded: Number
    disputed: Number
    left: Number
    refundable: Number
    asset: str
    credit: Number


class RefundFields(Command):
    quoted: Annotated[AmountOrZero, Field(description="`refundable` of the quote")]
    amount: Annotated[PositiveAmount | None, Field(description="if only a part")] = None
    include_spent: Annotated[
        bool, Field(description="let amount exceed quoted, the balance go negative")
    ] = False
    refund_id: Annotated[ShortText | None, Field(description="your id; repeat it to retry")] = None
    reason: str | None = Field(default=None, max_length=500)


class RefundTopUp(RefundFields):
    """Pay a top-up's unspent money back and take its credit. First show a person quote_refund's
    `refundable` and have it confirmed."""

    top_up_id: str


class Refund(Result):
    """`credit` was taken from the wallet; a failed refund's has come back."""

    id: str
    top_up_id: str
    customer_id: str
    status: str
    amount: Number
    currency: str
    asset: str
    credit: Number
    origin: str
    reason: str | None = None
    created_at: datetime
    settled_at: datetime | None = None


class Dispute(Result):
    """While open, `frozen` credit is set aside; `credit` was taken when the money was withdrawn."""

    id: str
    top_up_id: str
    customer_id: str
    status: str
    funds_withdrawn: bool
    amount: Number
    currency: str
    asset: str
    frozen: Number
    credit: Number
    reason: str | None = None
    created_at: datetime
    closed_at: datetime | None = None


class ListRefunds(PageOf):
    top_up_id: str | None = None
    customer_id: str | None = None
    status: Literal["pending", "succeeded", "failed"] | None = None


class ListDisputes(PageOf):
    top_up_id: str | None = None
    customer_id: str | None = None
    status: Literal["inquiry", "open", "won", "lost", "closed"] | None = None


class RefundPage(Result):
    items: list[Refund]
    total_count: int
    limit: int
    offset: int


class DisputePage(Result):
    items: list[Dispute]
    total_count: int
    limit: int
    offset: int


async def quote_refund(billing: Billing, command: QuoteRefund) -> RefundQuote:
    """What the provider knows more than we do is booked first; while it does not answer, what we
    know is told. Raises NotFound, WrongState for a top-up that was not paid."""
    found = await anyio.to_thread.run_sync(_found, billing, command.top_up_id)
    try:
        await _catch_up(billing, found)
    except (ProviderUnavailable, NotFound) as error:
        log.warning("top-up %s is quoted as it was known: %s", command.top_up_id, error.detail)
    bought = await anyio.to_thread.run_sync(_bought, billing, found)
    return await anyio.to_thread.run_sync(_quote, billing, found, bought)


async def refund_top_up(billing: Billing, command: RefundTopUp) -> Refund:
    """Debit the wallet and have the provider pay the money back; without `amount`, all that was
    quoted. While the provider does not answer the refund is `pending` and goes on by itself.

    Raises NotFound, WrongState (not paid), QuoteOutdated, AmountOutOfRange (more than is unspent
    or, with `include_spent`, than was paid), IdReused, ProviderUnavailable (nothing was done).
    """
    found = await anyio.to_thread.run_sync(_found, billing, command.top_up_id)
    await _catch_up(billing, found)
    bought = await anyio.to_thread.run_sync(_bought, billing, found)
    paid = _currency(found)
    quoted = to_units(command.quoted, paid, "quoted")
    amount = quoted if command.amount is None else to_units(command.amount, paid)
    if not minor_amount(amount, paid):
        raise WrongState(
            f"nothing of top-up '{command.top_up_id}' is unspent",
            hint="quote_refund says what is left; include_spent with an amount refunds more.",
        )
    public_id = new_id("rfd")
    requested: decided.Requested = await billing.lane.submit(
        decided.RefundTopUp(
            ref=CustomerRef(billing.tenant.id, found.customer.public_id),
            bought=bought,
            refund_id=public_id,
            client_id=command.refund_id or public_id,
            provider=found.top_up.provider,
            amount=amount,
            quoted=quoted,
            include_spent=command.include_spent,
            reason=command.reason,
            next_poll_at=first_poll(billing),
        )
    )
    if not requested.repeated:
        await _ask(billing, found, public_id, amount)
    return await anyio.to_thread.run_sync(_shown, billing, requested.reversal.public_id)


def list_refunds(billing: Billing, command: ListRefunds) -> RefundPage:
    """Refunds, newest first, also those that were made in the payment provider's dashboard."""
    with billing.database.read() as session:
        found, total = _page(session, billing, "refund", command)
        items = [_refund(session, one) for one in found]
    return RefundPage(items=items, total_count=total, limit=command.limit, offset=command.offset)


def list_disputes(billing: Billing, command: ListDisputes) -> DisputePage:
    """Disputes of payments, newest first."""
    with billing.database.read() as session:
        found, total = _page(session, billing, "dispute", command)
        items = [_dispute(session, one) for one in found]
    return DisputePage(items=items, total_count=total, limit=command.limit, offset=command.offset)


async def _catch_up(billing: Billing, found: Found) -> None:
    """Bring the top-up, its refunds and its disputes to what the provider says."""
    if found.top_up.status in ("initiated", "pending"):
        await settle_payment(billing, found.top_up.public_id)
    await settle_reversals(billing, found.top_up.public_id)


async def _ask(billing: Billing, found: Found, refund_id: str, amount: int) -> None:
    """What fails here in an unknown way is asked for again by the poller."""
    try:
        await ask_for_refund(billing, found, refund_id, amount)
    except CredytError as error:
        log.warning("refund %s waits: %s", refund_id, error)


def _found(billing: Billing, top_up_id: str) -> Found:
    with billing.database.read() as session:
        found = top_ups.find(session, top_up_id, billing.tenant.id)
        session.expunge_all()
    if found is None:
        raise NotFound(f"there is no top-up '{top_up_id}'")
    return found


def _bought(billing: Billing, found: Found) -> Bought:
    bought = bought_by(billing, found)
    if bought is None:
        raise WrongState(f"top-up '{found.top_up.public_id}' was not paid: nothing can go back")
    return bought


def _quote(billing: Billing, found: Found, bought: Bought) -> RefundQuote:
    row, paid, now = found.top_up, _currency(found), billing.now()
    with billing.database.read() as session:
        known = reversals.of_top_up(session, row)
        customer = customers.find(session, row.tenant_id, found.customer.public_id)
        assert customer is not None, "customers are never removed"
        accounts = as_of(wallets.load(session, customer, now), to_micros(now))
    label = f"{bought.account_name}:{bought.asset.code}"
    account = next(one for one in accounts if one.label == label)
    left: Room = room(row.amount, paid, bought, known, account)
    out = [one for one in known if one.is_out]
    refunded = sum(one.amount for one in out if one.kind == "refund")
    disputed = sum(one.amount for one in known if one.frozen or one.is_out) - refunded
    return RefundQuote(
        top_up_id=row.public_id,
        paid=from_units(row.amount, paid),
        currency=row.currency,
        refunded=from_units(refunded, paid),
        disputed=from_units(disputed, paid),
        left=from_units(left.left, paid),
        refundable=from_units(left.refundable, paid),
        asset=bought.asset.code,
        credit=from_units(left.credit, bought.asset),
    )


def _page(
    session: Session, billing: Billing, kind: str, command: ListRefunds | ListDisputes
) -> tuple[list[Listed], int]:
    wanted = Wanted(kind, **command.model_dump(include={"top_up_id", "customer_id", "status"}))
    return reversals.page(session, billing.tenant.id, wanted, command.offset, command.limit)


def _shown(billing: Billing, refund_id: str) -> Refund:
    with billing.database.read() as session:
        found = reversals.get(session, billing.tenant.id, refund_id)
        assert found is not None, "refunds are never removed"
        return _refund(session, found)


def _refund(session: Session, found: Listed) -> Refund:
    row = found.reversal
    return Refund(**_both(session, found, row.credit), origin=row.origin, settled_at=row.settled_at)


def _dispute(session: Session, found: Listed) -> Dispute:
    row = found.reversal
    asset = _asset(session, found)
    return Dispute(
        **_both(session, found, row.credit),
        funds_withdrawn=bool(row.is_out),
        frozen=from_units(row.frozen, asset),
        closed_at=row.settled_at,
    )


def _both(session: Session, found: Listed, credit: int) -> dict[str, Any]:
    row, asset, paid = found.reversal, _asset(session, found), currency(found.top_up.currency)
    assert paid is not None, "payments are in currencies"
    return {
        "id": row.public_id,
        "top_up_id": row.top_up_id,
        "customer_id": found.customer.public_id,
        "status": row.status,
        "amount": from_units(row.amount, paid),
        "currency": paid.code,
        "asset": asset.code,
        "credit": from_units(credit, asset),
        "reason": row.reason,
        "created_at": row.created_at,
    }


def _asset(session: Session, found: Listed) -> Asset:
    asset = assets.find(session, found.top_up.tenant_id, found.top_up.asset)
    assert asset is not None, "assets are never removed"
    return asset


def _currency(found: Found) -> Asset:
    paid = currency(found.top_up.currency)
    assert paid is not None, "payments are in currencies"
    return paid
