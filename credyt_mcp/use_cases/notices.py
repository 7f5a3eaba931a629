"""Notices: what the tenant should know, such as a balance that fell below its threshold. The same
facts go out as webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from credyt_mcp.storage import notices
from credyt_mcp.use_cases.context import Billing, Number, PageOf, Result


class Notice(Result):
    id: str = Field(description="the id of its webhooks, too")
    kind: str = Field(description="a webhook topic, such as balance.low")
    customer_id: str | None = None
    account_id: str | None = None
    asset: str | None = None
    balance: Number | None = None
    threshold: Number | None = None
    data: dict[str, Any] = Field(description="what its webhooks say")
    created_at: datetime


class NoticePage(Result):
    items: list[Notice]
    total_count: int
    limit: int
    offset: int


SHOWN = ("customer_id", "account_id", "asset", "balance", "threshold")
"""Fields of `data` that stand beside it as well."""


def list_notices(billing: Billing, command: PageOf) -> NoticePage:
    """Notices, newest first."""
    with billing.database.read() as session:
        rows, total = notices.page(session, billing.tenant.id, command.offset, command.limit)
    items = [
        Notice(
            id=row.public_id,
            kind=row.kind,
            **{name: row.details.get(name) for name in SHOWN},
            data=row.details,
            created_at=row.created_at,
        )
        for row in rows
    ]
    return NoticePage(items=items, total_count=total, limit=command.limit, offset=command.offset)
