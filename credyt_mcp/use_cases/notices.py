"""Notices: what the tenant should know, such as a balance that fell below its threshold."""

from __future__ import annotations

from datetime import datetime

from credyt_mcp.domain.money import from_units
from credyt_mcp.storage import assets, notices
from credyt_mcp.use_cases.context import (
    Billing,
    Number,
    PageOf,
    Result,
)


class Notice(Result):
    id: str
    kind: str
    customer_id: str
    account_id: str
    asset: str
    balance: Number
    threshold: Number
    created_at: datetime


class NoticePage(Result):
    items: list[Notice]
    total_count: int
    limit: int
    offset: int


def list_notices(billing: Billing, command: PageOf) -> NoticePage:
    """Notices, newest first."""
    with billing.database.read() as session:
        rows, total = notices.page(session, billing.tenant.id, command.offset, command.limit)
        items = []
        for notice, customer, account in rows:
            asset = assets.find(session, billing.tenant.id, account.asset)
            assert asset is not None
            items.append(
                Notice(
                    id=f"ntc_{notice.id}",
                    kind=notice.kind,
                    customer_id=customer.public_id,
                    account_id=f"{account.name}:{account.asset}",
                    asset=account.asset,
                    balance=from_units(notice.details["balance"], asset),
                    threshold=from_units(notice.details["threshold"], asset),
                    created_at=notice.created_at,
                )
            )
    return NoticePage(items=items, total_count=total, limit=command.limit, offset=command.offset)
