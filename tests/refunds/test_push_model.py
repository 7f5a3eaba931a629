"""Payments that another provider collects: each of its references counts once, and a refund never
gives back more than its payment."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import httpx
import pytest
from mcp import Client

from credyt_mcp.errors import AmountOutOfRange, IdReused, UnknownReference
from credyt_mcp.use_cases.adjustments import create_adjustment
from credyt_mcp.use_cases.wallets import get_transaction, list_grants
from tests.conftest import Call
from tests.refunds.shop import Shop
from tests.samples import a_wallet, balances


async def pushed(call: Call, reference: str, amount: Any = 25, **more: Any) -> Any:
    fields = {
        "customer_id": "jane",
        "transaction_id": f"tx-{reference}",
        "asset": "USD",
        "amount": amount,
        "reason": "external_topup" if Decimal(amount) > 0 else "external_refund",
        "provider": "paypal",
        "external_reference": reference,
    }
    return await call(create_adjustment, **(fields | more))


async def test_a_reference_counts_once_whatever_id_it_comes_with(call: Call, shop: Shop) -> None:
    told = [pushed(call, "cap_1", transaction_id=f"try-{n % 3}") for n in range(9)]
    answers = await asyncio.gather(*told)
    assert len({(one.id, one.created_at) for one in answers}) == 1
    assert await balances(call) == {"default:USD": 25}
    await pushed(call, "cap_1", provider="Adyen", transaction_id="other")
    assert await balances(call) == {"default:USD": 50}
    await shop.books_are_right()


async def test_told_otherwise_it_is_a_conflict(call: Call, shop: Shop) -> None:
    await a_wallet(call, who="john")
    await pushed(call, "cap_1")
    for other in ({"amount": 26}, {"customer_id": "john"}, {"account_name": "savings"}):
        with pytest.raises(IdReused):
            await pushed(call, "cap_1", **other)
    with pytest.raises(IdReused):
        await pushed(call, "cap_2", transaction_id="tx-cap_1")
    assert await balances(call) == {"default:USD": 25}


async def test_refunds_are_of_a_payment_and_never_more(call: Call, shop: Shop) -> None:
    await pushed(call, "cap_1")
    await pushed(call, "cap_2")
    await asyncio.gather(*(pushed(call, "ref_1", -10, refund_of="cap_1") for _ in range(5)))
    await pushed(call, "ref_2", -15, refund_of="cap_1")
    with pytest.raises(AmountOutOfRange, match="only 0 USD is left"):
        await pushed(call, "ref_3", -1, refund_of="cap_1")
    for unknown in ("cap_9", "ref_1"):
        with pytest.raises(UnknownReference):
            await pushed(call, "ref_3", -1, refund_of=unknown)
    assert await balances(call) == {"default:USD": 25}
    left = await call(list_grants, customer_id="jane", account_id="default:USD")
    assert [one.available for one in left.items] == [25, 0], "its own payment's credit went back"
    await shop.books_are_right()


async def test_what_was_spent_turns_the_balance_negative(call: Call, shop: Shop) -> None:
    await pushed(call, "cap_1")
    for n in range(5):
        await shop.spend(f"e{n}")
    await pushed(call, "ref_1", -25, refund_of="cap_1")
    assert await shop.has() == (-20, 0)
    await shop.books_are_right()


@pytest.mark.parametrize(
    "wrong",
    [
        {"provider": None},
        {"external_reference": None},
        {"reason": "gift"},
        {"refund_of": "cap_0"},
        {"provider": None, "external_reference": None, "refund_of": "cap_0", "amount": -1},
    ],
)
async def test_half_a_fact_is_refused_and_says_what_to_do(
    rest: httpx.AsyncClient, call: Call, shop: Shop, wrong: dict[str, Any]
) -> None:
    body = {"transaction_id": "t1", "asset": "USD", "amount": 5, "reason": "external_topup"}
    fact = body | {"provider": "paypal", "external_reference": "cap_1"} | wrong
    answer = await rest.post("/customers/jane/wallet/adjustments", json=fact)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert "provider" in answer.json()["detail"]
    assert await balances(call) == {"default:USD": 0}


async def test_over_rest_and_mcp(
    call: Call, shop: Shop, rest: httpx.AsyncClient, mcp: Client
) -> None:
    fact = {
        "transaction_id": "cap_1",
        "asset": "USD",
        "amount": 25,
        "reason": "external_topup",
        "provider": "paypal",
        "external_reference": "cap_1",
    }
    path = "/customers/jane/wallet/adjustments"
    made = [await rest.post(path, json=fact) for _ in range(2)]
    assert [one.status_code for one in made] == [201, 201]
    assert made[0].json() == made[1].json()
    back = {"transaction_id": "ref_1", "external_reference": "ref_1", "refund_of": "cap_1"}
    refund = fact | back | {"customer_id": "jane", "amount": -5, "reason": "external_refund"}
    assert not (await mcp.call_tool("create_adjustment", refund)).is_error
    assert (await rest.post(path, json=fact | {"amount": 24})).status_code == 409
    shown = await call(get_transaction, customer_id="jane", transaction_id="ref_1")
    assert (shown.amount, shown.refund_of) == (-5, "cap_1")
    assert await balances(call) == {"default:USD": 20}
