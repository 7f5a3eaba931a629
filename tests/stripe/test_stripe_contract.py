"""What a payment provider promises, asked of the Stripe provider. By default against the fake; with
STRIPE_TEST_KEY, the part that needs no browser against a real sandbox of Stripe."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from credyt_mcp.clock import SystemClock
from credyt_mcp.errors import Misconfigured, NotFound, ProviderUnavailable, WebhookRefused
from credyt_mcp.ids import new_id
from credyt_mcp.payments.provider import ChargeRequest, CheckoutRequest
from credyt_mcp.payments.stripe import StripeProvider
from credyt_mcp.payments.stripe_access import StripeAccess
from credyt_mcp.settings import Settings
from tests.stripe.conftest import SECRET, FakeStripe

REAL_KEY = os.environ.get("STRIPE_TEST_KEY")


class Memory:
    """References in memory: what is stored of them is tested with the database."""

    def __init__(self) -> None:
        self.known: dict[tuple[int, str], str] = {}

    def get(self, tenant_id: int, name: str) -> str | None:
        return self.known.get((tenant_id, name))

    def keep(self, tenant_id: int, name: str, ref: str) -> str:
        return self.known.setdefault((tenant_id, name), ref)


def provider_of(key: str, base: str | None, secrets: tuple[str, ...] = (SECRET,)) -> StripeProvider:
    done = "https://app.example/done"
    memory, access = Memory(), StripeAccess(key, secrets)
    return StripeProvider(access, lambda _: memory, SystemClock(), done_url=done, api_base=base)


@pytest.fixture
def provider(fake: FakeStripe) -> StripeProvider:
    return provider_of(fake.key, fake.base)


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.stripe_live)])
def either(request: pytest.FixtureRequest, fake: FakeStripe) -> StripeProvider:
    if request.param == "fake":
        return provider_of(fake.key, fake.base)
    if REAL_KEY is None:
        pytest.skip("STRIPE_TEST_KEY is not set: nothing is asked of Stripe itself")
    assert "_test_" in REAL_KEY, "a live key is never used by tests"
    return provider_of(REAL_KEY, None)


def a_request(**fields: object) -> CheckoutRequest:
    now = datetime.now(UTC)
    request = CheckoutRequest(
        key=new_id("top"),
        tenant_id=1,
        amount_minor=2500,
        currency="USD",
        description="Top-up",
        return_url="https://app.example/back",
        failure_url="https://app.example/failed",
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )
    return replace(request, **fields)  # type: ignore[arg-type]


def a_charge(customer_key: str) -> ChargeRequest:
    return ChargeRequest(new_id("pay"), 1, customer_key, 900, "USD", "Fee")


def test_asking_twice_is_asking_once(either: StripeProvider) -> None:
    request = a_request()
    assert either.create_checkout(request) == either.create_checkout(request)


def test_a_page_is_open_until_it_is_closed(either: StripeProvider) -> None:
    page = either.create_checkout(a_request())
    open_page = either.fetch(page.id)
    assert (open_page.status, open_page.amount_minor, open_page.currency) == (
        *("initiated", 2500),
        "USD",
    )
    assert either.close_checkout(page.id).status == "expired"
    assert either.close_checkout(page.id).status == "expired"


def test_an_unknown_page_is_not_found(either: StripeProvider) -> None:
    with pytest.raises(NotFound):
        either.fetch("cs_test_nobody")


def test_without_a_saved_card_the_customer_is_needed(either: StripeProvider) -> None:
    assert either.charge(a_charge(new_id("cust"))).status == "needs_customer"


def test_a_paid_page_cannot_be_closed(provider: StripeProvider, fake: FakeStripe) -> None:
    page = provider.create_checkout(a_request())
    fake.pay(page.url)
    assert provider.close_checkout(page.id).status == "succeeded"


@pytest.mark.parametrize(
    ("card", "status", "reason"),
    [
        ("pm_card_visa", "succeeded", None),
        ("pm_card_chargeCustomerFail", "failed", "The saved card was declined."),
        (
            "pm_card_authenticationRequired",
            "needs_customer",
            "The card's bank wants the customer to confirm.",
        ),
    ],
)
def test_a_saved_card_is_charged_once_under_one_key(
    provider: StripeProvider, fake: FakeStripe, card: str, status: str, reason: str | None
) -> None:
    page = provider.create_checkout(a_request(save_card=True, customer_key="cust_1"))
    fake.pay(page.url, card)
    fake.authenticate(page.url)
    request = a_charge("cust_1")
    fake.fail("drop_after", times=1)
    first = provider.charge(request)
    assert (first.status, first.reason, first.amount_minor) == (status, reason, 900)
    assert provider.charge(request) == first
    asked = fake.requests()
    assert asked.count("POST /v1/payment_intents") == 1
    assert asked.count("POST /v1/customers") == 1


@pytest.mark.parametrize("fault", ["500", "429", "drop_before"])
def test_an_outcome_that_is_not_known_is_said_to_be_so(
    provider: StripeProvider, fake: FakeStripe, fault: str
) -> None:
    fake.fail(fault)
    with pytest.raises(ProviderUnavailable):
        provider.create_checkout(a_request())


def test_a_delivery_without_a_secret_is_refused_loudly(fake: FakeStripe) -> None:
    with pytest.raises(Misconfigured, match="STRIPE_WEBHOOK_SECRET"):
        provider_of(fake.key, fake.base, ()).read_webhook(b"{}", None)


def test_a_test_event_is_refused_by_a_live_key(provider: StripeProvider, fake: FakeStripe) -> None:
    fake.pay(provider.create_checkout(a_request()).url)
    [told, *_] = fake.deliveries()
    live = provider_of("sk_live_canary", None)
    with pytest.raises(WebhookRefused, match="mode"):
        live.read_webhook(told["body"].encode(), told["signature"])


@pytest.mark.parametrize(
    "fields",
    [
        {"stripe_api_key": "sk_live_canary", "stripe_api_base": "http://127.0.0.1:1"},
        {"stripe_api_key": "pk_test_canary"},
    ],
)
def test_settings_that_could_lose_money_are_refused(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Settings(_env_file=None, **fields)
