"""The customer's billing page: who gets in, what it shows, and a top-up started from it."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import httpx
import pytest

from credyt_mcp.clock import FrozenClock
from credyt_mcp.use_cases.authorizations import authorize_usage
from credyt_mcp.use_cases.events import record_event
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.subscriptions import update_subscription
from tests.conftest import Call
from tests.samples import a_product, a_wallet, balances, credits_asset, unit_price, volume_price
from tests.use_cases.plans import a_plan, fee, pay, subscribed

URLS = {
    "return_url": "https://app.example/account",
    "failure_url": "https://app.example/expired",
}


async def a_link(rest: httpx.AsyncClient, who: str = "jane") -> str:
    answer = await rest.post("/billing-portal/sessions", json={"customer_id": who, **URLS})
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"redirect_url", "expires_at"}
    link: str = answer.json()["redirect_url"]
    return link


async def signed_in(rest: httpx.AsyncClient, browser: httpx.AsyncClient, who: str = "jane") -> str:
    """The page's text, as a reader sees it."""
    answer = await browser.get(await a_link(rest, who), follow_redirects=True)
    assert answer.status_code == 200, answer.text
    return text_of(answer)


def text_of(answer: httpx.Response) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def csrf_of(answer: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="(\w+)"', answer.text)
    assert found
    return found[1]


async def test_the_page_shows_balances_usage_and_subscriptions(
    call: Call, rest: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    await credits_asset(call)
    await a_product(call, unit_price(10, asset="credits"), volume_price("0.00000125"))
    await a_wallet(call, "studio", credit={"asset": "credits", "amount": 12500})
    await a_wallet(call, credit="5.999", who="jane")
    await call(authorize_usage, id="a1", customer_id="jane", asset="USD", amount="0.5")
    await call(record_event, customer_id="jane", id="e1", event_type="image", subject="img_7")
    await call(record_event, customer_id="jane", id="e2", event_type="chat", data={"tokens": 10})
    await call(record_event, customer_id="jane", id="e3", event_type="nothing")
    shown = await signed_in(rest, browser)
    assert "12,490 credits" in shown
    assert "5.49 USD" in shown  # 5.4989875, never rounded up
    assert "0.50 USD more set aside" in shown
    assert "studio img_7 10 Mar 2026, 12:00 UTC 10 credits" in shown
    assert "0.0000125 USD" in shown
    assert "nothing 10 Mar 2026, 12:00 UTC no charge" in shown
    assert "studio Since 10 Mar 2026 active" in shown
    assert "No top-ups yet." in shown


async def test_only_the_customers_own_facts_are_shown(
    call: Call, rest: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    await a_product(call, unit_price(1))
    for who in ("jane", "john"):
        await a_wallet(call, "studio", credit=7, who=who)
        await call(
            record_event, customer_id=who, id=f"of-{who}", event_type="image", subject=f"by-{who}"
        )
    shown = await signed_in(rest, browser)
    assert "by-jane" in shown and "john" not in shown


async def test_hostile_names_stay_text_and_the_page_runs_no_script(
    call: Call, rest: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    hostile = "<script>alert(1)</script>\"'"
    await a_product(call, unit_price(1), code=hostile)
    await rest.post("/customers", json={"name": hostile, "external_id": "x"})
    await a_wallet(call, hostile, credit=7, who="x")
    await call(
        record_event,
        customer_id="x",
        id="e",
        event_type="image",
        subject=hostile,
        description=hostile,
    )
    answer = await browser.get(await a_link(rest, "x"), follow_redirects=True)
    assert "<script" not in answer.text and text_of(answer).count(hostile) >= 3
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_a_link_works_more_than_once_for_ten_minutes(
    call: Call, rest: httpx.AsyncClient, browser: httpx.AsyncClient, clock: FrozenClock
) -> None:
    await a_wallet(call)
    link = await a_link(rest)
    for _ in range(2):  # a mail program may open it before the customer does
        browser.cookies.clear()
        entered = await browser.get(link)
        assert (entered.status_code, entered.headers["location"]) == (303, "/portal")
    cookie = entered.headers["set-cookie"].lower()
    for word in ("httponly", "samesite=lax", "path=/portal", "max-age=3600"):
        assert word in cookie
    assert link.partition("token=")[2] not in cookie
    clock.advance(timedelta(minutes=10) - timedelta(microseconds=1))
    assert (await browser.get(link)).headers["location"] == "/portal"
    clock.advance(timedelta(microseconds=1))
    late = await browser.get(link)
    assert (late.status_code, late.headers["location"]) == (303, URLS["failure_url"])
    assert (await browser.get("/portal")).status_code == 200  # who is in stays in


async def test_a_session_lasts_an_hour_and_ends_at_the_failure_url(
    call: Call, rest: httpx.AsyncClient, browser: httpx.AsyncClient, clock: FrozenClock
) -> None:
    await a_wallet(call)
    await signed_in(rest, browser)
    csrf = csrf_of(await browser.get("/portal"))
    # A browser would have dropped the cookie by then.
    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
    browser.cookies.clear()
    clock.advance(timedelta(hours=1))
    form = {"csrf": csrf, "choice": "default:USD:USD", "amount": "5"}
    for answer in (
        await browser.get("/portal", headers=cookie),
        await browser.post("/portal/top-ups", data=form, headers=cookie),
    ):
        assert (answer.status_code, answer.headers["location"]) == (303, URLS["failure_url"])


@pytest.mark.parametrize("path", ["/portal", "/portal/sign-in", "/portal/sign-in?token=bps_none"])
async def test_without_a_link_there_is_a_page_that_says_what_to_do(
    browser: httpx.AsyncClient, path: str
) -> None:
    answer = await browser.get(path)
    assert answer.status_code == 410
    assert "Go back to the app" in text_of(answer)


async def test_a_top_up_leads_to_the_checkout_and_back(
    call: Call, rest: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    await credits_asset(call)
    await a_product(call, unit_price(10, asset="credits"), volume_price(1))
    await a_wallet(call, "studio")
    await signed_in(rest, browser)
    page = await browser.get("/portal")
    assert "credits" in text_of(page) and "(0.05 USD per credits)" in text_of(page)
    form = {"csrf": csrf_of(page), "choice": "default:credits:USD", "amount": "25"}
    started = await browser.post("/portal/top-ups", data=form)
    assert started.status_code == 303
    assert "Continue to payment" in text_of(await browser.get("/portal"))
    paid = await browser.post(
        started.headers["location"], data={"card_number": "4242 4242 4242 4242"}
    )
    assert paid.headers["location"] == "http://127.0.0.1:8787/portal"
    assert "25.00 USD to Credits 10 Mar 2026, 12:00 UTC succeeded" in text_of(
        await browser.get("/portal")
    )
    assert (await balances(call))["default:credits"] == 500
    assert (await call(verify_ledger)).ok


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"amount": "-1"}, 422, "Amount: must be greater than 0"),
        ({"amount": "ten"}, 422, "Amount: Input should be a valid decimal"),
        ({"amount": ""}, 422, "Amount:"),
        ({"amount": "1.234"}, 422, "Amount: USD keeps at most 2 decimals"),
        ({"choice": "default:EUR:USD"}, 422, "Choice: is not on offer"),
        ({"choice": "nonsense"}, 422, "Choice: is not on offer"),
        ({"csrf": "0" * 64}, 403, "was not sent from your billing page"),
    ],
)
async def test_a_bad_top_up_is_refused_on_the_page(
    call: Call,
    rest: httpx.AsyncClient,
    browser: httpx.AsyncClient,
    change: dict[str, str],
    status: int,
    said: str,
) -> None:
    await a_wallet(call)
    await signed_in(rest, browser)
    csrf = csrf_of(await browser.get("/portal"))
    form = {"csrf": csrf, "choice": "default:USD:USD", "amount": "5", **change}
    answer = await browser.post("/portal/top-ups", data=form)
    assert (answer.status_code, said in text_of(answer)) == (status, True), text_of(answer)
    assert "No top-ups yet." in text_of(await browser.get("/portal"))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"customer_id": "nobody"}, "customer_id"),
        ({"return_url": "http://app.example"}, "return_url"),
        ({"failure_url": "javascript:alert(1)"}, "failure_url"),
        ({"failure_url": None}, "failure_url"),
    ],
)
async def test_a_session_for_nobody_or_with_a_bad_url_is_refused(
    call: Call, rest: httpx.AsyncClient, change: dict[str, str | None], field: str
) -> None:
    await a_wallet(call)
    body = {"customer_id": "jane", **URLS, **change}
    answer = await rest.post("/billing-portal/sessions", json=body)
    assert (answer.status_code, list(answer.json()["errors"])) == (422, [field])


async def test_what_has_ended_is_not_said_to_renew(
    call: Call, rest: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    await a_plan(call, fee(20))
    made = await subscribed(call)
    await pay(rest, made)
    assert "renews 10 Apr 2026" in await signed_in(rest, browser)
    path = {"customer_id": "jane", "subscription_id": made.id}
    await call(update_subscription, **path, status="inactive")
    shown = await signed_in(rest, browser)
    assert "inactive" in shown
    assert "renews" not in shown
