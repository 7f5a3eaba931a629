"""Saved cards: listed, added without paying, chosen, removed; over REST, in the sandbox."""

from __future__ import annotations

import httpx
import pytest

from credyt_mcp.app import System
from credyt_mcp.errors import InvalidRequest, NotFound
from credyt_mcp.use_cases.adjustments import create_charge
from credyt_mcp.use_cases.auto_top_ups import set_auto_top_up
from credyt_mcp.use_cases.automatic_charges import charge_due
from credyt_mcp.use_cases.payment_methods import add_payment_method, remove_payment_method
from credyt_mcp.use_cases.top_ups import start_top_up
from tests.auto_top_ups.cards import (
    GOOD,
    NO_FUNDS,
    OTHER_GOOD,
    TERMS,
    URLS,
    USD,
    a_card,
    a_rule,
    rule,
    told,
)
from tests.callers import live
from tests.conftest import Call
from tests.samples import a_wallet, balances

CARDS = "/customers/jane/payment-methods"


async def test_cards_are_listed_newest_first_and_the_default_can_be_chosen(
    call: Call, rest: httpx.AsyncClient
) -> None:
    await a_wallet(call)
    assert (await rest.get(CARDS)).json() == {"items": []}
    older = await a_card(call, rest)
    newer = await a_card(call, rest, OTHER_GOOD)
    items = (await rest.get(CARDS)).json()["items"]
    assert [(one["id"], one["brand"], one["last4"], one["is_default"]) for one in items] == [
        (newer, "mastercard", "4444", True),
        (older, "visa", "4242", False),
    ]
    chosen = await rest.post(f"{CARDS}/{older}/default")
    assert chosen.json()["is_default"] is True
    items = (await rest.get(CARDS)).json()["items"]
    assert [one["is_default"] for one in items] == [False, True]
    assert (await rest.delete(f"{CARDS}/{older}")).status_code == 204
    assert [one["is_default"] for one in (await rest.get(CARDS)).json()["items"]] == [True]
    assert (await rest.delete(f"{CARDS}/{older}")).status_code == 404
    assert "4242424242424242" not in (await rest.get(CARDS)).text


async def test_saving_the_same_card_again_keeps_one(call: Call, rest: httpx.AsyncClient) -> None:
    await a_wallet(call)
    assert await a_card(call, rest) == await a_card(call, rest)
    assert len((await rest.get(CARDS)).json()["items"]) == 1


@pytest.mark.parametrize(("save", "kept"), [(True, ["4242"]), (False, [])])
async def test_a_top_up_keeps_the_card_only_if_that_was_agreed(
    call: Call, rest: httpx.AsyncClient, save: bool, kept: list[str]
) -> None:
    await a_wallet(call)
    body = {"customer_id": "jane", "amount": 5, "currency": "USD", "save_card": save, **URLS}
    started = await call(start_top_up, **body)
    await rest.post(httpx.URL(started.redirect_url).path, data={"card_number": GOOD})
    assert await balances(call) == {"default:USD": 5}
    assert [one["last4"] for one in (await rest.get(CARDS)).json()["items"]] == kept


async def test_a_card_of_somebody_else_is_not_found(call: Call, rest: httpx.AsyncClient) -> None:
    await a_wallet(call)
    await a_wallet(call, who="john")
    card = await a_card(call, rest, who="john")
    with pytest.raises(NotFound):
        await call(remove_payment_method, customer_id="jane", payment_method_id=card)
    assert (await rest.post(f"{CARDS}/{card}/default")).status_code == 404


@pytest.mark.parametrize("chosen", [True, False])
async def test_removing_the_card_of_a_rule_switches_it_off_and_says_so(
    call: Call, rest: httpx.AsyncClient, system: System, chosen: bool
) -> None:
    await a_rule(call, rest)
    [card] = (await rest.get(CARDS)).json()["items"]
    if chosen:  # there is another, but the customer agreed to this one
        await call(set_auto_top_up, **USD, **TERMS, payment_method_id=card["id"])
        await a_card(call, rest, OTHER_GOOD)
    await rest.delete(f"{CARDS}/{card['id']}")
    standing = await rule(call)
    assert (standing.status, standing.reason) == ("off", "The saved card was removed.")
    assert [one["kind"] for one in await told(system)] == ["auto_top_up.disabled"]
    await call(create_charge, customer_id="jane", transaction_id="c", asset="USD", amount=6)
    assert await charge_due(system.billing) == 0


async def test_a_rule_without_a_card_of_its_own_goes_on_with_the_next_one(
    call: Call, rest: httpx.AsyncClient, system: System
) -> None:
    await a_rule(call, rest)
    bad = await a_card(call, rest, NO_FUNDS)
    await rest.delete(f"{CARDS}/{bad}")
    await call(create_charge, customer_id="jane", transaction_id="c", asset="USD", amount=6)
    await charge_due(system.billing)
    assert await balances(call) == {"default:USD": 24}


async def test_the_sandbox_keeps_no_card_in_live(
    call: Call, rest: httpx.AsyncClient, system: System
) -> None:
    there = live(system.billing)
    await a_wallet(there)
    with pytest.raises(InvalidRequest):
        await there(add_payment_method, customer_id="jane", **URLS)
