"""The billing page: a customer saves cards, agrees to automatic top-ups, and ends them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from credyt_mcp.app import System
from credyt_mcp.errors import ProviderUnavailable
from credyt_mcp.use_cases.adjustments import create_charge
from credyt_mcp.use_cases.automatic_charges import charge_due
from tests.auto_top_ups.cards import ASKS_ALWAYS, GOOD, NO_FUNDS, OTHER_GOOD, rule
from tests.conftest import Call
from tests.entrypoints.test_portal import csrf_of, signed_in, text_of
from tests.refunds.shop import Shop
from tests.samples import a_wallet, balances

TERMS = {
    "choice": "default:USD:USD",
    "threshold": "5",
    "amount": "20",
    "monthly_limit": "100",
    "agreed": "yes",
}


async def post(browser: httpx.AsyncClient, path: str, **form: str) -> httpx.Response:
    csrf = csrf_of(await browser.get("/portal"))
    return await browser.post(f"/portal/{path}", data={"csrf": csrf, **form})


async def save_card(browser: httpx.AsyncClient, number: str = GOOD) -> None:
    page = await post(browser, "cards")
    assert page.status_code == 303
    saved = await browser.post(
        page.headers["location"], data={"card_number": number, "confirmed": "yes"}
    )
    assert saved.headers["location"] == "http://127.0.0.1:8787/portal"


async def test_a_customer_saves_a_card_agrees_and_is_topped_up(
    call: Call, rest: httpx.AsyncClient, browser: httpx.AsyncClient, system: System
) -> None:
    wallet = await a_wallet(call, credit=10)
    assert "No card is saved." in await signed_in(rest, browser)
    await save_card(browser)
    assert "Visa •••• 4242" in text_of(await browser.get("/portal"))
    assert (await post(browser, "auto-top-ups", **TERMS)).status_code == 303
    shown = text_of(await browser.get("/portal"))
    assert "20 USD whenever below 5 USD, at most 100 USD a month" in shown
    consent = (await rule(call)).consent
    assert consent.text == (
        "I agree that the seller charges my saved card 20 USD whenever my balance falls below "
        "5 USD, at most 5 times a day, 30 times and 100 USD a month, until I switch it off."
    )
    assert (consent.recorded_by, consent.version) == (wallet.customer_id, "portal-1")
    await call(create_charge, customer_id="jane", transaction_id="c", asset="USD", amount=6)
    await charge_due(system.billing)
    assert await balances(call) == {"default:USD": 24}
    assert (await post(browser, "auto-top-ups/off", account_id="default:USD")).status_code == 303
    assert (await rule(call)).status == "off"


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"agreed": ""}, 422, "tick the box to agree"),
        ({"amount": "0"}, 422, "Amount: must be greater than 0"),
        ({"monthly_limit": "19"}, 422, "is less than one top-up"),
        ({"card": "pm_none"}, 422, "the customer has no saved card 'pm_none'"),
        ({"choice": "default:USD:EUR"}, 422, "has no EUR rate"),
        ({"choice": "other:USD:USD"}, 404, "has no account"),
    ],
)
async def test_bad_terms_are_refused_on_the_page(
    call: Call,
    rest: httpx.AsyncClient,
    browser: httpx.AsyncClient,
    change: dict[str, str],
    status: int,
    said: str,
) -> None:
    await a_wallet(call, credit=10)
    await signed_in(rest, browser)
    await save_card(browser)
    answer = await post(browser, "auto-top-ups", **TERMS | change)
    assert (answer.status_code, said in text_of(answer)) == (status, True), text_of(answer)
    assert "Off. Your card" in text_of(await browser.get("/portal"))


async def test_cards_are_chosen_and_removed(
    call: Call, rest: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    await a_wallet(call, credit=10)
    await signed_in(rest, browser)
    await save_card(browser)
    await save_card(browser, OTHER_GOOD)
    items = (await rest.get("/customers/jane/payment-methods")).json()["items"]
    await post(browser, "cards/default", card=items[1]["id"])
    await post(browser, "cards/remove", card=items[0]["id"])
    shown = text_of(await browser.get("/portal"))
    assert "Visa •••• 4242 expires 12/2099 Default Remove" in shown.replace("default", "Default")
    assert "4444" not in shown
    assert (await post(browser, "cards/remove", card="pm_none")).status_code == 404


async def test_the_page_asks_the_customer_to_confirm_and_says_why_a_card_fails(
    call: Call, rest: httpx.AsyncClient, browser: httpx.AsyncClient, system: System
) -> None:
    await a_wallet(call, credit=10)
    await signed_in(rest, browser)
    await save_card(browser, ASKS_ALWAYS)
    await post(browser, "auto-top-ups", **TERMS)
    await call(create_charge, customer_id="jane", transaction_id="c", asset="USD", amount=6)
    await charge_due(system.billing)
    page = await browser.get("/portal")
    assert "The card's bank wants the customer to confirm." in text_of(page)
    assert "Confirm and pay" in text_of(page)


async def test_a_frozen_rule_cannot_be_changed_from_the_page(
    call: Call, rest: httpx.AsyncClient, browser: httpx.AsyncClient, system: System
) -> None:
    await a_wallet(call, credit=10)
    await signed_in(rest, browser)
    await save_card(browser, NO_FUNDS)
    await post(browser, "auto-top-ups", **TERMS)
    shop = Shop(call, rest)
    await shop.dispute(await shop.top_up(3))
    assert "Switch off" not in text_of(await browser.get("/portal"))
    for path, form in (
        ("auto-top-ups", TERMS),
        ("auto-top-ups/off", {"account_id": "default:USD"}),
    ):
        assert (await post(browser, path, **form)).status_code == 409
    assert (await rule(call)).status == "frozen"


async def test_the_page_is_shown_while_the_provider_is_away(
    call: Call,
    rest: httpx.AsyncClient,
    browser: httpx.AsyncClient,
    system: System,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await a_wallet(call, credit=10)

    def away(*_: Any) -> None:
        raise ProviderUnavailable("it is away")

    monkeypatch.setattr(system.billing.payments, "cards", away)
    assert "cannot be shown just now" in await signed_in(rest, browser)


async def test_forms_of_somebody_else_change_nothing(
    call: Call, rest: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    await a_wallet(call, credit=10)
    await signed_in(rest, browser)
    await save_card(browser)
    forms = ("auto-top-ups", "auto-top-ups/off", "cards", "cards/default", "cards/remove")
    for path in forms:
        answer = await browser.post(f"/portal/{path}", data={"csrf": "0" * 64, **TERMS})
        assert answer.status_code == 403, path
