"""What is tried on a running app: many requests at once, a double click, a closed page, an outage,
and webhooks that nobody sent. Each answers with what went wrong, by the rule it breaks.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from threading import Barrier
from typing import Any

import httpx

from credyt_mcp import exact_json
from credyt_mcp.trial.stage import Stage

AT_ONCE = 6
SETTLED_SECONDS = 10.0
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Asking:
    """How a request for the paid work looks; `{user}` in any of it is the user's name. `before`
    are requests that sign a new user in; what they answer, such as `{access_token}`, may be said
    in what comes later."""

    method: str
    path: str
    webhook: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    before: tuple[tuple[str, str, str | None], ...] = ()


@dataclass(frozen=True)
class Wrong:
    rule: str
    said: str


@dataclass
class Tried:
    """`skipped` says what could not be tried, and why."""

    wrong: list[Wrong] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)


class User:
    """A new user of the app, with a browser; billing knows them once they have asked."""

    def __init__(self, stage: Stage, asking: Asking) -> None:
        self.stage, self.asking = stage, asking
        self.said = {"user": f"verify-{secrets.token_hex(4)}"}
        self.browser = httpx.Client(base_url=stage.app_url, timeout=TIMEOUT_SECONDS)
        self._take_headers()
        for method, path, body in asking.before:
            answer = self.browser.request(method, self._of(path), **self._content(body))
            self.said |= _texts(answer)
            self._take_headers()

    def ask(self, **headers: str) -> httpx.Response:
        content = self._content(self.asking.body)
        more = {**content.pop("headers", {}), **headers}
        path = self._of(self.asking.path)
        return self.browser.request(self.asking.method, path, headers=more, **content)

    def at_once(self, **headers: str) -> list[httpx.Response]:
        barrier = Barrier(AT_ONCE)

        def one(_: int) -> httpx.Response:
            barrier.wait()
            return self.ask(**headers)

        with ThreadPoolExecutor(AT_ONCE) as threads:
            return list(threads.map(one, range(AT_ONCE)))

    def closes_early(self) -> bool:
        """Whether there was more to come when the first bytes had."""
        content = self._content(self.asking.body)
        path = self._of(self.asking.path)
        with self.browser.stream(self.asking.method, path, **content) as answer:
            chunks = answer.iter_raw()
            next(chunks, b"")
            return answer.is_success and "content-length" not in answer.headers

    def _take_headers(self) -> None:
        """Those that can be said by now."""
        said = {name: self._of(value) for name, value in self.asking.headers.items()}
        self.browser.headers.update({name: one for name, one in said.items() if "{" not in one})

    def _content(self, body: str | None) -> dict[str, Any]:
        if body is None:
            return {}
        try:
            json.loads(body)
            kind = "application/json"
        except ValueError:
            kind = "application/x-www-form-urlencoded"
        return {"content": self._of(body), "headers": {"content-type": kind}}

    def _of(self, text: str) -> str:
        for name, value in self.said.items():
            text = text.replace(f"{{{name}}}", value)
        return text


class Account:
    """The customer that the app made of a user, as billing sees it."""

    def __init__(self, stage: Stage, customer_id: str) -> None:
        self.stage, self.id = stage, customer_id

    def credit(self, amount: Decimal) -> None:
        body = {
            "transaction_id": secrets.token_hex(8),
            "asset": self.stage.asset,
            "amount": amount,
            "reason": "gift",
        }
        path = f"/customers/{self.id}/wallet/adjustments"
        if not amount:
            return
        answer = self.stage.billing.post(
            path, content=exact_json.dumps(body), headers={"content-type": "application/json"}
        )
        answer.raise_for_status()

    def wallet(self) -> tuple[Decimal, Decimal]:
        """Available, and held."""
        path = f"/customers/{self.id}/wallet/default:{self.stage.asset}"
        said = exact_json.loads(self.stage.billing.get(path).content)
        return Decimal(said["available"]), Decimal(said["pending_out"])

    def events(self) -> int:
        answer = self.stage.billing.get("/events", params={"customer_id": self.id})
        count: int = answer.json()["total_count"]
        return count

    def settled(self) -> bool:
        deadline = time.monotonic() + SETTLED_SECONDS
        while self.wallet()[1] and time.monotonic() < deadline:
            time.sleep(0.1)
        return not self.wallet()[1]


def try_out(stage: Stage, asking: Asking) -> Tried:
    tried = Tried()
    known = _customers(stage)
    ann = User(stage, asking)
    refused = ann.at_once()
    fresh = [one for one in _customers(stage) if one not in known]
    if not fresh and not any(one.is_success for one in refused):
        said = f"the paid work: the app answers {refused[0].status_code} to a user it should know"
        tried.skipped.append(f"{said}; say who signs in with --header or --before")
        return tried
    _record(tried, "nothing is for free at zero balance", _at_zero(refused))
    amount = next((_missing(one) for one in refused if one.status_code == 402), None)
    if len(fresh) != 1 or amount is None:
        tried.skipped.append("a customer with credit: the app made none, or did not say `missing`")
    else:
        account = Account(stage, fresh[0])
        for what, probe in (
            ("credit for one is one, however many ask", _parallel),
            ("a double click is one", _double),
            ("a closed page is settled", _closed),
        ):
            _record(tried, what, probe(ann, account, amount))
    _outage(tried, stage, ann)
    if stage.secret is None:
        tried.skipped.append("webhooks: CREDYT_WEBHOOK_SECRET is not known here")
    else:
        _record(tried, "webhooks are believed by their signature", _webhooks(stage, asking))
    return tried


Probe = Callable[[User, Account, Decimal], Iterator[Wrong]]


def _record(tried: Tried, what: str, found: Iterator[Wrong]) -> None:
    wrong = list(found)
    tried.wrong += wrong
    if not wrong:
        tried.passed.append(what)


def _at_zero(answers: list[httpx.Response]) -> Iterator[Wrong]:
    served = _served(answers)
    if served:
        said = f"{served} of {len(answers)} requests at once were served at zero balance"
        yield Wrong("check-then-act", said)
    others = {one.status_code for one in answers if one.is_error and one.status_code != 402}
    if others:
        said = f"at zero balance the app answers {min(others)} instead of 402"
        yield Wrong("swallowed-402", said)


def _parallel(user: User, account: Account, amount: Decimal) -> Iterator[Wrong]:
    billed = account.events()
    account.credit(amount - account.wallet()[0])
    served = _served(user.at_once())
    account.settled()
    left, counted = account.wallet()[0], account.events() - billed
    if left < 0:
        said = f"{served} requests at once took the balance to {left}"
        yield Wrong("check-then-act", said)
    if served == 0:
        yield Wrong("swallowed-402", "a user with credit for one request was refused")
    if counted < served:
        said = f"{served} requests were served and {counted} billed"
        yield Wrong("hold-never-settled", said)


def _double(user: User, account: Account, amount: Decimal) -> Iterator[Wrong]:
    billed = account.events()
    account.credit(amount * AT_ONCE)
    served = _served(user.at_once(**{"Idempotency-Key": secrets.token_hex(8)}))
    account.settled()
    counted = account.events() - billed
    if served != 1 or counted != 1:
        said = f"{AT_ONCE} requests with one Idempotency-Key: {served} served, {counted} billed"
        yield Wrong("fresh-event-id", said)


def _closed(user: User, account: Account, amount: Decimal) -> Iterator[Wrong]:
    billed = account.events()
    account.credit(amount)
    more = user.closes_early()
    if not account.settled():
        said = f"{account.wallet()[1]} stays held after the reader went away"
        yield Wrong("capture-missing-on-abort", said)
    elif more and account.events() == billed:
        yield Wrong("capture-missing-on-abort", "a stream that was begun was not billed")


def _outage(tried: Tried, stage: Stage, user: User) -> None:
    if stage.relay is None:
        tried.skipped.append("an outage of billing: start the app with --run to have it tried")
        return
    with stage.relay.down():
        answer = user.ask()
    found = []
    if answer.is_success or answer.is_redirect:
        found = [Wrong("fail-open", f"while billing is down the app answers {answer.status_code}")]
    _record(tried, "nothing runs while billing is down", iter(found))


def _webhooks(stage: Stage, asking: Asking) -> Iterator[Wrong]:
    body = json.dumps({"id": "evt_verify", "type": "balance.low", "data": {}}).encode()
    good, old = _signed(stage, body, 0), _signed(stage, body, 3600)
    for rule, said, headers in (
        ("webhook-unverified", "a webhook without a signature is accepted", {}),
        ("webhook-unverified", "a webhook with a wrong signature is accepted", _wrong(good)),
        ("webhook-replay", "a webhook of an hour ago is accepted", old),
    ):
        answer = _deliver(stage, asking, body, headers)
        if answer.is_success:
            yield Wrong(rule, said)
    for answer in [_deliver(stage, asking, body, good) for _ in range(2)]:
        if not answer.is_success:
            said = f"a genuine webhook is answered with {answer.status_code}"
            yield Wrong("webhook-raw-body", said)
            return


def _deliver(stage: Stage, asking: Asking, body: bytes, headers: dict[str, str]) -> httpx.Response:
    given = {"content-type": "application/json", **headers}
    return httpx.post(
        stage.app_url + asking.webhook, content=body, headers=given, timeout=TIMEOUT_SECONDS
    )


def _signed(stage: Stage, body: bytes, age: int) -> dict[str, str]:
    assert stage.secret is not None
    event_id, sent_at = f"evt_{secrets.token_hex(6)}", str(int(time.time()) - age)
    secret = base64.b64decode(stage.secret.removeprefix("whsec_"))
    text = f"{event_id}.{sent_at}.".encode() + body
    code = base64.b64encode(hmac.new(secret, text, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": sent_at,
        "webhook-signature": f"v1,{code}",
    }


def _wrong(headers: dict[str, str]) -> dict[str, str]:
    code = base64.b64encode(secrets.token_bytes(32)).decode()
    return {**headers, "webhook-signature": f"v1,{code}"}


def _served(answers: list[httpx.Response]) -> int:
    return sum(one.is_success or one.is_redirect for one in answers)


def _texts(answer: httpx.Response) -> dict[str, str]:
    """What a JSON answer says in plain text."""
    try:
        said = answer.json()
    except ValueError:
        return {}
    pairs = said.items() if isinstance(said, dict) else ()
    return {name: value for name, value in pairs if isinstance(value, str)}


def _missing(answer: httpx.Response) -> Decimal | None:
    try:
        said = exact_json.loads(answer.content)["missing"]
        return Decimal(str(said))
    except (ValueError, KeyError, TypeError, ArithmeticError):
        return None


def _customers(stage: Stage) -> list[str]:
    answer = stage.billing.get("/customers", params={"limit": 100})
    return [one["id"] for one in answer.json()["items"]]
