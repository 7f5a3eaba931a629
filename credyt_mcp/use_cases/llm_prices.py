"""The tenant's own prices of models: they go before the published ones, from their date on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field
from sqlmodel import Session

from credyt_mcp.errors import NotFound
from credyt_mcp.storage import audit, llm_prices
from credyt_mcp.storage.llm_tables import LlmPriceRow
from credyt_mcp.use_cases import price_table
from credyt_mcp.use_cases.context import Billing, Command, Moment, PageOf, Result, ShortText
from credyt_mcp.use_cases.llm_terms import LlmPriceFields

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)

Provider = Annotated[ShortText, Field(description="as in llm_usage")]
Model = Annotated[ShortText, Field(description="as in llm_usage, or an Azure deployment")]


class SetLlmPrice(LlmPriceFields):
    """Your own price of a model, from `valid_from` on, instead of the published one. The same date
    again replaces it. Costs that are recorded do not change."""

    provider: Provider
    model: Model


class ListLlmPrices(PageOf):
    """Your own prices of models."""


class DeleteLlmPrice(Command):
    """Go back to the published price of a model: without `valid_from`, from the start."""

    provider: Provider
    model: Model
    valid_from: Moment | None = None


class LlmPrice(Result):
    """`terms` are rates in USD, factors of tiers, or `same_as`."""

    provider: str
    model: str
    valid_from: datetime | None = None
    terms: dict[str, Any]
    updated_at: datetime


class LlmPricePage(Result):
    """`published` names the table that is asked where there is no own price."""

    items: list[LlmPrice]
    total_count: int
    limit: int
    offset: int
    published: str


def set_llm_price(billing: Billing, command: SetLlmPrice) -> LlmPrice:
    provider, model = _names(command.provider, command.model)
    tenant_id, now = billing.tenant.id, billing.now()
    valid_from, terms = command.valid_from or ALWAYS, command.stored()
    with billing.database.write(alone=True) as session:
        found = llm_prices.find(session, tenant_id, provider, model, valid_from)
        before = found[0].terms if found else {}
        if before == terms:
            return _shown(found[0])
        new = LlmPriceRow(
            tenant_id=tenant_id,
            provider=provider,
            model=model,
            valid_from=valid_from,
            terms=terms,
            updated_at=now,
        )
        row = found[0] if found else new
        row.terms, row.updated_at = terms, now
        session.add(row)
        _audit(session, billing, "llm_price.set", row, before, terms)
    return _shown(row)


def list_llm_prices(billing: Billing, command: ListLlmPrices) -> LlmPricePage:
    with billing.database.read() as session:
        rows, total = llm_prices.page(session, billing.tenant.id, command.offset, command.limit)
    return LlmPricePage(
        items=[_shown(row) for row in rows],
        total_count=total,
        limit=command.limit,
        offset=command.offset,
        published=price_table.version(),
    )


def delete_llm_price(billing: Billing, command: DeleteLlmPrice) -> None:
    """Raises NotFound when there is no such price."""
    provider, model = _names(command.provider, command.model)
    tenant_id = billing.tenant.id
    with billing.database.write() as session:
        rows = llm_prices.find(session, tenant_id, provider, model, command.valid_from)
        if not rows:
            raise NotFound(
                f"you have no price of '{model}' of '{provider}' from that date",
                hint="GET /llm-prices lists those you have.",
            )
        for row in rows:
            _audit(session, billing, "llm_price.delete", row, row.terms, {})
            session.delete(row)


def _audit(
    session: Session,
    billing: Billing,
    action: str,
    row: LlmPriceRow,
    before: dict[str, Any],
    after: dict[str, Any],
) -> None:
    target, now = f"{row.provider}/{row.model}", billing.now()
    audit.add(
        session, row.tenant_id, billing.actor, action, target, now, before=before, after=after
    )


def _names(provider: str, model: str) -> tuple[str, str]:
    return price_table.canonical(provider), model.lower()


def _shown(row: LlmPriceRow) -> LlmPrice:
    return LlmPrice(
        provider=row.provider,
        model=row.model,
        valid_from=None if row.valid_from == ALWAYS else row.valid_from,
        terms=row.terms,
        updated_at=row.updated_at,
    )
