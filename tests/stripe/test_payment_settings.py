"""What an account sets for its payments: limits, taxes, invoices, where pages lead back to. And
that Stripe takes what we asked for, in every kind of currency."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlmodel import col, select

from credyt_mcp.app import System
from credyt_mcp.settings import Settings
from credyt_mcp.storage.ledger_tables import AuditRow
from credyt_mcp.use_cases.billing_portal import create_portal_session
from credyt_mcp.use_cases.open_payments import follow_up
from credyt_mcp.use_cases.top_ups import get_top_up
from credyt_mcp.use_cases.topup_flows import generate_topup_flow
from tests.conftest import Call
from tests.samples import a_wallet, balances
from tests.stripe.conftest import FakeStripe
from tests.stripe.test_payment_accounts import deliver

BACK = {"return_url": "https://app.example/ok", "failure_url": "https://app.example/failed"}


async def settings_of(rest: httpx.AsyncClient, **changes: Any) -> Any:
    answer = await rest.patch("/payment-settings", json=changes)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def start(rest: httpx.AsyncClient, amount: Any, currency: str = "USD", **more: Any) -> Any:
    body = {"customer_id": "jane", "amount": amount, "currency": currency, **BACK, **more}
    return await rest.post("/top-ups", json=body)


@pytest.mark.parametrize(
    ("currency", "amount", "asked"),
    [("USD", "10.5", 1050), ("JPY", "500", 500), ("KWD", "1.25", 1250), ("HUF", "200", 20000)],
)
async def test_stripe_is_asked_for_the_amount_in_its_own_units_and_that_is_credited(
    call: Call, fake: FakeStripe, currency: str, amount: str, asked: int
) -> None:
    await a_wallet(call)
    flow = await call(generate_topup_flow, customer_id="jane", amount=amount, currency=currency)
    [page] = fake.objects("checkout.session")
    assert (page["amount_total"], page["currency"]) == (asked, currency.lower())
    fake.pay(flow.redirect_url)
    assert (await call(get_top_up, top_up_id=flow.top_up_id)).status == "succeeded"
    assert (await balances(call))[f"default:{currency}"] == Decimal(amount)


@pytest.mark.parametrize("said", [{"amount_subtotal": 100000}, {"currency": "eur"}])
async def test_another_amount_or_currency_than_asked_is_never_credited(
    call: Call, rest: httpx.AsyncClient, system: System, fake: FakeStripe, said: dict[str, Any]
) -> None:
    await a_wallet(call)
    flow = await call(generate_topup_flow, customer_id="jane", amount=10)
    fake.pay(flow.redirect_url)
    fake.change(flow.redirect_url, **said)
    assert await deliver(rest, fake.deliveries()) == {200}
    await follow_up(system.billing)
    assert await balances(call) == {}
    told = await rest.get(f"/top-ups/{flow.top_up_id}")
    assert (told.status_code, told.json()["code"]) == (500, "ledger_broken")


async def test_tax_is_added_by_stripe_and_is_not_the_customers_credit(
    call: Call, rest: httpx.AsyncClient, fake: FakeStripe
) -> None:
    await settings_of(rest, automatic_tax=True, invoices=True)
    await a_wallet(call)
    flow = await call(generate_topup_flow, customer_id="jane", amount=10)
    fake.pay(flow.redirect_url)
    [page] = fake.objects("checkout.session")
    assert (page["amount_subtotal"], page["amount_total"]) == (1000, 1200)
    assert page["invoice_creation"] == {"enabled": True}
    assert (await call(get_top_up, top_up_id=flow.top_up_id)).status == "succeeded"
    assert await balances(call) == {"default:USD": Decimal(10)}


@pytest.mark.parametrize(
    ("currency", "amount", "limits"),
    [
        ("USD", "4.99", "between 5 and 500"),
        ("USD", "500.01", "between 5 and 500"),
        ("GBP", "0.29", "between 0.3 and 999999.99"),
        ("JPY", "49", "between 50 and 99999999"),
        ("KWD", "1.001", "two decimals"),
        ("EUR", "20.01", "between 0.5 and 20"),
    ],
)
async def test_an_amount_outside_the_limits_is_refused_with_the_limits(
    call: Call,
    rest: httpx.AsyncClient,
    fake: FakeStripe,
    currency: str,
    amount: str,
    limits: str,
) -> None:
    await a_wallet(call)
    await settings_of(rest, top_up_limits={"USD": {"min": 5, "max": 500}, "EUR": {"max": 20}})
    refused = await start(rest, float(amount), currency)
    assert (refused.status_code, refused.json()["code"]) == (422, "amount_out_of_range")
    assert limits in refused.text
    assert fake.objects("checkout.session") == []
    assert (await start(rest, 20, currency)).status_code == (422 if currency == "JPY" else 201)


@pytest.mark.parametrize(
    "changes",
    [
        {"top_up_limits": {"XXY": {"min": 1}}},
        {"top_up_limits": {"USD": {"min": 0.001}}},
        {"top_up_limits": {"USD": {"min": 5, "max": 4}}},
        {"return_url_hosts": ["https://app.example"]},
        {"return_url_hosts": ["app.example/path"]},
        {"automatic_tax": "yes"},
    ],
)
async def test_settings_that_mean_nothing_are_refused(
    rest: httpx.AsyncClient, changes: dict[str, Any]
) -> None:
    before = (await rest.get("/payment-settings")).json()
    assert (await rest.patch("/payment-settings", json=changes)).status_code == 422
    assert (await rest.get("/payment-settings")).json() == before


async def test_an_account_lists_the_hosts_that_pages_may_lead_back_to(
    call: Call, rest: httpx.AsyncClient, system: System
) -> None:
    await a_wallet(call)
    assert (await start(rest, 10)).status_code == 201
    shown = await settings_of(rest, return_url_hosts=["Shop.example", "shop.example"])
    assert (shown["return_url_hosts"], shown["return_url_hosts_from"]) == (
        ["shop.example"],
        "account",
    )
    refused = await start(rest, 10)
    assert refused.status_code == 422 and "PATCH /payment-settings" in refused.text
    there = {name: url.replace("app", "shop") for name, url in BACK.items()}
    assert (await start(rest, 10, **there)).status_code == 201
    another = await rest.post("/accounts", json={"name": "Another"})
    headers = {"X-CREDYT-ACCOUNT": another.json()["id"]}
    theirs = (await rest.get("/payment-settings", headers=headers)).json()
    assert theirs["return_url_hosts_from"] == "server"
    await settings_of(rest, default_return_url_hosts=True)
    assert (await start(rest, 10)).status_code == 201
    with system.billing.database.read() as session:
        rows = session.exec(
            select(AuditRow)
            .where(AuditRow.action == "payment_settings.changed")
            .order_by(col(AuditRow.id))
        ).all()
    assert [row.after["return_url_hosts"] for row in rows] == [["shop.example"], None]
    assert rows[1].before["return_url_hosts"] == ["shop.example"] and rows[0].actor != "local"


async def in_portal(call: Call, rest: httpx.AsyncClient, settings: Settings) -> httpx.Response:
    """Jane's billing page; `rest` is her browser from then on."""
    await a_wallet(call)
    link = await call(create_portal_session, customer_id="jane", **BACK)
    entered = await rest.get(link.redirect_url.removeprefix(settings.public_url))
    rest.cookies.update(entered.cookies)
    return await rest.get("/portal")


async def test_the_portals_forms_lead_to_stripes_pages_only(
    call: Call, rest: httpx.AsyncClient, settings: Settings
) -> None:
    page = await in_portal(call, rest, settings)
    policy = page.headers["content-security-policy"]
    assert policy.endswith("form-action 'self' https://checkout.stripe.com")


@pytest.mark.parametrize(
    ("form", "given"),
    [("top-ups", {"choice": "default:USD:USD", "amount": "10"}), ("cards", {})],
)
async def test_a_page_on_a_host_of_ones_own_is_reached_by_a_link(
    call: Call,
    rest: httpx.AsyncClient,
    settings: Settings,
    fake: FakeStripe,
    form: str,
    given: dict[str, str],
) -> None:
    page = await in_portal(call, rest, settings)
    csrf = re.search(r'name="csrf" value="(\w+)"', page.text)
    assert csrf is not None
    data = {"csrf": csrf[1], **given}
    usual = await rest.post(f"/portal/{form}", data=data)
    assert usual.headers["location"].startswith("https://checkout.stripe.com/c/pay/")
    fake.control("pages_at", url="https://pay.shop.example")
    shown = await rest.post(f"/portal/{form}", data=data)
    assert shown.status_code == 200
    assert '<a href="https://pay.shop.example/c/pay/' in shown.text
