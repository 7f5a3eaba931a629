"""The tenant's own prices of models: find the one in force, save, list and delete."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, func, select

from credyt_mcp.storage.llm_tables import LlmPriceRow


def in_force(
    session: Session, tenant_id: int, provider: str, model: str, moment: datetime
) -> LlmPriceRow | None:
    return session.exec(
        select(LlmPriceRow)
        .where(*_of(tenant_id, provider, model), LlmPriceRow.valid_from <= moment)
        .order_by(col(LlmPriceRow.valid_from).desc())
        .limit(1)
    ).first()


def find(
    session: Session, tenant_id: int, provider: str, model: str, valid_from: datetime | None = None
) -> list[LlmPriceRow]:
    """All of a model, or the one that is valid from that very moment."""
    query = select(LlmPriceRow).where(*_of(tenant_id, provider, model))
    if valid_from is not None:
        query = query.where(LlmPriceRow.valid_from == valid_from)
    return list(session.exec(query.order_by(col(LlmPriceRow.valid_from))))


def page(
    session: Session, tenant_id: int, offset: int, limit: int
) -> tuple[list[LlmPriceRow], int]:
    """By provider, model and date, and how many there are."""
    own = LlmPriceRow.tenant_id == tenant_id
    total = session.exec(select(func.count()).select_from(LlmPriceRow).where(own)).one()
    order = (col(LlmPriceRow.provider), col(LlmPriceRow.model), col(LlmPriceRow.valid_from))
    rows = session.exec(select(LlmPriceRow).where(own).order_by(*order).offset(offset).limit(limit))
    return list(rows), total


def _of(tenant_id: int, provider: str, model: str) -> tuple[bool, bool, bool]:
    return (
        LlmPriceRow.tenant_id == tenant_id,
        LlmPriceRow.provider == provider,
        LlmPriceRow.model == model,
    )
