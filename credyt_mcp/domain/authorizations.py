"""Authorizations: money held before usage, then captured, released, or expired. Pure.

A hold never takes what is available below the account's overdraft limit. It ends exactly once;
asking again for the end it had answers the same, asking for another is a conflict. Like
`transfers`, each request is a command that decides on a book.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from credyt_mcp import ids
from credyt_mcp.domain.book import Authorization, Book, Customer, CustomerRef, Leg
from credyt_mcp.domain.budgets import Who, count_hold, fee_items, held_items, must_fit, spend
from credyt_mcp.domain.earnings import earn, worth
from credyt_mcp.domain.fees import estimate
from credyt_mcp.domain.holds import Authorized, begin_capture, end_capture, hold, must_be_open
from credyt_mcp.domain.ledger import Account, Transaction, move
from credyt_mcp.domain.money import Asset, to_units
from credyt_mcp.domain.usage import UsageEvent
from credyt_mcp.errors import IdReused, InvalidRequest, NotFound, WrongState


@dataclass(frozen=True)
class Authorize:
    """Hold an explicit amount (`account_name`, `asset`, `amount` units) or, with `event`, what the
    event would cost now. `request` is what the caller asked, to tell a repeat from a conflict;
    `costs` are what the work is estimated to cost the tenant, in units by currency."""

    ref: CustomerRef
    id: str
    request: dict[str, Any]
    lasts: int
    subject: str | None
    metadata: dict[str, str] | None
    event: UsageEvent | None = None
    account_name: str = "default"
    asset: Asset | None = None
    amount: int = 0
    user_id: str | None = None
    costs: dict[str, int] = field(default_factory=dict)

    @property
    def spenders(self) -> list[tuple[str | None, str | None]]:
        return [(self.user_id, self.subject)]

    @property
    def keys(self) -> list[tuple[int, bytes]]:
        return []

    @property
    def authorization_keys(self) -> list[tuple[int, bytes]]:
        return [(self.ref.tenant_id, ids.client_key(self.id))]

    @property
    def priced_events(self) -> tuple[UsageEvent, ...]:
        return () if self.event is None else (self.event,)

    def decide(self, book: Book) -> Authorized:
        customer = book.customer(self.ref)
        known = book.authorizations.get(self.authorization_keys[0])
        if known is not None:
            if (known.customer_id, known.request) != (customer.id, self.request):
                raise IdReused(f"authorization id '{self.id}' was already used for another request")
            return Authorized(known, customer, repeated=True)
        needs, warnings = self._needs(book, customer)
        authorization = Authorization(
            tenant_id=customer.tenant_id,
            key=ids.client_key(self.id),
            client_id=self.id,
            customer_id=customer.id,
            status="open",
            legs=[Leg(account, units, units) for account, units in needs.items()],
            request=self.request,
            subject=self.subject,
            metadata=self.metadata,
            expires_at=book.now + self.lasts,
            created_at=book.now,
            user_id=self.user_id,
            costs=self.costs,
        )
        must_fit(book, Who.of(authorization), held_items(authorization))
        for account, units in needs.items():
            hold(book, account, units)
        book.add_authorization(authorization)
        count_hold(book, authorization)
        return Authorized(authorization, customer, warnings=warnings)

    def _needs(self, book: Book, customer: Customer) -> tuple[dict[Account, int], list[str]]:
        if self.event is not None:
            return estimate(book, customer, self.event)
        assert self.asset is not None
        return {book.wallet_account(customer, self.account_name, self.asset): self.amount}, []


@dataclass(frozen=True)
class _OnAuthorization:
    """A command on an authorization that exists, found by the caller's id for it."""

    tenant_id: int
    id: str

    @property
    def ref(self) -> CustomerRef:
        return CustomerRef(self.tenant_id, None, None, authorization_id=self.id)

    @property
    def keys(self) -> list[tuple[int, bytes]]:
        return []

    @property
    def authorization_keys(self) -> list[tuple[int, bytes]]:
        return [(self.tenant_id, ids.client_key(self.id))]

    def found(self, book: Book) -> tuple[Authorization, Customer]:
        authorization = book.authorizations.get(self.authorization_keys[0])
        customer = book.customers.get(self.ref)
        if customer is None and authorization is not None:
            # Made a moment ago in this very batch, whose customers were looked up before.
            others = book.customers.values()
            customer = next((one for one in others if one.id == authorization.customer_id), None)
        if authorization is None or customer is None:
            raise NotFound(f"there is no authorization '{self.id}'")
        return authorization, customer


@dataclass(frozen=True)
class Extend(_OnAuthorization):
    """Hold `amount` of its asset more and/or last `lasts` microseconds from now. With
    `extension_id` a repeat changes nothing."""

    amount: Decimal | None = None
    lasts: int | None = None
    extension_id: str | None = None

    def decide(self, book: Book) -> Authorized:
        authorization, customer = self.found(book)
        units = _units(self.amount, authorization)
        asked = [units, self.lasts]
        if self.extension_id is not None and self.extension_id in authorization.extensions:
            if authorization.extensions[self.extension_id] != asked:
                raise IdReused(f"extension id '{self.extension_id}' was used for another extension")
            return Authorized(authorization, customer, repeated=True)
        if authorization.status != "open":
            raise must_be_open(authorization, "extended")
        book.touch(authorization)
        if units:
            first, *others = authorization.legs
            more = fee_items([(first.account.asset.code, units)], book.now)
            must_fit(book, Who.of(authorization), more)
            hold(book, first.account, units)
            count_hold(book, authorization, -1)
            grown = first._replace(authorized=first.authorized + units, held=first.held + units)
            authorization.legs = [grown, *others]
            count_hold(book, authorization)
        if self.lasts is not None:
            authorization.expires_at = max(authorization.expires_at, book.now + self.lasts)
        if self.extension_id is not None:
            authorization.extensions = {**authorization.extensions, self.extension_id: asked}
        return Authorized(authorization, customer)


@dataclass(frozen=True)
class Release(_OnAuthorization):
    """Give the money back."""

    def decide(self, book: Book) -> Authorized:
        authorization, customer = self.found(book)
        if authorization.status in ("released", "expired"):
            return Authorized(authorization, customer, repeated=True)
        if authorization.status != "open":
            raise must_be_open(authorization, "released")
        book.close_authorization(authorization, "released")
        return Authorized(authorization, customer)


@dataclass(frozen=True)
class CaptureAmount(_OnAuthorization):
    """Bill `amount` of the held asset; with `final` the rest is given back.

    `transaction_id` names the debit, so that a repeat is known; it may be left out once, for the
    final capture.
    """

    amount: Decimal | None = None
    final: bool = True
    transaction_id: str | None = None

    @property
    def keys(self) -> list[tuple[int, bytes]]:
        return [(self.tenant_id, ids.client_key(self._client_id))]

    @property
    def _client_id(self) -> str:
        return self.transaction_id or f"capture:{self.id}"

    def decide(self, book: Book) -> Authorized:
        authorization, customer = self.found(book)
        units = _units(self.amount, authorization)
        known = book.transactions.get(self.keys[0])
        if known is not None:
            asked = {"authorization_id": self.id, "final": self.final}
            same = {name: known.details.get(name) for name in asked} == asked
            if not same or known.amount != units:
                raise IdReused("this capture was already made with another amount")
            return Authorized(authorization, customer, repeated=True)
        if len(authorization.legs) != 1:
            raise WrongState(
                "this authorization holds several assets", hint="Capture it with the event instead."
            )
        account = authorization.legs[0].account
        begin_capture(book, authorization)
        transaction = Transaction(
            tenant_id=customer.tenant_id,
            kind="charge",
            key=self.keys[0][1],
            client_id=self._client_id,
            customer_id=customer.id,
            account=account,
            amount=units,
            recorded_at=book.now,
            executed_at=book.now,
            details={"authorization_id": self.id, "final": self.final},
        )
        if units:
            earn(book, transaction, worth(account, units, book.find_rate))
            revenue = book.business_account(account.tenant_id, "revenue", account.asset)
            transaction.entries = [book.debit(account, units), move(revenue, units)]
        book.record(transaction)
        spend(book, Who.of(authorization), fee_items([(account.asset.code, units)], book.now))
        end_capture(book, authorization, {account: units}, final=self.final)
        return Authorized(authorization, customer)


@dataclass(frozen=True)
class BringUpToDate:
    """Book what time did to a wallet: loading it is all there is to do."""

    ref: CustomerRef

    @property
    def keys(self) -> list[tuple[int, bytes]]:
        return []

    def decide(self, book: Book) -> None:
        book.customer(self.ref)


def _units(amount: Decimal | None, authorization: Authorization) -> int:
    """Units of the asset of the first hold. Raises InvalidRequest where nothing is held."""
    if amount is None:
        return 0
    if not authorization.legs:
        raise InvalidRequest("amount", "this authorization holds nothing, so it has no asset")
    return to_units(amount, authorization.legs[0].account.asset)
