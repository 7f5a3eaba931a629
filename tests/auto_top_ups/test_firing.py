"""When an automatic top-up begins: once, in time, within its caps."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.use_cases.adjustments import create_charge
from credyt_mcp.use_cases.authorizations import (
    authorize_usage,
    capture_authorization,
    release_authorization,
)
from credyt_mcp.use_cases.auto_top_ups import set_auto_top_up, stop_auto_top_up
from credyt_mcp.use_cases.automatic_charges import charge_due
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.top_ups import get_top_up
from tests.auto_top_ups.cards import TERMS, USD, a_rule, rule, told
from tests.conftest import Call
from tests.samples import balances


async def spend(call: Call, amount: int | str, name: str = "c1") -> None:
    await call(
        create_charge, customer_id="jane", transaction_id=name, asset="USD", amount=amount
    )


async def has(call: Call) -> Decimal:
    return (await balances(call))["default:USD"]


async def test_falling_below_the_threshold_charges_the_card_and_credits_the_wallet(
    call: Call, rest: httpx.AsyncClient, system: System
) -> None:
    await a_rule(call, rest)
    await spend(call, 5)
    assert await charge_due(system.billing) == 0
    await spend(call, "0.01", "c2")
    await charge_due(system.billing)
    assert await has(call) == Decimal("24.99")
    standing = await rule(call)
    assert (standing.status, standing.top_up_id) == ("active", None)
    assert (standing.last_charge.status, standing.last_charge.available) == (
        "succeeded",
        Decimal("4.99"),
    )
    top_up = await call(get_top_up, top_up_id=standing.last_charge.top_up_id)
    assert (top_up.status, top_up.amount) == ("succeeded", 20)
    [paid] = await told(call, "top_up")
    assert (paid.kind, paid.top_up_id) == ("top_up.succeeded", top_up.id)
    assert (await call(verify_ledger)).ok
