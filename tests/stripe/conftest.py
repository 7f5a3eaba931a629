"""Our system with Stripe's SDK talking to the fake Stripe; one account there for each test."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import stripe

from credyt_mcp.clock import FrozenClock, SystemClock
from credyt_mcp.settings import Settings
from tests.conftest import API_KEY

SECRET, OLD_SECRET = "whsec_canary_new", "whsec_canary_old"
HOOK = "/providers/stripe/webhook"


class FakeStripe:
    """The person at the page and the operator of the fake, for one account there."""

    def __init__(self, base: str, key: str | None = None, connected: str | None = None) -> None:
        """`connected` is an account that the key may act for."""
        self.base = base
        self.key = key or f"sk_test_canary{secrets.token_hex(8)}"
        headers = {"Authorization": f"Bearer {self.key}"}
        if connected is not None:
            headers["Stripe-Account"] = connected
        self._web = httpx.Client(base_url=base, headers=headers)

    def pay(self, url: str, method: str = "pm_card_visa") -> httpx.Response:
        page = url.rpartition("/")[2]
        return self._web.post(f"/v1/payment_pages/{page}/confirm", data={"payment_method": method})

    def page_for(self, reference: str, amount: int) -> str:
        """A payment page that somebody else makes in this account."""
        price = {"currency": "usd", "unit_amount": amount, "product_data][name": "x"}
        form = {f"line_items[0][price_data][{name}]": value for name, value in price.items()}
        form |= {"line_items[0][quantity]": 1, "mode": "payment", "success_url": self.base}
        form["client_reference_id"] = reference
        answer = self._web.post("/v1/checkout/sessions", data=form)
        answer.raise_for_status()
        return str(answer.json()["url"])

    def objects(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self._control("objects") if one["object"] == kind]

    def change(self, url: str, **fields: Any) -> None:
        """What the payment page at that address says from now on."""
        self._control("change", session=url.rpartition("/")[2], **fields)

    def expire(self, url: str) -> None:
        page = url.rpartition("/")[2]
        self._web.post(f"/v1/checkout/sessions/{page}/expire").raise_for_status()

    def signed(self, body: str, secret: str = SECRET) -> dict[str, str]:
        """A delivery of a body that the fake did not make."""
        header = stripe.WebhookSignature.generate_signature_header(body, secret)
        return {"body": body, "signature": header}

    def finish_debit(self, url: str, outcome: str) -> None:
        self._control("debit", session=url.rpartition("/")[2], outcome=outcome)

    def fail(self, fault: str = "", times: int = 1000) -> None:
        self._control("faults", fault=fault, times=times)

    def deliveries(self, secret: str = SECRET, *, thin: bool = False) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self._control("deliveries", secret=secret, thin=int(thin))
        return found

    def requests(self) -> list[str]:
        found: list[str] = self._control("requests")
        return found

    def _control(self, what: str, **form: Any) -> Any:
        answer = self._web.post(f"/_control/{what}", data=form)
        answer.raise_for_status()
        return answer.json()


@pytest.fixture(scope="session")
def fake_stripe_url() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fake_stripe"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    process.terminate()
    process.wait(10)


@pytest.fixture
def fake(fake_stripe_url: str) -> FakeStripe:
    return FakeStripe(fake_stripe_url)


@pytest.fixture
def clock() -> FrozenClock:
    """Stripe compares the ends of its pages with real time."""
    return FrozenClock(SystemClock().now())


@pytest.fixture
def settings(database_url: str, fake: FakeStripe) -> Settings:
    return Settings(
        database_url=database_url,
        api_key=API_KEY,
        webhook_worker=False,
        stripe_api_key=fake.key,
        stripe_webhook_secret=f"{SECRET},{OLD_SECRET}",
        stripe_api_base=fake.base,
        _env_file=None,
    )
