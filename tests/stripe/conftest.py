"""Our system with Stripe's SDK talking to the fake Stripe; one account there for each test."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from credyt_mcp.clock import FrozenClock, SystemClock
from credyt_mcp.settings import Settings
from tests.conftest import API_KEY

SECRET, OLD_SECRET = "whsec_canary_new", "whsec_canary_old"
CLI_VERSION = "1.52.0"
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
        self._web = httpx.Client(base_url=base, headers=headers, timeout=60)

    def pay(self, url: str, method: str = "pm_card_visa") -> httpx.Response:
        page = _id(url)
        return self._web.post(f"/v1/payment_pages/{page}/confirm", data={"payment_method": method})

    def pages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._web.get("/v1/checkout/sessions").json()["data"]
        return found

    def page_for(self, payment_id: str, amount: int) -> str:
        """A payment page that somebody else makes in this account, as if for a payment of ours."""
        form = {
            "mode": "payment",
            "success_url": "https://app.example/thanks",
            "metadata[payment_id]": payment_id,
            "line_items[0][quantity]": 1,
            "line_items[0][price_data][currency]": "usd",
            "line_items[0][price_data][unit_amount]": amount,
            "line_items[0][price_data][product_data][name]": "x",
        }
        answer = self._web.post("/v1/checkout/sessions", data=form)
        return str(answer.raise_for_status().json()["url"])

    def objects(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.control("objects") if one["object"] == kind]

    def change(self, url: str, **fields: Any) -> None:
        """What the payment page at that address says from now on."""
        self.control("change", id=_id(url), **fields)

    def expire(self, url: str) -> None:
        self._web.post(f"/v1/checkout/sessions/{_id(url)}/expire").raise_for_status()

    def signed(self, body: str, secret: str = SECRET) -> dict[str, str]:
        """A delivery of a body that the fake did not make."""
        header = stripe.WebhookSignature.generate_signature_header(body, secret)
        return {"body": body, "signature": header}

    def payment_link(self, usd: int, reference: str) -> dict[str, Any]:
        """The page of another sale on the same account, opened with a reference in its address."""
        form = {
            "mode": "payment",
            "success_url": "https://app.example/thanks",
            "client_reference_id": reference,
            "line_items[0][quantity]": 1,
            "line_items[0][price_data][currency]": "usd",
            "line_items[0][price_data][unit_amount]": usd * 100,
            "line_items[0][price_data][product_data][name]": "A mug",
        }
        page: dict[str, Any] = self._web.post("/v1/checkout/sessions", data=form).json()
        return page

    def authenticate(self, url: str) -> httpx.Response:
        """The customer says yes to the bank that the page had sent them to."""
        return self._web.post(f"/v1/payment_pages/{_id(url)}/authenticate")

    def finish_debit(self, url: str, outcome: str) -> None:
        self.control("finish", id=_id(url), outcome=outcome)

    def refund(self, payment_intent: str) -> None:
        """In the dashboard, in full."""
        form = {"payment_intent": payment_intent}
        self._web.post("/v1/refunds", data=form).raise_for_status()

    def fail(self, fault: str = "", times: int = 1000, only: str = "") -> None:
        """What goes wrong next, see tests/fake_stripe/server.py; nothing without a fault."""
        self.control("faults", fault=fault, times=times, only=only)

    def deliveries(self, secret: str = SECRET, **which: str) -> list[dict[str, str]]:
        """All events so far; `shape` and `types` choose, see tests/fake_stripe/control.py."""
        found: list[dict[str, str]] = self.control("deliveries", secret=secret, **which)
        return found

    def deliver(self, url: str, secret: str = SECRET, **how: Any) -> list[int]:
        """All events so far, posted to `url`; see tests/fake_stripe/deliveries.py."""
        statuses: list[int] = self.control("deliver", url=url, secret=secret, **how)
        return statuses

    def advance(self, seconds: int) -> None:
        self.control("clock", seconds=seconds)

    def requests(self) -> list[str]:
        found: list[str] = self.control("requests")
        return found

    def control(self, what: str, **form: Any) -> Any:
        answer = self._web.post(f"/_control/{what}", data=form)
        answer.raise_for_status()
        return answer.json()


def _id(url: str) -> str:
    return url.rpartition("/")[2]


class StripeCli:
    """Stripe's own command line tool, speaking to the fake."""

    def __init__(self, program: Path, home: Path) -> None:
        self._program = program
        self._env = {**os.environ, "HOME": str(home), "STRIPE_CLI_TELEMETRY_OPTOUT": "1"}

    def trigger(self, fake: FakeStripe, event: str, *options: str) -> None:
        """`stripe trigger`: its published sequence of calls that leads to the event."""
        where = ("--api-base", fake.base, "--api-key", fake.key)
        run(self._program, "trigger", event, *where, *options, env=self._env)


def run(*command: str | Path, env: dict[str, str]) -> None:
    done = subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="session")
def stripe_cli(tmp_path_factory: pytest.TempPathFactory) -> StripeCli:
    """From npm, where its program lies whole in a package for each platform: nothing that runs at
    install is needed. Its `--api-base` is not documented, so the version is pinned."""
    folder = tmp_path_factory.mktemp("stripe-cli")
    beside = Path(sys.executable).parent
    env = {**os.environ, "PATH": f"{beside}{os.pathsep}{os.environ['PATH']}"}
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--silent", "--prefix", folder)
    run(beside / "npm", "install", *quiet, f"@stripe/cli@{CLI_VERSION}", env=env)
    [program] = folder.glob("node_modules/@stripe/cli-*/bin/stripe*")
    return StripeCli(program, folder)


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
def fake(fake_stripe_url: str) -> Iterator[FakeStripe]:
    fake = FakeStripe(fake_stripe_url)
    yield fake
    assert fake.control("complaints") == [], "the fake says what Stripe's own types do not know"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK tries as often as ever, but does not pause for half a second and more between."""
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.01)
    monkeypatch.setattr(stripe.HTTPClient, "MAX_DELAY", 0.01)


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
