"""Products with fixed fees and entitlements, customers on them, and their payments."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from sqlmodel import col, select

from credyt_mcp.app import System
from credyt_mcp.storage.ledger_tables import NoticeRow
from credyt_mcp.use_cases.customers import create_customer, get_customer
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.products import create_product
from credyt_mcp.use_cases.wallets import list_grants
from tests.conftest import Call

GOOD, DECLINED = "4242 4242 4242 4242", "4000 0000 0000 0002"
FAILS_LATER, ASKS_LATER = "4000 0000 0000 0341", "4000 0027 6000 3184"
BACK = {"return_url": "https://app.example/account", "failure_url": "https://app.example/failed"}


def fee(
    amount: int | str, interval: str | None = "month", asset: str = "USD", **more: Any
) -> dict[str, Any]:
    """A fixed price, recurring unless the interval is None."""
    terms: dict[str, Any] = {"type": "one_time", "one_time": {}}
    if interval is not None:
        terms = {"type": "recurring", "recurring": {"interval": interval}}
    return {
        "name": f"{interval or 'setup'} fee",
        "type": "fixed",
        "billing_model": terms,
        "pricing": [{"asset": asset, "values": [{"unit_price": amount}]}],
        **more,
    }


def credit(
    amount: int | str,
    duration: str = "month",
    refresh: str | None = "expire_and_replace",
    asset: str = "credits",
    **more: Any,
) -> dict[str, Any]:
    lifecycle: dict[str, Any] = {"duration": duration}
    if refresh is not None:
        lifecycle["refresh"] = {"strategy": refresh}
    return {
        "name": f"{duration} credit",
        "asset": asset,
        "amount": amount,
        "purpose": "bundled",
        "lifecycle": lifecycle,
        **more,
    }


async def a_plan(
    call: Call, *prices: dict[str, Any], code: str = "pro", grants: Any = (), **more: Any
) -> Any:
    return await call(
        create_product,
        name=code,
        code=code,
        prices=list(prices),
        entitlements=list(grants),
        publish=True,
        **more,
    )


async def subscribed(call: Call, *codes: str, **more: Any) -> Any:
    """Jane's only subscription, as it is answered to whoever creates it."""
    wanted = {"products": [{"code": code} for code in codes or ("pro",)], **BACK, **more}
    made = await call(create_customer, name="Jane", external_id="jane", subscriptions=[wanted])
    return made.subscriptions[0]


async def standing(call: Call) -> Any:
    """Jane's only subscription now."""
    return (await call(get_customer, customer_id="jane")).subscriptions[0]


async def pay(web: httpx.AsyncClient, subscription: Any, card: str = GOOD) -> httpx.Response:
    link = subscription.required_actions[0].redirect_url
    form = {"card_number": card, "confirmed": "yes"}
    return await web.post(httpx.URL(link).path, data=form)


async def grants(call: Call, account: str = "default:credits") -> list[tuple[Any, Any, Any]]:
    """Amount, what is left, expiry; oldest first."""
    page = await call(list_grants, customer_id="jane", account_id=account, limit=100)
    return [(one.amount, one.available, one.expires_at) for one in reversed(page.items)]


async def in_order(call: Call) -> None:
    verified = await call(verify_ledger)
    assert verified.ok, verified


async def told(system: System) -> list[tuple[str, dict[str, Any]]]:
    """What the tenant was told of subscriptions, oldest first."""

    def read() -> list[tuple[str, dict[str, Any]]]:
        with system.billing.database.read() as session:
            rows = session.exec(select(NoticeRow).order_by(col(NoticeRow.id)))
            return [(row.kind, row.details) for row in rows if row.kind.startswith("subscription")]

    return await asyncio.to_thread(read)
