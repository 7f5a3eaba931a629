"""What a use case may touch, and how a face calls one. No business rule lives here.

A use case is a plain function `(billing, command) -> result`. One that only reads or writes the
catalogue is `def` and runs in a worker thread; one that moves money is `async def` and awaits the
write lane. `perform` knows the difference, so a face need not.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, TypeVar

import anyio
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from credyt_mcp.clock import Clock
from credyt_mcp.domain.fields import not_bool
from credyt_mcp.errors import Forbidden
from credyt_mcp.payments.provider import PaymentProvider
from credyt_mcp.settings import Settings
from credyt_mcp.storage.clocks import TenantClocks
from credyt_mcp.storage.database import Database
from credyt_mcp.storage.lane import Lane
from credyt_mcp.storage.published_prices import PublishedPrices
from credyt_mcp.storage.vendors import KnownVendors
from credyt_mcp.use_cases.payment_providers import PaymentProviders
from credyt_mcp.use_cases.scopes import ALL_SCOPES, Scope, scope_of

C = TypeVar("C")
R = TypeVar("R")


LOCAL = "local"


@dataclass(frozen=True)
class Tenant:
    """An account in one environment, `test` or `live`."""

    id: int
    account_id: str
    account_name: str
    environment: str
    parent_id: int | None = None
    """The platform's tenant, if this is a connected account."""


@dataclass(frozen=True)
class Billing:
    """The running system, as one tenant sees it."""

    settings: Settings
    clock: Clock
    """Real time: for keys, rate limits, deliveries. What happens in the books asks `now`."""
    database: Database
    lane: Lane
    prices: PublishedPrices
    vendors: KnownVendors
    clocks: TenantClocks
    providers: PaymentProviders
    tenant: Tenant
    actor: str = LOCAL
    """Who acts, for the audit: the id of an API key, or `local` for the owner of the machine."""
    scopes: frozenset[Scope] = ALL_SCOPES

    def as_tenant(
        self, tenant: Tenant, actor: str | None = None, scopes: frozenset[Scope] | None = None
    ) -> Billing:
        """The system as another tenant sees it, and as another key where one is given."""
        if scopes is None:
            scopes = self.scopes
        return replace(self, tenant=tenant, actor=actor or self.actor, scopes=scopes)

    @property
    def payments(self) -> PaymentProvider:
        """Who takes this tenant's payments. Not for the event loop, as `PaymentProviders`."""
        return self.providers.of(self.tenant)

    def payments_of(self, provider: str, account: str) -> PaymentProvider:
        """Who took a payment that was begun before, at that account of the provider. Raises
        NotFound for one that is not configured any more."""
        return self.providers.named(provider, account, self.tenant)

    def require(self, scope: Scope) -> None:
        """Raises Forbidden unless the caller's key has the scope."""
        if scope not in self.scopes:
            raise Forbidden(
                f"this needs the scope '{scope}', which the API key lacks",
                hint=f"Use a key with it; `credyt-mcp keys create --scopes {scope}` makes one.",
            )

    def now(self) -> datetime:
        """The tenant's present. Not for the event loop: it may ask the database."""
        return self.clocks.now(self.tenant.id)


class Command(BaseModel):
    """What a caller asks for. Unknown fields are ignored, as the hosted service does."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, given: Any) -> Any:
        if isinstance(given, dict) and None in given.values():
            return {name: value for name, value in given.items() if value is not None}
        return given


class Result(BaseModel):
    """What a caller gets. Absent optional fields are left out; required ones may be null."""

    @model_serializer(mode="wrap")
    def _omit_absent(self, dump: Callable[[Any], dict[str, Any]]):  # type: ignore[no-untyped-def]
        # No return annotation: pydantic would take it for the schema of every result.
        required = _required(type(self))
        return {
            name: value
            for name, value in dump(self).items()
            if value is not None or name in required
        }


@cache
def _required(model: type[BaseModel]) -> frozenset[str]:
    return frozenset(name for name, field in model.model_fields.items() if field.is_required())


class PageOf(Command):
    """A page of a list."""

    offset: Annotated[int, Field(ge=0, le=10**9, description="how many to skip")] = 0
    limit: Annotated[int, Field(ge=1, le=100, description="how many to return")] = 20


Number = Annotated[Decimal, WithJsonSchema({"type": "number"})]
"""A decimal in a result. It is written as a JSON number, so that is what the documents say."""

Amount = Annotated[Number, BeforeValidator(not_bool), Field(allow_inf_nan=False)]
"""A money amount in major units (0.05 is five cents), exact."""


def _positive(value: Decimal) -> Decimal:
    if value <= 0:
        raise ValueError("must be greater than 0")
    return value


def _not_negative(value: Decimal) -> Decimal:
    if value < 0:
        raise ValueError("must not be negative")
    return value


PositiveAmount = Annotated[Amount, AfterValidator(_positive)]
AmountOrZero = Annotated[Amount, AfterValidator(_not_negative)]

ShortText = Annotated[str, Field(min_length=1, max_length=255)]


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be between the years 1 and 9999 in UTC") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A point in time with its zone, kept in UTC; what is stored must be readable again."""


async def perform(
    billing: Billing, use_case: Callable[[Billing, C], R | Awaitable[R]], command: C
) -> R:
    """Run a use case of either kind. Raises Forbidden where the caller's key has not its scope."""
    billing.require(scope_of(use_case.__name__))
    if inspect.iscoroutinefunction(use_case):
        result: R = await use_case(billing, command)
        return result
    return await anyio.to_thread.run_sync(use_case, billing, command)  # type: ignore[arg-type]
