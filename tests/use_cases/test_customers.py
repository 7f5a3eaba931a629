"""Customers and their subscriptions: all or nothing, no double billing, history kept."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import Conflict, InvalidRequest, NotFound, UnknownReference, WrongState
from credyt_mcp.use_cases.customers import (
    create_customer,
    get_customer,
    list_customers,
    update_customer,
)
from credyt_mcp.use_cases.events import record_event
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.product_versions import archive_version, update_version
from credyt_mcp.use_cases.products import create_product, create_product_version
from credyt_mcp.use_cases.subscriptions import (
    create_subscription,
    update_subscription,
    update_subscription_product,
)
from tests.conftest import NOW, Call
from tests.samples import a_product, balances, credits_asset, unit_price

FIXED: dict[str, Any] = {
    "name": "Fee",
    "type": "fixed",
    "billing_model": {"type": "recurring", "recurring": {"interval": "month"}},
    "pricing": [{"asset": "USD", "values": [{"unit_price": 20}]}],
}


def to(*codes: str, **more: Any) -> dict[str, Any]:
    """A subscription to products."""
    return {"products": [{"code": code} for code in codes], **more}


async def jane(call: Call, *subscriptions: dict[str, Any], **more: Any) -> Any:
    return await call(
        create_customer,
        name="Jane",
        external_id="jane",
        subscriptions=list(subscriptions),
        **more,
    )


async def fee(call: Call, event_id: str, **more: Any) -> Decimal:
    recorded = await call(record_event, customer_id="jane", id=event_id, event_type="image", **more)
    return sum((fee.amount for fee in recorded.fees), Decimal(0))


async def test_a_customer_is_subscribed_at_once_and_has_an_account_per_asset(call: Call) -> None:
    await credits_asset(call)
    address = {"type": "balance", "address": "bonus:credits"}
    await a_product(
        call,
        unit_price(1),
        unit_price(2, "credits", "video"),
        unit_price(2, "Credits", "audio", collection=address),
    )
    made = await jane(call, to("studio"), email="jane@example.com", metadata={"plan": "pro"})
    assert made.id.startswith("cust_")
    [subscription] = made.subscriptions
    assert (subscription.status, subscription.started_at) == ("active", NOW)
    [product] = subscription.products
    assert (product.code, product.version) == ("studio", 1)
    assert await balances(call) == {"default:USD": 0, "default:credits": 0, "bonus:credits": 0}
    for name in (made.id, "jane"):
        read = await call(get_customer, customer_id=name)
        assert read.subscriptions == made.subscriptions
        assert (read.active_subscription_count, read.metadata) == (1, {"plan": "pro"})
        assert (read.name, read.email, read.created_at) == ("Jane", "jane@example.com", NOW)


async def test_an_external_id_is_taken_once_also_at_the_same_time(call: Call) -> None:
    outcomes = await asyncio.gather(*(jane(call) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 4
    assert (await call(list_customers)).total_count == 1
    with pytest.raises(ValidationError, match="cust_"):
        await call(create_customer, name="Jane", external_id="cust_jane")


@pytest.mark.parametrize(
    ("wanted", "error", "said"),
    [
        (to("studio", "nothing"), UnknownReference, r"\[0\].products\[1\].code: there is no"),
        (to("draft"), InvalidRequest, "publish it first"),
        ({"products": [{"code": "studio", "version": 2}]}, InvalidRequest, "publish it first"),
        ({"products": [{"code": "studio", "version": 7}]}, UnknownReference, "no version 7"),
        ({"products": [{"id": "prp_1"}]}, UnknownReference, r"products\[0\].id"),
        (to("fixed"), InvalidRequest, r"\[0\].return_url: is required"),
        (to("fixed", return_url="ftp://app"), InvalidRequest, r"\[0\].return_url: must be"),
        (to("fixed", "euros", return_url="https://a.example"), InvalidRequest, "EUR and USD"),
        ({"products": [{"code": "old", "version": 1}]}, InvalidRequest, "archived"),
        (to("studio", "studio"), InvalidRequest, "listed twice"),
        (to("studio", renews_at=NOW), InvalidRequest, "renews_at"),
    ],
)
async def test_what_cannot_be_subscribed_to_leaves_nothing_written(
    call: Call, wanted: dict[str, Any], error: type[Exception], said: str
) -> None:
    await a_product(call, unit_price(1))
    await call(create_product_version, product_id="studio", prices=[unit_price(2)])
    await call(create_product, name="Draft", code="draft", prices=[unit_price(1)], publish=False)
    await a_product(call, FIXED, code="fixed")
    euros = {**FIXED, "pricing": [{"asset": "EUR", "values": [{"unit_price": 5}]}]}
    await a_product(call, euros, code="euros")
    await a_product(call, unit_price(1), code="old")
    await call(create_product_version, product_id="old", prices=[unit_price(2)], publish=True)
    await call(update_version, product_id="old", version=2, make_default=True)
    await call(archive_version, product_id="old", version=1)
    with pytest.raises(error, match=said):
        await jane(call, wanted)
    assert (await call(list_customers)).total_count == 0


async def test_nobody_is_subscribed_to_a_product_twice(call: Call) -> None:
    await a_product(call, unit_price(1))
    await jane(call, to("studio"))
    with pytest.raises(Conflict, match="studio"):
        await call(create_subscription, customer_id="jane", **to("studio"))
    with pytest.raises(InvalidRequest, match=r"subscriptions\[1\].products"):
        await call(create_customer, name="J", subscriptions=[to("studio"), to("studio")])
    assert (await call(list_customers)).total_count == 1
    outcomes = await asyncio.gather(
        *(call(create_subscription, customer_id="jane", **to("studio")) for _ in range(4)),
        return_exceptions=True,
    )
    assert all(isinstance(outcome, Conflict) for outcome in outcomes)
    assert await fee(call, "1") == 1


async def test_a_subscription_ends_and_resumes_and_the_pause_stays_free(
    call: Call, clock: FrozenClock
) -> None:
    await a_product(call, unit_price(1))
    subscription_id = (await jane(call, to("studio"))).subscriptions[0].id
    path = {"customer_id": "jane", "subscription_id": subscription_id}
    hour = timedelta(hours=1)
    clock.advance(hour)
    for _ in range(2):
        await call(update_subscription, **path, status="inactive")
    clock.advance(hour)
    read = await call(get_customer, customer_id="jane")
    assert read.active_subscription_count == 0
    assert [(s.status, s.products[0].version) for s in read.subscriptions] == [("inactive", 1)]
    for _ in range(2):
        await call(update_subscription, **path, status="active")
    assert await fee(call, "before", occurred_at=NOW + hour - timedelta(microseconds=1)) == 1
    assert await fee(call, "at the end", occurred_at=NOW + hour) == 0
    assert await fee(call, "paused", occurred_at=NOW + hour + timedelta(minutes=59)) == 0
    assert await fee(call, "resumed", occurred_at=NOW + 2 * hour) == 1
    assert (await call(get_customer, customer_id="jane")).active_subscription_count == 1


async def test_a_new_subscription_cannot_reach_back_into_an_earlier_one(
    call: Call, clock: FrozenClock
) -> None:
    await a_product(call, unit_price(1))
    first = (await jane(call, to("studio"))).subscriptions[0].id
    clock.advance(timedelta(hours=1))
    await call(update_subscription, customer_id="jane", subscription_id=first, status="inactive")
    with pytest.raises(InvalidRequest, match="starts_at: must not be before"):
        await call(create_subscription, customer_id="jane", **to("studio", starts_at=NOW))
    second = await call(create_subscription, customer_id="jane", **to("studio"))
    assert second.id != first
    with pytest.raises(Conflict):
        await call(update_subscription, customer_id="jane", subscription_id=first, status="active")
    assert await fee(call, "1") == 1


async def test_usage_is_priced_by_the_version_in_force_when_it_occurred(
    call: Call, clock: FrozenClock
) -> None:
    await credits_asset(call)
    await a_product(call, unit_price(1))
    await call(
        create_product_version, product_id="studio", prices=[unit_price(2, "credits")], publish=True
    )
    subscription_id = (await jane(call, to("studio"))).subscriptions[0].id
    clock.advance(timedelta(hours=1))
    path = {"customer_id": "jane", "subscription_id": subscription_id, "product_id": "studio"}
    await call(update_subscription_product, **path, version=1)
    assert list(await balances(call)) == ["default:USD"]
    await call(update_subscription_product, **path, version=2)
    assert list(await balances(call)) == ["default:USD", "default:credits"]
    assert await fee(call, "old", occurred_at=NOW) == 1
    assert await fee(call, "new") == 2
    assert await balances(call) == {"default:USD": -1, "default:credits": -2}
    assert (await call(get_customer, customer_id="jane")).subscriptions[0].products[0].version == 2
    await call(update_subscription_product, **path, version="default")
    assert (await call(get_customer, customer_id="jane")).subscriptions[0].products[0].version == 1
    assert (await call(verify_ledger)).ok


async def test_a_new_version_moves_no_subscriber_and_becomes_the_choice_of_new_ones(
    call: Call,
) -> None:
    await a_product(call, unit_price(1))
    await jane(call, to("studio"))
    await call(create_product_version, product_id="studio", prices=[unit_price(2)], publish=True)
    await call(update_version, product_id="studio", version=2, make_default=True)
    other = await call(create_customer, name="Joe", subscriptions=[to("studio")])
    assert other.subscriptions[0].products[0].version == 2
    assert (await call(get_customer, customer_id="jane")).subscriptions[0].products[0].version == 1


async def test_changes_to_what_is_not_there_or_not_active_are_refused(call: Call) -> None:
    await a_product(call, unit_price(1))
    subscription_id = (await jane(call, to("studio"))).subscriptions[0].id
    path = {"customer_id": "jane", "subscription_id": subscription_id}
    with pytest.raises(NotFound, match="customer"):
        await call(update_subscription, **{**path, "customer_id": "joe"}, status="active")
    with pytest.raises(NotFound, match="sub_x"):
        await call(update_subscription, **{**path, "subscription_id": "sub_x"}, status="active")
    with pytest.raises(NotFound, match="other"):
        await call(update_subscription_product, **path, product_id="other", version=1)
    with pytest.raises(UnknownReference, match="version: "):
        await call(update_subscription_product, **path, product_id="studio", version=9)
    await call(update_subscription, **path, status="inactive")
    with pytest.raises(WrongState):
        await call(update_subscription_product, **path, product_id="studio", version=1)


async def test_a_start_in_the_past_bills_usage_from_then_on(call: Call) -> None:
    await a_product(call, unit_price(1))
    earlier = NOW - timedelta(days=3)
    made = await jane(call, to("studio", starts_at=earlier))
    assert made.subscriptions[0].started_at == earlier
    assert await fee(call, "1", occurred_at=earlier) == 1
    assert await fee(call, "2", occurred_at=earlier - timedelta(seconds=1)) == 0


async def test_lists_narrow_by_each_field_and_show_the_newest_first(call: Call) -> None:
    await a_product(call, unit_price(1))
    ids = {}
    for name in ("Ann", "Bob", "ann"):
        subscribed = [to("studio")] if name == "Bob" else []
        made = await call(
            create_customer,
            name=name,
            external_id=f"ext-{name}",
            email=f"{name}@example.com",
            subscriptions=subscribed,
        )
        ids[name] = made.id

    async def names(**fields: Any) -> list[str]:
        return [item.name for item in (await call(list_customers, **fields)).items]

    assert await names() == ["ann", "Bob", "Ann"]
    assert await names(offset=1, limit=1) == ["Bob"]
    assert await names(name="ANN") == ["ann", "Ann"]
    assert await names(email="BOB@example.com") == ["Bob"]
    assert await names(external_id="ext-ann") == ["ann"]
    assert await names(customer_id=ids["Ann"]) == ["Ann"]
    assert await names(status="active") == ["Bob"]
    assert await names(status="inactive", name="ann") == ["ann", "Ann"]
    page = await call(list_customers, limit=2)
    assert page.total_count == 3
    assert [item.active_subscription_count for item in page.items] == [0, 1]


async def test_an_update_changes_what_it_names(call: Call) -> None:
    await jane(call, email="jane@example.com")
    await call(create_customer, name="Joe", external_id="joe")
    await call(update_customer, customer_id="jane", name="Jane Roe")
    read = await call(get_customer, customer_id="jane")
    assert (read.name, read.email, read.external_id) == ("Jane Roe", "jane@example.com", "jane")
    with pytest.raises(Conflict, match="joe"):
        await call(update_customer, customer_id="jane", external_id="joe")
    await call(update_customer, customer_id="jane", external_id="jane-2")
    assert (await call(get_customer, customer_id="jane-2")).id == read.id
    with pytest.raises(NotFound):
        await call(update_customer, customer_id="jane", name="Nobody")
