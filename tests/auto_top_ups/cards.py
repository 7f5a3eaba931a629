"""Customers with saved cards and automatic top-ups, made through the public faces."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from sqlmodel import col, select

from credyt_mcp.app import System
from credyt_mcp.storage.ledger_tables import NoticeRow
from credyt_mcp.use_cases.auto_top_ups import get_auto_top_up, set_auto_top_up
from credyt_mcp.use_cases.payment_methods import add_payment_method, list_payment_methods
from tests.conftest import Call
from tests.samples import a_product, a_wallet, unit_price

GOOD, OTHER_GOOD = "4242424242424242", "5555555555554444"
NO_FUNDS, LOST, ASKS_ALWAYS = "4000000000009995", "4000000000009987", "4000002760003184"
URLS = {"return_url": "https://app.example/ok", "failure_url": "https://app.example/failed"}
USD = {"customer_id": "jane", "account_id": "default:USD"}
TERMS: dict[str, Any] = {
    "threshold": 5,
    "amount": 20,
    "consent": {"text": "Charge my card USD 20 whenever I have less than USD 5.", "version": "1"},
}


async def a_card(call: Call, web: httpx.AsyncClient, number: str = GOOD, who: str = "jane") -> str:
    """Save a card without paying; answers its id."""
    page = await call(add_payment_method, customer_id=who, **URLS)
    form = {"card_number": number, "confirmed": "yes"}
    answer = await web.post(httpx.URL(page.redirect_url).path, data=form)
    assert answer.status_code == 303, answer.text
    newest: str = (await call(list_payment_methods, customer_id=who)).items[0].id
    return newest


async def a_rule(call: Call, web: httpx.AsyncClient, number: str = GOOD, **terms: Any) -> Any:
    """Jane, who has $10 and buys images at $1 each, with a rule: under $5 charge $20."""
    await a_product(call, unit_price(1))
    await a_wallet(call, "studio", credit=10)
    await a_card(call, web, number)
    return await call(set_auto_top_up, **USD, **TERMS | terms)


async def rule(call: Call) -> Any:
    return await call(get_auto_top_up, **USD)


async def told(system: System, noun: str = "auto_top_up") -> list[dict[str, Any]]:
    """What the tenant was told of a noun, oldest first, with its `kind`."""

    def read() -> list[dict[str, Any]]:
        with system.billing.database.read() as session:
            rows = session.exec(select(NoticeRow).order_by(col(NoticeRow.id)))
            return [
                {"kind": row.kind, **row.details} for row in rows if row.kind.startswith(f"{noun}.")
            ]

    return await asyncio.to_thread(read)
