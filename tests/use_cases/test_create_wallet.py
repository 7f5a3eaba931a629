"""create_wallet: one call makes a customer who can be billed; repeating it changes nothing."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from credyt_mcp.errors import AmountOutOfRange, InvalidRequest, UnknownReference
from credyt_mcp.use_cases.customers import create_customer, get_customer, list_customers
from credyt_mcp.use_cases.events import record_event
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.limits import get_limit_changes
from credyt_mcp.use_cases.products import create_product, create_product_version
from credyt_mcp.use_cases.provisioning import create_wallet
from credyt_mcp.use_cases.subscriptions import update_subscription
from credyt_mcp.use_cases.wallets import get_account, get_transaction
from tests.conftest import Call
from tests.samples import a_product, balances, credits_asset, unit_price

USD = "default:USD"
JANE: dict[str, Any] = {
    "external_id": "jane",
    "products": ["studio"],
    "starting_credit": {"asset": "usd", "amount": "2.5"},
}


async def test_one_call_makes_a_customer_who_can_be_billed(call: Call) -> None:
    await a_product(call, unit_price("0.5"))
    made = await call(create_wallet, **JANE, name="Jane", email="jane@example.com")
    assert (made.created, made.external_id, made.notes) == (True, "jane", [])
    assert made.balances == {"default:USD": Decimal("2.5")}
    [subscription] = made.subscriptions
    assert (subscription.status, subscription.products[0].code) == ("active", "studio")
    read = await call(get_customer, customer_id=made.customer_id)
    assert (read.name, read.email) == ("Jane", "jane@example.com")
    recorded = await call(record_event, customer_id="jane", id="1", event_type="image")
    assert recorded.balances == {"default:USD": 2}


async def test_a_second_call_changes_nothing(call: Call) -> None:
    await a_product(call, unit_price("0.5"))
    first = await call(create_wallet, **JANE)
    assert (await call(get_customer, customer_id="jane")).name == "jane"
    await call(create_product_version, product_id="studio", prices=[unit_price(9)], publish=True)
    second = await call(create_wallet, **JANE)
    assert second.created is False
    assert second.model_dump(exclude={"created"}) == first.model_dump(exclude={"created"})


async def test_what_stands_already_stays_and_is_said(call: Call) -> None:
    await a_product(call, unit_price("0.5"))
    await call(create_wallet, **JANE, name="Jane")
    again = await call(
        create_wallet,
        **{**JANE, "name": "Joan", "starting_credit": [{"asset": "USD", "amount": 100}]},
    )
    assert again.balances == {"default:USD": Decimal("2.5")}
    assert len(again.notes) == 2
    assert "Jane" in again.notes[0]
    assert "USD was given before" in again.notes[1]


async def test_calls_at_the_same_time_make_one_customer_with_one_credit(call: Call) -> None:
    await a_product(call, unit_price("0.5"))
    answers = await asyncio.gather(*(call(create_wallet, **JANE) for _ in range(8)))
    assert sum(answer.created for answer in answers) == 1
    assert len({answer.customer_id for answer in answers}) == 1
    assert (await call(list_customers)).total_count == 1
    assert len((await call(get_customer, customer_id="jane")).subscriptions) == 1
    assert await balances(call) == {"default:USD": Decimal("2.5")}
    assert (await call(verify_ledger)).ok


async def test_products_are_added_to_those_the_customer_has(call: Call) -> None:
    await credits_asset(call)
    await a_product(call, unit_price("0.5"))
    made = await a_product(call, unit_price(1, "credits", "video"), code="video")
    await call(
        create_customer,
        name="Jane",
        external_id="jane",
        subscriptions=[{"products": [{"code": "studio"}]}],
    )
    found = await call(
        create_wallet,
        external_id="jane",
        products=["studio", made.id, "video"],
        starting_credit=[{"asset": "credits", "amount": 20}, {"asset": "USD", "amount": 1}],
    )
    assert found.created is False
    assert [[p.code for p in s.products] for s in found.subscriptions] == [["studio"], ["video"]]
    assert found.balances == {"default:USD": 1, "default:credits": 20}
    gift = await call(
        get_transaction,
        customer_id="jane",
        transaction_id=f"starting-credit:{found.customer_id}:credits",
    )
    assert (gift.reason, gift.amount) == ("gift", 20)


async def test_an_ended_subscription_is_begun_anew_when_asked(call: Call) -> None:
    await a_product(call, unit_price("0.5"))
    made = await call(create_wallet, **JANE)
    await call(
        update_subscription,
        customer_id="jane",
        subscription_id=made.subscriptions[0].id,
        status="inactive",
    )
    again = await call(create_wallet, **JANE)
    assert [subscription.status for subscription in again.subscriptions] == ["inactive", "active"]
    assert again.balances == made.balances


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"products": ["studio", "nothing"]}, UnknownReference, r"products\[1\]: there is no"),
        ({"products": ["draft"]}, InvalidRequest, r"products\[0\]: .*publish it first"),
        ({"starting_credit": {"asset": "gold", "amount": 1}}, UnknownReference, "credit.asset"),
        (
            {"starting_credit": [{"asset": "USD", "amount": "0.0000000001"}]},
            AmountOutOfRange,
            r"starting_credit\[0\].amount",
        ),
        (
            {"starting_credit": [{"asset": a, "amount": 1} for a in ("USD", "usd")]},
            InvalidRequest,
            "listed twice",
        ),
    ],
)
async def test_what_cannot_be_made_leaves_nothing_written(
    call: Call, fields: dict[str, Any], error: type[Exception], said: str
) -> None:
    await a_product(call, unit_price("0.5"))
    await call(create_product, name="Draft", code="draft", prices=[unit_price(1)], publish=False)
    with pytest.raises(error, match=said):
        await call(create_wallet, **{**JANE, **fields})
    assert (await call(list_customers)).total_count == 0


async def test_limits_are_set_with_the_wallet_and_asking_again_changes_nothing(call: Call) -> None:
    wanted = {"asset": "usd", "overdraft_limit": 5, "hard_limit": True}
    for _ in range(2):
        await call(create_wallet, external_id="jane", limits=wanted)
    account = await call(get_account, customer_id="jane", account_id=USD)
    assert (account.overdraft_limit, account.hard_limit) == (5, True)
    changes = await call(get_limit_changes, customer_id="jane", account_id=USD)
    assert len(changes.items) == 1
