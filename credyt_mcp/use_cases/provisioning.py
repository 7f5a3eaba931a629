"""create_wallet: a customer who can be billed, in one call that may be repeated."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import anyio
from pydantic import Field
from sqlmodel import Session

from credyt_mcp.domain.book import CustomerRef
from credyt_mcp.domain.money import Asset, from_units, to_units
from credyt_mcp.domain.transfers import Adjust
from credyt_mcp.errors import Conflict, IdReused, InvalidRequest, UnknownReference
from credyt_mcp.storage import assets, customers, wallets
from credyt_mcp.storage.tables import CustomerRow
from credyt_mcp.use_cases.context import (
    Billing,
    Command,
    Number,
    PositiveAmount,
    Result,
    ShortText,
)
from credyt_mcp.use_cases.customers import CreateCustomer, Email, ExternalId, add_customer
from credyt_mcp.use_cases.limits import LimitFields
from credyt_mcp.use_cases.limits import apply as apply_limits
from credyt_mcp.use_cases.return_urls import check_return_url
from credyt_mcp.use_cases.subscribing import Start, Terms, Wanted, not_yet, subscribe
from credyt_mcp.use_cases.subscriptions import Subscription, begin, of_customer
from credyt_mcp.use_cases.wallets import account_of, accounts_now


class StartingCredit(Command):
    asset: Annotated[str, Field(description="such as USD or credits")]
    amount: PositiveAmount


class AssetLimits(LimitFields):
    asset: Annotated[str, Field(description="such as USD or credits")]


class CreateWallet(Command):
    """A customer with a prepaid wallet: found by external_id or created, subscribed to the
    products, given the starting credit once. Calling it again changes nothing."""

    external_id: ExternalId
    name: Annotated[ShortText | None, Field(description="default external_id")] = None
    email: Email | None = None
    products: Annotated[
        list[ShortText], Field(max_length=50, description="codes of published products")
    ] = Field(default_factory=list)
    return_url: Annotated[
        str | None, Field(description="where paying a product's fee leads back to")
    ] = None
    starting_credit: Annotated[
        StartingCredit | list[StartingCredit] | None,
        Field(description="free credit"),
    ] = None
    limits: Annotated[
        AssetLimits | list[AssetLimits] | None,
        Field(description='[{"asset":"USD","hard_limit":true}], as in set_wallet_limits'),
    ] = None


class WalletCreated(Result):
    """`notes` says what was asked for and not done, because it stood differently already."""

    customer_id: str
    external_id: str
    created: bool
    subscriptions: list[Subscription]
    balances: dict[str, Number]
    notes: list[str]


class Credit(NamedTuple):
    asset: Asset
    units: int


class Opened(NamedTuple):
    """The customer as found or made, and what is still to be credited."""

    customer: CustomerRow
    created: bool
    gifts: list[Credit]
    notes: list[str]


async def create_wallet(billing: Billing, command: CreateWallet) -> WalletCreated:
    """Raises UnknownReference (product, asset), InvalidRequest (a product that cannot be
    subscribed to), AmountOutOfRange, Forbidden (credit or limits without the scope `money`); in
    each case nothing is written."""
    if command.starting_credit or command.limits:
        billing.require("money")
    opened = await anyio.to_thread.run_sync(_open, billing, command)
    notes = list(opened.notes)
    await begin(billing, opened.customer)
    for credit in opened.gifts:
        try:
            await billing.lane.submit(_gift(billing, opened.customer.public_id, credit))
        except IdReused:
            notes.append(
                f"Starting credit in {credit.asset.code} was given before with another amount, "
                "which stands; create_adjustment adds more."
            )
    return await anyio.to_thread.run_sync(_result, billing, opened, command, notes)


def _open(billing: Billing, command: CreateWallet) -> Opened:
    try:
        return _find_or_create(billing, command)
    except Conflict:
        # Somebody created the customer between our look and our insert: now they are found.
        return _find_or_create(billing, command)


def _find_or_create(billing: Billing, command: CreateWallet) -> Opened:
    wanted = [
        Wanted(name, "default", f"products[{index}]") for index, name in enumerate(command.products)
    ]
    with billing.database.write() as session:
        gifts = _gifts(session, billing.tenant.id, command)
        row = customers.find(session, billing.tenant.id, command.external_id, lock=True)
        created = row is None
        if row is None:
            fields = {"name": command.name or command.external_id, "email": command.email}
            row = add_customer(
                session, billing, CreateCustomer(external_id=command.external_id, **fields)
            )
        missing = not_yet(session, row, wanted)
        if missing:
            check_return_url(billing, command.return_url, "return_url")
            terms = Terms(Start(billing.now(), "products"), return_url=command.return_url)
            subscribe(session, billing, row, missing, terms)
        _limit(session, billing, row, command)
        return Opened(row, created, gifts, _differences(row, command))


def _limit(session: Session, billing: Billing, row: CustomerRow, command: CreateWallet) -> None:
    """Set the limits that are asked for, in the default account of each asset."""
    given = command.limits or []
    listed = [given] if isinstance(given, AssetLimits) else given
    for index, item in enumerate(listed):
        asset = assets.find(session, billing.tenant.id, item.asset)
        if asset is None:
            raise UnknownReference(f"limits[{index}].asset", f"there is no asset '{item.asset}'")
        wallets.open_accounts(session, row, [("default", asset.code)], billing.now())
        session.flush()
        account = account_of(session, billing, row, f"default:{asset.code}")
        apply_limits(session, billing, account, item)


def _gifts(session: Session, tenant_id: int, command: CreateWallet) -> list[Credit]:
    given = command.starting_credit or []
    listed = [given] if isinstance(given, StartingCredit) else given
    gifts: list[Credit] = []
    for index, item in enumerate(listed):
        path = f"starting_credit[{index}]" if listed is given else "starting_credit"
        asset = assets.find(session, tenant_id, item.asset)
        if asset is None:
            raise UnknownReference(
                f"{path}.asset", f"there is no asset '{item.asset}'; create_asset makes one"
            )
        if any(credit.asset == asset for credit in gifts):
            raise InvalidRequest(f"{path}.asset", f"'{asset.code}' is listed twice")
        gifts.append(Credit(asset, to_units(item.amount, asset, f"{path}.amount")))
    return gifts


def _differences(row: CustomerRow, command: CreateWallet) -> list[str]:
    """What the caller said of a known customer that is not so."""
    return [
        f"The customer's {field} is '{known}' and stays so."
        for field, known, given in (
            ("name", row.name, command.name),
            ("email", row.email, command.email),
        )
        if given is not None and given != known
    ]


def _gift(billing: Billing, customer_id: str, credit: Credit) -> Adjust:
    """Its id follows from customer and asset, so that a second one is a repeat."""
    return Adjust(
        ref=CustomerRef(billing.tenant.id, customer_id),
        transaction_id=f"starting-credit:{customer_id}:{credit.asset.code}",
        account_name="default",
        asset=credit.asset,
        amount=credit.units,
        reason="gift",
        description="Starting credit",
        effective_at=None,
        expires_at=None,
    )


def _result(
    billing: Billing, opened: Opened, command: CreateWallet, notes: list[str]
) -> WalletCreated:
    with billing.database.read() as session:
        row = opened.customer
        return WalletCreated(
            customer_id=opened.customer.public_id,
            external_id=command.external_id,
            created=opened.created,
            subscriptions=of_customer(session, row),
            balances={
                account.label: from_units(account.available, account.asset)
                for account in accounts_now(session, billing, row)
            },
            notes=notes,
        )
