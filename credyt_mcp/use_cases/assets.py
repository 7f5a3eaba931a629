"""Custom assets ("credits"): create, read, price in money, and quote."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from credyt_mcp.domain.assets import convert, currency, inverse, plain, rate_at
from credyt_mcp.domain.fields import PositiveRate
from credyt_mcp.domain.money import Asset, from_units, scale_for, to_units
from credyt_mcp.errors import Conflict, InvalidRequest, NotFound, UnknownReference
from credyt_mcp.storage import assets, unique
from credyt_mcp.storage.tables import AssetRow
from credyt_mcp.use_cases.context import (
    Billing,
    Command,
    Moment,
    Number,
    PageOf,
    PositiveAmount,
    Result,
    ShortText,
)

AssetCode = Annotated[
    str,
    Field(
        min_length=1,
        max_length=32,
        pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$",
        description="code of the asset, such as credits",
    ),
]
SourceCode = Annotated[str, Field(description="currency the rate is in, such as USD")]


class StartingRate(Command):
    """Give `rate` (price of one unit, 0.05) or `inverse_rate` (units per one USD, 20)."""

    source: SourceCode
    rate: PositiveRate | None = None
    inverse_rate: PositiveRate | None = None


class CreateAsset(Command):
    """A new unit of credit; its rate says what one unit costs."""

    code: AssetCode
    name: Annotated[ShortText, Field(description="name people see, such as Credits")]
    precision: Annotated[int, Field(ge=0, le=9, description="decimals shown; 0 for whole")] = 0
    label: str | None = Field(default=None, max_length=32, description="short label, default code")
    symbol: str | None = Field(default=None, max_length=8, description="a character or emoji")
    rates: Annotated[
        list[StartingRate],
        Field(max_length=50, description='what one unit costs: [{"source":"USD","rate":0.05}]'),
    ] = Field(default_factory=list)


class AssetCreated(Result):
    code: str
    created_at: datetime


class ListedAsset(Result):
    code: str
    name: str


class AssetPage(Result):
    items: list[ListedAsset]
    total_count: int
    limit: int
    offset: int


AssetRef = Annotated[str, Field(description="code of the asset")]


class GetAsset(Command):
    """An asset with what a unit costs, per currency, newest rate first."""

    asset_code: AssetRef


class ScheduledRate(Result):
    valid_from: datetime
    valid_to: datetime | None = None
    rate: Number
    inverse_rate: Number | None = None


class AssetRates(Result):
    source: str
    schedule: list[ScheduledRate]


class AssetDetails(Result):
    code: str
    name: str
    precision: int
    label: str
    symbol: str | None = None
    rates: list[AssetRates]
    created_at: datetime


class RateFields(Command):
    source: SourceCode
    rate: Annotated[PositiveRate, Field(description="price of one unit in the source currency")]
    valid_from: Annotated[Moment | None, Field(description="default now")] = None
    valid_to: Moment | None = None


class AddAssetRate(RateFields):
    """A new price of a unit, from `valid_from` on; existing balances do not change."""

    asset_code: AssetRef


class QuoteFields(Command):
    source: SourceCode
    amount: Annotated[PositiveAmount, Field(description="how much of the source currency")]
    exchange_at: Annotated[Moment | None, Field(description="default now")] = None


class QuoteAsset(QuoteFields):
    """How many units an amount of money buys."""

    asset_code: AssetRef


class Quote(Result):
    source: str
    source_amount: Number
    destination: str
    destination_amount: Number
    rate: Number
    inverse_rate: Number


def create_asset(billing: Billing, command: CreateAsset) -> AssetCreated:
    """Raises Conflict when the code is taken, also by a currency or in another case."""
    if currency(command.code) is not None:
        raise Conflict(f"'{command.code}' is a currency and exists already")
    now = billing.now()
    starting = [_starting(index, rate) for index, rate in enumerate(command.rates)]
    with billing.database.write() as session:
        row = AssetRow(
            tenant_id=billing.tenant.id,
            code=command.code,
            code_folded=command.code.casefold(),
            name=command.name,
            precision=command.precision,
            scale=scale_for(command.precision),
            label=command.label or command.code,
            symbol=command.symbol,
            created_at=now,
        )
        if not unique.save(session, row):
            raise Conflict(f"an asset with code '{command.code}' exists already")
        for source, rate in starting:
            assets.add_rate(session, row, source.code, rate, now, None, now)
    return AssetCreated(code=command.code, created_at=now)


def list_assets(billing: Billing, command: PageOf) -> AssetPage:
    """Created assets by code; currencies exist without being listed."""
    with billing.database.read() as session:
        rows, total = assets.page(session, billing.tenant.id, command.offset, command.limit)
    items = [ListedAsset(code=row.code, name=row.name) for row in rows]
    return AssetPage(items=items, total_count=total, limit=command.limit, offset=command.offset)


def get_asset(billing: Billing, command: GetAsset) -> AssetDetails:
    with billing.database.read() as session:
        row = assets.get(session, billing.tenant.id, command.asset_code)
        if row is None:
            raise _no_asset(command.asset_code)
        by_source: dict[str, list[ScheduledRate]] = {}
        for rate in assets.schedule(session, row):
            by_source.setdefault(rate.source, []).append(
                ScheduledRate(
                    valid_from=rate.valid_from,
                    valid_to=rate.valid_to,
                    rate=plain(rate.rate),
                    inverse_rate=inverse(rate.rate),
                )
            )
    return AssetDetails(
        **row.model_dump(include={"code", "name", "precision", "label", "symbol", "created_at"}),
        rates=[AssetRates(source=source, schedule=rates) for source, rates in by_source.items()],
    )


def add_asset_rate(billing: Billing, command: AddAssetRate) -> None:
    """An open-ended rate ends the ones before it, and itself ends where one that was planned for
    later starts; a rate with `valid_to` only interrupts."""
    source = _source(command.source, "source")
    now = billing.now()
    starts = command.valid_from or now
    if command.valid_to is not None and command.valid_to <= starts:
        raise InvalidRequest("valid_to", "must be later than valid_from")
    with billing.database.write() as session:
        row = assets.get(session, billing.tenant.id, command.asset_code)
        if row is None:
            raise _no_asset(command.asset_code)
        ends = command.valid_to
        for other in assets.schedule(session, row) if ends is None else ():
            if other.source != source.code:
                continue
            if other.valid_from > starts and other.valid_to is None:
                ends = other.valid_from  # newest first: the last one found is the next to start
            elif other.valid_from < starts and (other.valid_to is None or other.valid_to > starts):
                other.valid_to = starts
                session.add(other)
        assets.add_rate(session, row, source.code, command.rate, starts, ends, now)


def quote_asset(billing: Billing, command: QuoteAsset) -> Quote:
    """Raises InvalidRequest when no rate is in force at `exchange_at`."""
    source = _source(command.source, "source")
    moment = command.exchange_at or billing.now()
    with billing.database.read() as session:
        row = assets.get(session, billing.tenant.id, command.asset_code)
        if row is None:
            raise _no_asset(command.asset_code)
        rate = rate_at(assets.rates(session, row, source.code), moment)
        destination = Asset(row.code, row.scale, row.precision)
    if rate is None:
        raise InvalidRequest(
            "source",
            f"'{row.code}' has no {source.code} rate in force at that time",
            hint="Add one with add_asset_rate (POST /assets/{code}/rates).",
        )
    units = convert(to_units(command.amount, source), source, destination, rate)
    return Quote(
        source=source.code,
        source_amount=plain(command.amount),
        destination=destination.code,
        destination_amount=from_units(units, destination),
        rate=plain(rate),
        inverse_rate=inverse(rate),
    )


def _starting(index: int, rate: StartingRate) -> tuple[Asset, Decimal]:
    source = _source(rate.source, f"rates[{index}].source")
    if (rate.rate is None) == (rate.inverse_rate is None):
        raise InvalidRequest(f"rates[{index}]", "give either rate or inverse_rate")
    return source, rate.rate if rate.rate is not None else inverse(rate.inverse_rate)  # type: ignore[arg-type]


def _source(code: str, field: str) -> Asset:
    source = currency(code)
    if source is None:
        raise UnknownReference(field, f"'{code}' is not a currency code such as USD")
    return source


def _no_asset(code: str) -> NotFound:
    return NotFound(f"there is no asset '{code}'", hint="list_assets shows what exists.")
