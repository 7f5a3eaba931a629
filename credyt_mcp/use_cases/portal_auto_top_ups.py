"""Saved cards and automatic top-ups on the customer's billing page, where they are the customer's
own: what is shown, and what the page's forms do. The consent that is recorded is a sentence of ours
with the customer's terms in it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated

import anyio
from pydantic import Field, StrictBool
from sqlmodel import Session

from credyt_mcp.domain.assets import currency
from credyt_mcp.domain.ledger import Account
from credyt_mcp.domain.money import from_units
from credyt_mcp.errors import (
    InvalidRequest,
    Misconfigured,
    NotFound,
    ProviderUnavailable,
    WrongState,
)
from credyt_mcp.storage import auto_top_ups, top_ups
from credyt_mcp.storage.auto_top_up_tables import AutoTopUpRow
from credyt_mcp.use_cases.auto_top_ups import (
    DAILY_COUNT,
    MONTHLY_COUNT,
    AutoTopUp,
    Consent,
    GetAutoTopUp,
    SetAutoTopUp,
    StopAutoTopUp,
    get_auto_top_up,
    set_auto_top_up,
    stop_auto_top_up,
    view,
)
from credyt_mcp.use_cases.billing_portal import Guest, guest_of
from credyt_mcp.use_cases.context import (
    AmountOrZero,
    Billing,
    Command,
    Number,
    PositiveAmount,
    Result,
)
from credyt_mcp.use_cases.payment_methods import (
    AddPaymentMethod,
    PaymentMethod,
    RemovePaymentMethod,
    SetDefaultPaymentMethod,
    card_page,
    cards_of,
    remove_payment_method,
    set_default_payment_method,
    shown,
)

log = logging.getLogger(__name__)

CONSENT_VERSION = "portal-1"
Key = Annotated[str, Field(max_length=200)]


class InPortal(Command):
    key: str


class SetAutoTopUpInPortal(InPortal):
    """`choice` is an account and a currency, see `portal_page.Choice`; `card` empty is the
    default one."""

    choice: Key
    threshold: AmountOrZero
    amount: PositiveAmount
    monthly_limit: PositiveAmount
    card: Key = ""
    agreed: StrictBool = False
    ip: Annotated[str | None, Field(max_length=45)] = None


class StopAutoTopUpInPortal(InPortal):
    account_id: Key


class AddCardInPortal(InPortal):
    """A page where a card is saved without paying."""


class OnCardInPortal(InPortal):
    card: Key


class CardPageInPortal(Result):
    redirect_url: str
    pays_at: list[str]


class Done(Result):
    """Nothing more to say: the page shows it."""


class AutoTopUpLine(Result):
    """`pay_url` is where the customer confirms what the card's bank asks back about."""

    account_id: str
    what: str
    card: str
    status: str
    reason: str | None
    can_stop: bool
    pay_url: str | None


class Automatic(Result):
    """`cards` is None while the provider does not answer."""

    rules: list[AutoTopUpLine]
    cards: list[PaymentMethod] | None
    terms: str
    threshold: Number | None = None
    amount: Number | None = None
    monthly_limit: Number | None = None


async def set_auto_top_up_in_portal(billing: Billing, command: SetAutoTopUpInPortal) -> Done:
    """Raises LinkExpired, InvalidRequest (also without consent), and as `set_auto_top_up`."""
    guest = await anyio.to_thread.run_sync(guest_of, billing, command.key)
    if not command.agreed:
        raise InvalidRequest("agreed", "tick the box to agree, or nothing is charged")
    account_id, _, paid_in = command.choice.rpartition(":")
    asset = account_id.rpartition(":")[2]
    said = (
        f"I agree that {_business(guest)} charges my saved card {command.amount} {paid_in} "
        f"whenever my balance falls below {command.threshold} {asset}, at most {DAILY_COUNT} times "
        f"a day, {MONTHLY_COUNT} times and {command.monthly_limit} {paid_in} a month, until I "
        "switch it off."
    )
    await set_auto_top_up(
        _acting(guest),
        SetAutoTopUp(
            customer_id=guest.customer.public_id,
            account_id=account_id,
            threshold=command.threshold,
            amount=command.amount,
            currency=paid_in,
            monthly_limit=command.monthly_limit,
            payment_method_id=command.card or None,
            consent=Consent(text=said, version=CONSENT_VERSION, ip=command.ip),
        ),
    )
    return Done()


async def stop_auto_top_up_in_portal(billing: Billing, command: StopAutoTopUpInPortal) -> Done:
    """Raises LinkExpired, NotFound, WrongState for one that is frozen: or the customer of a dispute
    could set it anew."""
    guest = await anyio.to_thread.run_sync(guest_of, billing, command.key)
    named = {"customer_id": guest.customer.public_id, "account_id": command.account_id}
    asked = GetAutoTopUp.model_validate(named)
    if (await anyio.to_thread.run_sync(get_auto_top_up, guest.billing, asked)).status == "frozen":
        raise WrongState("automatic top-ups are frozen", hint="Ask the seller about it.")
    stop = StopAutoTopUp.model_validate(named)
    await stop_auto_top_up(_acting(guest), stop)
    return Done()


def add_card_in_portal(billing: Billing, command: AddCardInPortal) -> CardPageInPortal:
    """Raises LinkExpired, ProviderUnavailable."""
    guest = guest_of(billing, command.key)
    page = f"{billing.settings.public_url.rstrip('/')}/portal"
    asked = AddPaymentMethod(
        customer_id=guest.customer.public_id, return_url=page, failure_url=page
    )
    url = card_page(_acting(guest), asked).redirect_url
    return CardPageInPortal(redirect_url=url, pays_at=list(guest.billing.payments.page_origins))


def choose_card_in_portal(billing: Billing, command: OnCardInPortal) -> Done:
    """Make a card the default. Raises LinkExpired, NotFound, ProviderUnavailable."""
    guest = guest_of(billing, command.key)
    customer_id = guest.customer.public_id
    asked = SetDefaultPaymentMethod(customer_id=customer_id, payment_method_id=command.card)
    set_default_payment_method(_acting(guest), asked)
    return Done()


async def remove_card_in_portal(billing: Billing, command: OnCardInPortal) -> Done:
    """Raises LinkExpired, NotFound, ProviderUnavailable."""
    guest = await anyio.to_thread.run_sync(guest_of, billing, command.key)
    customer_id = guest.customer.public_id
    asked = RemovePaymentMethod(customer_id=customer_id, payment_method_id=command.card)
    await remove_payment_method(_acting(guest), asked)
    return Done()


def cards_now(guest: Guest) -> list[PaymentMethod] | None:
    """The customer's cards, or None while the provider does not answer or cannot be used."""
    try:
        return shown(guest.customer, cards_of(guest.billing, guest.customer))
    except (ProviderUnavailable, NotFound, Misconfigured) as error:
        log.warning("the billing page is shown without cards: %s", error.detail)
        return None


def automatic(
    session: Session,
    guest: Guest,
    accounts: Sequence[Account],
    cards: list[PaymentMethod] | None,
) -> Automatic:
    """What the page shows of cards and rules."""
    named = {card.id: f"{card.brand.title()} •••• {card.last4}" for card in cards or ()}
    by_id = {account.id: account for account in accounts}
    rows = [
        row for row in auto_top_ups.of_customer(session, guest.customer) if row.account_id in by_id
    ]
    rules = [(row, view(row, by_id[row.account_id], None)) for row in rows]
    only = rules[0][1] if len(rules) == 1 else None
    return Automatic(
        rules=[_line(session, row, rule, named) for row, rule in rules],
        cards=cards,
        terms=f"I agree that {_business(guest)} charges my saved card this amount whenever my "
        f"balance falls below that, within the maximum and at most {DAILY_COUNT} times a day and "
        f"{MONTHLY_COUNT} times a month, until I switch it off.",
        threshold=only and only.threshold,
        amount=only and only.amount,
        monthly_limit=only and only.monthly_limit,
    )


def _line(
    session: Session, row: AutoTopUpRow, rule: AutoTopUp, cards: dict[str, str]
) -> AutoTopUpLine:
    paid, asset = currency(row.currency), rule.account_id.rpartition(":")[2]
    assert paid is not None
    limit = row.monthly_limit
    cap = "" if limit is None else f", at most {from_units(limit, paid)} {row.currency} a month"
    what = f"{rule.amount} {rule.currency} whenever below {rule.threshold} {asset}{cap}"
    found = top_ups.get(session, row.tenant_id, row.top_up_id) if row.top_up_id else None
    return AutoTopUpLine(
        account_id=rule.account_id,
        what=what,
        card="default card" if row.card is None else cards.get(row.card, "saved card"),
        status=rule.status,
        reason=None if rule.status == "off" else rule.reason,
        can_stop=rule.status in ("active", "action_required"),
        pay_url=found[0].redirect_url if found is not None else None,
    )


def _acting(guest: Guest) -> Billing:
    """Whatever is done is done by the customer, and audited so."""
    return guest.billing.as_tenant(guest.billing.tenant, actor=guest.customer.public_id)


def _business(guest: Guest) -> str:
    name = guest.billing.tenant.account_name
    return "the seller" if name == "default" else name
