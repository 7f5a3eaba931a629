"""Custom assets and their rate schedules. Currencies have no rows; `find` answers for both."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlmodel import Session, col, func, select

from credyt_mcp.domain.assets import Rate, currency
from credyt_mcp.domain.money import Asset
from credyt_mcp.storage.tables import AssetRow, RateRow


def find(session: Session, tenant_id: int, code: str) -> Asset | None:
    """The currency or custom asset of that code, in any case."""
    known = currency(code)
    if known is not None:
        return known
    row = get(session, tenant_id, code)
    return None if row is None else Asset(row.code, row.scale, row.precision)


def get(session: Session, tenant_id: int, code: str) -> AssetRow | None:
    return session.exec(
        select(AssetRow).where(
            AssetRow.tenant_id == tenant_id, AssetRow.code_folded == code.casefold()
        )
    ).first()


def page(session: Session, tenant_id: int, offset: int, limit: int) -> tuple[list[AssetRow], int]:
    """Created assets by code A-Z, and how many there are."""
    own = AssetRow.tenant_id == tenant_id
    total = session.exec(select(func.count()).select_from(AssetRow).where(own)).one()
    ordered = select(AssetRow).where(own).order_by(AssetRow.code).offset(offset).limit(limit)
    return list(session.exec(ordered)), total


def schedule(session: Session, asset: AssetRow) -> list[RateRow]:
    """All rates, newest start first; of equal starts the one added last rules, and is first."""
    return list(
        session.exec(
            select(RateRow)
            .where(RateRow.tenant_id == asset.tenant_id, RateRow.asset_id == asset.id)
            .order_by(col(RateRow.valid_from).desc(), col(RateRow.id).desc())
        )
    )


def rates(session: Session, asset: AssetRow, source: str) -> list[Rate]:
    return [
        Rate(row.rate, row.valid_from, row.valid_to)
        for row in schedule(session, asset)
        if row.source == source
    ]


def add_rate(
    session: Session,
    asset: AssetRow,
    source: str,
    rate: Decimal,
    valid_from: datetime,
    valid_to: datetime | None,
    now: datetime,
) -> None:
    session.add(
        RateRow(
            tenant_id=asset.tenant_id,
            asset_id=asset.id,
            source=source,
            rate=rate,
            valid_from=valid_from,
            valid_to=valid_to,
            created_at=now,
        )
    )
