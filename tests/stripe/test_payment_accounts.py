"""An account takes payments with a Stripe of its own: its key goes in sealed and is never told, its
events come to an endpoint of its own, and a platform can act for connected accounts."""

from __future__ import annotations

import secrets
from decimal import Decimal
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.errors import Misconfigured
from credyt_mcp.settings import Settings
from credyt_mcp.storage.sealing import Vault, new_key
from credyt_mcp.use_cases.keys import create_key
from credyt_mcp.use_cases.open_payments import fetch_undelivered, follow_up
from credyt_mcp.use_cases.sealed_secrets import seal_again
from tests.conftest import API_KEY
from tests.stripe.conftest import HOOK, SECRET, FakeStripe
from tests.stripe.test_stripe_changes import server

OWN_SECRET, OWN_NEW_SECRET = "whsec_own_old", "whsec_own_new"
BACK = {"return_url": "https://app.example/ok", "failure_url": "https://app.example/failed"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"secrets_key": SecretStr(new_key())})


@pytest.fixture
def own(fake_stripe_url: str) -> FakeStripe:
    """The Stripe account of an account of ours, beside the server's own `fake`."""
    return FakeStripe(fake_stripe_url)


class Account:
    """Over REST as an account, with one customer, Jane."""

    def __init__(self, web: httpx.AsyncClient, account_id: str | None = None) -> None:
        self.web = web
        self.headers = {"X-CREDYT-ACCOUNT": account_id} if account_id else {}

    async def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return await self.web.request(method, path, json=body, headers=self.headers)

    async def get(self, path: str) -> Any:
        return (await self.send("GET", path)).json()

    async def connect(self, **body: Any) -> Any:
        answer = await self.send("POST", "/payment-accounts", body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def top_up(self, amount: float = 10, currency: str = "USD") -> Any:
        await self.send("POST", "/customers", {"name": "Jane", "external_id": "jane"})
        body = {"customer_id": "jane", "amount": amount, "currency": currency, **BACK}
        answer = await self.send("POST", "/top-ups", body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def balance(self) -> Any:
        wallet = await self.get("/customers/jane/wallet")
        return sum(Decimal(str(one["available"])) for one in wallet["accounts"])


@pytest.fixture
def platform(rest: httpx.AsyncClient) -> Account:
    return Account(rest)


@pytest.fixture
async def shop(rest: httpx.AsyncClient) -> Account:
    made = await rest.post("/accounts", json={"name": "Shop"})
    return Account(rest, made.json()["id"])


async def deliver(web: httpx.AsyncClient, told: list[dict[str, str]], hook: str = HOOK) -> set[int]:
    return {
        (
            await web.post(
                hook, content=one["body"], headers={"Stripe-Signature": one["signature"]}
            )
        ).status_code
        for one in told
    }


def everything_stored(system: System) -> str:
    with system.billing.database.read() as session:
        tables = ("payment_accounts", "payment_settings", "webhook_destinations", "audit")
        rows = [session.connection().execute(text(f"SELECT * FROM {one}")) for one in tables]
        return str([tuple(row) for found in rows for row in found])


async def test_payments_go_to_the_accounts_own_stripe_and_its_events_to_its_own_endpoint(
    shop: Account, platform: Account, system: System, own: FakeStripe, fake: FakeStripe
) -> None:
    account = await shop.connect(secret_key=own.key, webhook_secrets=[OWN_SECRET])
    assert account["active"] and not account["livemode"] and not account["restricted"]
    hook = httpx.URL(account["webhook_url"]).path
    assert hook == f"{HOOK}/{account['id']}"
    started = await shop.top_up()
    own.pay(started["redirect_url"])
    assert fake.requests() == [], "the server's own Stripe was asked nothing"
    # Signed for the server's endpoint, it is refused at the account's own, and the other way round.
    assert await deliver(shop.web, own.deliveries(SECRET), hook) == {400}
    assert await deliver(shop.web, own.deliveries(OWN_SECRET)) == {400}
    told = [*own.deliveries(OWN_SECRET), *own.deliveries(OWN_SECRET, shape="thin")]
    assert await deliver(shop.web, told * 2, hook) == {200}
    await follow_up(system.billing)
    assert await shop.balance() == 10
    # The platform's payments still go to the server's.
    fake.pay((await platform.top_up())["redirect_url"])


async def test_secrets_of_an_endpoint_are_rolled(shop: Account, own: FakeStripe) -> None:
    account = await shop.connect(secret_key=own.key)
    path, hook = f"/payment-accounts/{account['id']}", httpx.URL(account["webhook_url"]).path
    own.pay((await shop.top_up())["redirect_url"])
    missing = await shop.web.post(hook, content="{}", headers={"Stripe-Signature": "t=1,v1=0"})
    assert (missing.status_code, missing.json()["code"]) == (500, "misconfigured")
    both = {"webhook_secrets": [OWN_SECRET, OWN_NEW_SECRET]}
    assert (await shop.send("PATCH", path, both)).json()["webhook_secrets"] == 2
    for secret in both["webhook_secrets"]:
        assert await deliver(shop.web, own.deliveries(secret), hook) == {200}
    await shop.send("PATCH", path, {"webhook_secrets": [OWN_NEW_SECRET]})
    assert await deliver(shop.web, own.deliveries(OWN_SECRET), hook) == {400}
    assert await deliver(shop.web, own.deliveries(OWN_NEW_SECRET), hook) == {200}
    nowhere = await shop.web.post(f"{HOOK}/pya_nowhere", content="{}")
    assert nowhere.status_code == 404


async def test_nothing_secret_is_stored_in_plain_text_shown_or_logged(
    shop: Account, system: System, own: FakeStripe, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    account = await shop.connect(secret_key=own.key, webhook_secrets=[OWN_SECRET])
    hook = (await shop.send("POST", "/webhooks", {"url": "https://app.example/hook"})).json()
    refused = await shop.send("POST", "/payment-accounts", {"secret_key": f"pk_{own.key}"})
    also = await shop.send("POST", "/payment-accounts", {"secret_key": [own.key]})
    assert (refused.status_code, also.status_code) == (422, 422)
    seen = [account, refused.text, also.text, await shop.get("/payment-accounts"), caplog.text]
    for secret in (own.key, OWN_SECRET, hook["secret"]):
        assert secret not in f"{seen}{everything_stored(system)}"
    assert account["key"] == f"sk_test_…{own.key[-4:]}"
    assert (await shop.get(f"/webhooks/{hook['id']}"))["secret"] == hook["secret"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"secret_key": "sk_live_canary"}, "live key"),
        ({"secret_key": "whsec_canary"}, "secret or restricted key"),
        ({}, "either secret_key or connected_account"),
        ({"connected_account": "acct_other1"}, "connected_account"),
        ({"secret_key": "sk_test_canary", "application_fee_percent": 3}, "connected accounts"),
        ({"secret_key": "sk_test_canary", "webhook_secrets": ["canary"]}, "whsec_"),
    ],
)
async def test_what_cannot_take_payments_is_refused_and_changes_nothing(
    shop: Account, body: dict[str, Any], why: str
) -> None:
    refused = await shop.send("POST", "/payment-accounts", body)
    assert refused.status_code == 422 and why in refused.text, refused.text
    assert "canary" not in refused.text
    assert (await shop.get("/payment-accounts"))["items"] == []


async def test_a_live_account_refuses_a_test_key(
    rest: httpx.AsyncClient, system: System, clock: FrozenClock, own: FakeStripe
) -> None:
    key = create_key(system.billing.database, clock, "live", "live").key
    headers = {"X-CREDYT-API-KEY": key}
    refused = await rest.post("/payment-accounts", json={"secret_key": own.key}, headers=headers)
    assert refused.status_code == 422 and "test key" in refused.text


async def test_a_restricted_key_that_may_not_ask_whose_it_is_works(
    shop: Account, own: FakeStripe
) -> None:
    own.key = own.key.replace("sk_test_", "rk_test_mute")
    shown = await shop.connect(secret_key=own.key)
    assert shown["restricted"] and shown["account"].startswith("key_")
    assert (await shop.top_up())["redirect_url"].startswith("https://checkout.stripe.com/")


async def test_a_rolled_key_stays_the_same_payment_account(shop: Account, own: FakeStripe) -> None:
    first = await shop.connect(secret_key=own.key, webhook_secrets=[OWN_SECRET])
    started = await shop.top_up()
    own.pay(started["redirect_url"])
    again = await shop.connect(secret_key=f"{own.key.replace('sk', 'rk', 1)}_rolled")
    assert (again["id"], again["webhook_secrets"]) == (first["id"], 1)
    assert again["key"].startswith("rk_test_") and again["restricted"]
    assert (await shop.get(f"/top-ups/{started['id']}"))["status"] == "succeeded"


async def test_a_payment_is_brought_to_its_end_where_it_was_begun(
    shop: Account, own: FakeStripe, fake_stripe_url: str
) -> None:
    first, other = await shop.connect(secret_key=own.key), FakeStripe(fake_stripe_url)
    before = await shop.top_up()
    second = await shop.connect(secret_key=other.key)
    kept = await shop.send("DELETE", f"/payment-accounts/{first['id']}")
    assert (kept.status_code, kept.json()["code"]) == (409, "wrong_state")
    own.pay(before["redirect_url"])
    other.pay((await shop.top_up())["redirect_url"])
    assert (await shop.get(f"/top-ups/{before['id']}"))["status"] == "succeeded"
    listed = (await shop.get("/payment-accounts"))["items"]
    assert [(one["id"], one["active"]) for one in listed] == [
        (second["id"], True),
        (first["id"], False),
    ]
    gone = await shop.send("DELETE", f"/payment-accounts/{first['id']}")
    assert gone.status_code == 204
    assert [one["id"] for one in (await shop.get("/payment-accounts"))["items"]] == [second["id"]]


async def test_another_accounts_stripe_cannot_pay_a_top_up_nor_hide_its_events(
    shop: Account, platform: Account, system: System, own: FakeStripe, fake: FakeStripe
) -> None:
    account = await shop.connect(secret_key=own.key, webhook_secrets=[OWN_SECRET])
    hook = httpx.URL(account["webhook_url"]).path
    target = await platform.top_up(500)
    # A page in the shop's own Stripe that claims to be for the platform's top-up, and is paid.
    page = own.page_for(target["id"], 50000)
    own.pay(page)
    assert await deliver(shop.web, own.deliveries(OWN_SECRET), hook) == {200}
    await follow_up(system.billing)
    assert (await platform.get(f"/top-ups/{target['id']}"))["status"] == "initiated"
    # The same event ids, signed by the shop, are not those of the server's own Stripe.
    fake.pay(target["redirect_url"])
    told = fake.deliveries(SECRET)
    forged = [own.signed(one["body"], OWN_SECRET) for one in told]
    assert await deliver(shop.web, forged, hook) == {200}
    answers = [
        await shop.web.post(
            HOOK, content=one["body"], headers={"Stripe-Signature": one["signature"]}
        )
        for one in told
    ]
    assert [answer.json()["duplicate"] for answer in answers] == [False] * len(told)
    await follow_up(system.billing)
    assert await platform.balance() == 500


async def test_a_platform_charges_for_a_connected_account_and_takes_its_fee(
    shop: Account, system: System, fake: FakeStripe, fake_stripe_url: str
) -> None:
    account_id = f"acct_{secrets.token_hex(8)}"
    account = await shop.connect(connected_account=account_id, application_fee_percent=2.5)
    assert account["account"] == account_id and account["connected"] and "key" not in account
    theirs = FakeStripe(fake_stripe_url, fake.key, account_id)
    started = await shop.top_up(9.99)
    theirs.pay(started["redirect_url"])
    assert "POST /v1/checkout/sessions" not in fake.requests()
    [paid] = theirs.objects("payment_intent")
    assert (paid["amount"], paid["application_fee_amount"]) == (999, 24)
    # Its events come to the platform's endpoint and name the account.
    told = theirs.deliveries(SECRET)
    assert all(f'"account": "{account_id}"' in one["body"] for one in told)
    assert await deliver(shop.web, told) == {200}
    await follow_up(system.billing)
    assert await shop.balance() == Decimal("9.99")


async def test_undelivered_events_are_fetched_from_every_account(
    shop: Account, system: System, own: FakeStripe
) -> None:
    await shop.connect(secret_key=own.key)
    own.pay((await shop.top_up())["redirect_url"])
    assert await fetch_undelivered(system.billing) == 2
    assert await fetch_undelivered(system.billing) == 0
    await follow_up(system.billing)
    assert await shop.balance() == 10


async def test_without_the_key_that_seals_nothing_is_taken_and_all_else_works(
    settings: Settings, clock: FrozenClock, own: FakeStripe
) -> None:
    async with server(settings, clock, secrets_key=None) as (_, _, web):
        web.headers["X-CREDYT-API-KEY"] = API_KEY
        shop = Account(web)
        refused = await shop.send("POST", "/payment-accounts", {"secret_key": own.key})
        assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
        assert "CREDYT_SECRETS_KEY" in refused.text and own.key not in refused.text
        hook = (await shop.send("POST", "/webhooks", {"url": "https://app.example/1"})).json()
    async with server(settings, clock) as (system, _, web):
        web.headers["X-CREDYT-API-KEY"] = API_KEY
        shop = Account(web)
        assert hook["secret"] in everything_stored(system)
        assert seal_again(system.billing) == 1
        assert hook["secret"] not in everything_stored(system)
        assert (await shop.get(f"/webhooks/{hook['id']}"))["secret"] == hook["secret"]
        await shop.connect(secret_key=own.key)
    async with server(settings, clock, secrets_key=SecretStr(new_key())) as (_, _, web):
        web.headers["X-CREDYT-API-KEY"] = API_KEY
        lost = await Account(web).send("POST", "/top-ups", {"customer_id": "x", "amount": 1})
        assert lost.status_code in (422, 500)


def test_keys_are_changed_by_putting_a_new_one_in_front() -> None:
    old, new = new_key(), new_key()
    kept = Vault([old]).seal("sk_live_canary")
    assert "canary" not in kept
    both = Vault([new, old])
    assert both.open(kept) == "sk_live_canary"
    assert Vault([new]).open(both.seal(both.open(kept))) == "sk_live_canary"
    with pytest.raises(Misconfigured, match="CREDYT_SECRETS_KEY"):
        Vault([new]).open(kept)
    with pytest.raises(Misconfigured, match="CREDYT_SECRETS_KEY"):
        Vault([]).open(kept)
    with pytest.raises(Misconfigured, match="not a list of keys"):
        Vault(["short"])
