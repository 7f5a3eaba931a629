"""Authorize usage before it runs: hold, extend, capture, release. All through the write lane."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, NamedTuple, Self

import anyio
from pydantic import Field, model_validator

from credyt_mcp.clock import SECOND, from_micros
from credyt_mcp.domain.assets import currency
from credyt_mcp.domain.authorizations import Authorize, CaptureAmount, Extend, Release
from credyt_mcp.domain.book import Authorization, CustomerRef
from credyt_mcp.domain.budgets import cost_items, sums_by_code
from credyt_mcp.domain.holds import Authorized
from credyt_mcp.domain.money import Asset, from_units, to_units
from credyt_mcp.domain.usage import UsageEvent
from credyt_mcp.errors import InvalidRequest, NotFound, UnknownReference
from credyt_mcp.ids import new_id
from credyt_mcp.storage import assets, authorizations
from credyt_mcp.use_cases.context import (
    AmountOrZero,
    Billing,
    Command,
    Number,
    PositiveAmount,
    Result,
    ShortText,
)
from credyt_mcp.use_cases.event_costs import stored_costs
from credyt_mcp.use_cases.recording import record
from credyt_mcp.use_cases.usage_fields import CostList, EventData, LlmUsages, UsageEventFields

DEFAULT_SECONDS, SECONDS_MAX = 900, 30 * 24 * 3600

AuthorizationId = Annotated[
    ShortText,
    Field(
        description="your id for the work about to run, such as the request's id. Reuse it when "
        "you retry: the same id holds once"
    ),
]
Seconds = Annotated[int, Field(ge=1, le=SECONDS_MAX, description="seconds it lasts")]


class AuthorizeUsage(Command):
    """Before usage runs, hold what it will cost; denied if the wallet does not cover it. Say what
    will be used (event_type, data: priced like an event) or an amount. Then run it and record the
    event with this authorization_id, or release it. A hold expires by itself."""

    id: AuthorizationId
    customer_id: Annotated[str | None, Field(description="customer id, or your external id")] = None
    customer_external_id: str | None = None
    event_type: Annotated[
        ShortText | None, Field(description="the event that will be recorded")
    ] = None
    data: EventData = None
    amount: Annotated[PositiveAmount | None, Field(description="instead of event_type")] = None
    asset: Annotated[str, Field(description="of amount")] = "USD"
    account_name: str = "default"
    expires_in: Annotated[Seconds, Field(description="seconds, default 900")] = DEFAULT_SECONDS
    subject: Annotated[str | None, Field(max_length=255, description="what it is for")] = None
    user_id: Annotated[str | None, Field(max_length=255, description="the customer's end user")] = (
        None
    )
    costs: Annotated[
        CostList | None, Field(description="estimate for cost budgets, as in record_event")
    ] = None
    llm_usage: Annotated[LlmUsages | None, Field(description="likewise")] = None
    metadata: dict[str, str] | None = None

    @model_validator(mode="before")
    @classmethod
    def _event_may_be_nested(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(given.get("event"), dict):
            event = {name: given["event"].get(name) for name in ("event_type", "data")}
            return {**given, **{name: value for name, value in event.items() if value is not None}}
        return given

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.event_type is None) == (self.amount is None):
            raise ValueError("give either event_type (with data) or amount")
        return self


class GetAuthorization(Command):
    authorization_id: Annotated[str, Field(description="the id you gave it")]


class ExtendFields(Command):
    amount: Annotated[PositiveAmount | None, Field(description="how much more to hold")] = None
    expires_in: Annotated[Seconds | None, Field(description="seconds from now")] = None
    extension_id: Annotated[
        ShortText | None, Field(description="your id for this extension, to retry it safely")
    ] = None


class ExtendAuthorization(ExtendFields):
    """Hold more for work that goes on, and/or for longer; denied like an authorization."""

    authorization_id: Annotated[str, Field(description="the id you gave it")]


class CaptureFields(Command):
    amount: Annotated[AmountOrZero | None, Field(description="billed of what is held")] = None
    final: Annotated[bool, Field(description="give back the rest")] = True
    transaction_id: Annotated[
        ShortText | None, Field(description="your id for the debit; required unless final")
    ] = None
    event: Annotated[
        UsageEventFields | None, Field(description="or the event, billed like any other")
    ] = None


class CaptureAuthorization(CaptureFields):
    """Bill an amount or an event against what is held, and give back the rest."""

    authorization_id: str


class ReleaseAuthorization(GetAuthorization):
    """Give back what an authorization holds, because the work failed or cost nothing."""


class Hold(Result):
    account_id: str
    asset: str
    amount: Number
    held: Number
    captured: Number


class AuthorizationView(Result):
    """`amount`, `held` and `captured` are of the first account; `holds` lists several accounts.

    `available` is what the account has left now, net of all holds.
    """

    id: str
    customer_id: str
    status: str
    account_id: str | None = None
    asset: str | None = None
    amount: Number
    held: Number
    captured: Number
    available: Number | None = None
    expires_at: datetime
    created_at: datetime
    closed_at: datetime | None = None
    subject: str | None = None
    metadata: dict[str, str] | None = None
    holds: list[Hold] | None = None
    exceeded: bool | None = None
    late: bool | None = None
    duplicate: bool
    warnings: list[str] | None = None


class _Priced(NamedTuple):
    asset: Asset | None
    units: int


async def authorize_usage(billing: Billing, command: AuthorizeUsage) -> AuthorizationView:
    """Raises InsufficientBalance or BudgetExceeded when it is denied, UnknownReference,
    IdReused."""
    if command.customer_id is None and command.customer_external_id is None:
        raise InvalidRequest("customer_id", "is required, or customer_external_id")
    external = command.customer_external_id if command.customer_id is None else command.customer_id
    asset, units = await _amount(billing, command)
    asked = command.model_dump(
        include={"event_type", "data", "amount", "asset", "account_name"}, exclude_none=True
    )
    authorized: Authorized = await billing.lane.submit(
        Authorize(
            ref=CustomerRef(billing.tenant.id, command.customer_id, external),
            id=command.id,
            request=asked,
            lasts=command.expires_in * SECOND,
            subject=command.subject,
            metadata=command.metadata,
            event=_estimated(command),
            account_name=command.account_name,
            asset=asset,
            amount=units,
            user_id=command.user_id,
            costs=await _estimated_costs(billing, command),
        )
    )
    return view(authorized)


async def extend_authorization(billing: Billing, command: ExtendAuthorization) -> AuthorizationView:
    """Raises InsufficientBalance or BudgetExceeded when it is denied (the hold stays as it was),
    NotFound, WrongState once it has ended."""
    if command.amount is None and command.expires_in is None:
        raise InvalidRequest("amount", "give amount, expires_in, or both")
    extended: Authorized = await billing.lane.submit(
        Extend(
            billing.tenant.id,
            command.authorization_id,
            amount=command.amount,
            lasts=None if command.expires_in is None else command.expires_in * SECOND,
            extension_id=command.extension_id or _id_for_replay(command),
        )
    )
    return view(extended)


async def capture_authorization(
    billing: Billing, command: CaptureAuthorization
) -> AuthorizationView:
    """Raises NotFound, WrongState once it was captured or released, IdReused; with an event, what
    `record_event` raises."""
    if (command.amount is None) == (command.event is None):
        raise InvalidRequest("amount", "give either amount or event")
    if command.event is not None:
        return await _capture_event(billing, command, command.event)
    if not command.final and command.transaction_id is None:
        raise InvalidRequest("transaction_id", "is required when more captures follow")
    captured: Authorized = await billing.lane.submit(
        CaptureAmount(
            billing.tenant.id,
            command.authorization_id,
            amount=command.amount,
            final=command.final,
            transaction_id=command.transaction_id,
        )
    )
    return view(captured)


async def release_authorization(
    billing: Billing, command: ReleaseAuthorization
) -> AuthorizationView:
    """Raises NotFound, WrongState once it was captured."""
    released: Authorized = await billing.lane.submit(
        Release(billing.tenant.id, command.authorization_id)
    )
    return view(released)


def get_authorization(billing: Billing, command: GetAuthorization) -> AuthorizationView:
    """As it stands now: expired from the moment it expires. Raises NotFound."""
    with billing.database.read() as session:
        found = authorizations.get(
            session, billing.tenant.id, command.authorization_id, billing.now()
        )
    if found is None:
        raise NotFound(f"there is no authorization '{command.authorization_id}'")
    return view(Authorized(*found))


async def _capture_event(
    billing: Billing, command: CaptureAuthorization, event: UsageEventFields
) -> AuthorizationView:
    name = command.authorization_id
    ref = CustomerRef(billing.tenant.id, None, None, authorization_id=name)
    captures = event.model_copy(
        update={"authorization_id": name, "final": command.final and event.final}
    )
    try:
        recorded = await record(billing, ref, [captures])
    except InvalidRequest as error:
        raise error.renamed("event.", without="events[0].") from None
    outcome = recorded.outcomes[0]
    if outcome.captured is None:  # the event was known: answer with the authorization as it stands
        read = GetAuthorization(authorization_id=name)
        found = await anyio.to_thread.run_sync(get_authorization, billing, read)
        return found.model_copy(update={"duplicate": True})
    return view(outcome.captured)


def view(done: Authorized) -> AuthorizationView:
    authorization = done.authorization
    holds = [
        Hold(
            account_id=leg.account.label,
            asset=leg.account.asset.code,
            amount=from_units(leg.authorized, leg.account.asset),
            held=from_units(leg.held, leg.account.asset),
            captured=from_units(leg.captured, leg.account.asset),
        )
        for leg in authorization.legs
    ]
    first = holds[0].model_dump() if holds else {"amount": Decimal(0), "held": Decimal(0)}
    asset = authorization.legs[0].account.asset if authorization.legs else None
    return AuthorizationView(
        **{"captured": Decimal(0), **first},
        id=authorization.client_id,
        customer_id=done.customer.public_id,
        status=authorization.status,
        available=None if asset is None else from_units(done.available, asset),
        expires_at=from_micros(authorization.expires_at),
        created_at=from_micros(authorization.created_at),
        closed_at=_moment(authorization),
        subject=authorization.subject,
        metadata=authorization.metadata,
        holds=holds if len(holds) > 1 else None,
        exceeded=authorization.exceeded or None,
        late=authorization.late or None,
        duplicate=done.repeated,
        warnings=done.warnings or None,
    )


def _id_for_replay(command: ExtendAuthorization) -> str | None:
    """An id where the caller gave none: the lane may replay a command whose COMMIT failed, and
    must not hold the amount twice. A longer life given twice is the same life."""
    return None if command.amount is None else new_id("ext")


def _moment(authorization: Authorization) -> datetime | None:
    return None if authorization.closed_at is None else from_micros(authorization.closed_at)


def _estimated(command: AuthorizeUsage) -> UsageEvent | None:
    if command.event_type is None:
        return None
    return UsageEvent(command.id, command.event_type, None, data=command.data)


async def _estimated_costs(billing: Billing, command: AuthorizeUsage) -> dict[str, int]:
    """What the work will cost the tenant, in units by currency: as far as it is told, and known."""
    if not command.costs and not command.llm_usage:
        return {}
    event = UsageEventFields(
        id=command.id,
        event_type=command.event_type or "estimate",
        costs=command.costs,
        llm_usage=command.llm_usage,
    )
    try:
        [costs] = await stored_costs(billing, [event], internal=False)
    except InvalidRequest as error:
        raise error.renamed("", without="events[0].") from None
    return sums_by_code(cost_items(costs, at=0))


async def _amount(billing: Billing, command: AuthorizeUsage) -> _Priced:
    if command.amount is None:
        return _Priced(None, 0)
    # A currency needs no thread to look it up.
    asset = currency(command.asset)
    if asset is None:
        asset = await anyio.to_thread.run_sync(_custom_asset, billing, command.asset)
    return _Priced(asset, to_units(command.amount, asset))


def _custom_asset(billing: Billing, code: str) -> Asset:
    with billing.database.read() as session:
        asset = assets.find(session, billing.tenant.id, code)
    if asset is None:
        raise UnknownReference("asset", f"there is no asset '{code}'")
    return asset
