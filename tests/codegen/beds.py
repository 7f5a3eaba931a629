"""Test beds: a whole app gets its plan from our command line, and then lives with a real server."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from credyt_mcp import exact_json
from credyt_mcp.trial.relay import Relay
from tests.processes.harness import (
    APPROVED,
    DEADLINE_SECONDS,
    KEY,
    Server,
    environment,
    free_port,
)

ROUTES = "/api/billing"
PRODUCT = "studio"
EVENT = "image_generated"
SENTINEL = "key_sentinel_of_a_secret"

# Node comes with the development tools, beside Python, so that no machine needs one of its own.
NODE = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
ENVIRONMENT = {**os.environ, **NODE}


def integrate(folder: Path, command: str, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "credyt_mcp", "integrate", command, str(folder), *options],
        env={**environment(f"sqlite:///{folder.parent / 'catalogue.db'}", free_port()), **NODE},
        cwd=folder.parent,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def verify(folder: Path, start: Sequence[str], *options: str) -> str:
    """The app is started by the command line itself, with a server of its own; it must be clean."""
    said = integrate(folder, "verify", "--run", shlex.join(start), *options)
    assert "not tried" not in said, said
    assert said.count("✓") == 7, said
    return said


def apply(folder: Path) -> str:
    return integrate(folder, "apply", "--event", EVENT, "--product", PRODUCT)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of an app that is not made by running it."""
    made = {
        *("__pycache__", ".pytest_cache", ".mypy_cache", "instance"),
        *("node_modules", "dist", ".next", "next-env.d.ts", "tsconfig.tsbuildinfo"),
        "routeTree.gen.ts",
    }
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not made & set(path.parts)
    }


def replace(path: Path, old: str, new: str) -> None:
    """What a coding tool does with an operation that is for it to do."""
    text = path.read_text()
    assert text.count(old) == 1, f"{path.name} has {text.count(old)} of {old!r}"
    path.write_text(text.replace(old, new))


def run(folder: Path, *command: str, timeout: float = 300, **more: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**ENVIRONMENT, **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def a_product(server: Server) -> None:
    price = {
        "name": "Image",
        "type": "usage_based",
        "billing_model": {"type": "real_time"},
        "usage_calculation": {"event_type": EVENT, "usage_type": "unit"},
        "pricing": [{"asset": "USD", "values": [{"unit_price": 0.05}]}],
    }
    body = {"name": "Studio", "code": PRODUCT, "publish": True, "prices": [price]}
    with server.sync_client() as client:
        assert client.post("/products", json=body).status_code == 201


@dataclass(frozen=True)
class LiveApp:
    url: str
    routes: str
    webhook_id: str
    log: Path


@contextmanager
def living(
    server: Server,
    folder: Path,
    command: Callable[[int], Sequence[str]],
    routes: str = ROUTES,
    webhook: str = f"{ROUTES}/webhook",
    **env: str,
) -> Iterator[LiveApp]:
    """The app as a process of its own, told of the server as its operator would tell it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = {name: value.format(url=url) for name, value in env.items()}
    with server.sync_client() as client:
        made = client.post("/webhooks", json={"url": f"{url}{webhook}"})
    assert made.status_code == 201, made.text
    told = {
        "CREDYT_URL": server.url,
        "CREDYT_API_KEY": KEY,
        "CREDYT_WEBHOOK_SECRET": made.json()["secret"],
        "APP_URL": url,
        "PORT": str(port),
        **env,
    }
    log = folder.parent / "app.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command(port),
            cwd=folder,
            env={**ENVIRONMENT, **told},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        _wait(url, process, log)
        yield LiveApp(url, routes, made.json()["id"], log)
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            httpx.get(url, timeout=DEADLINE_SECONDS)
        except httpx.TransportError:
            time.sleep(0.05)  # the interval of the poll
        else:
            return
    raise AssertionError(log.read_text())


Pay = Callable[..., httpx.Response]


def a_customers_life(browser: httpx.Client, paid: Pay, server: Server, app: LiveApp) -> None:
    """A new user is blocked at zero, tops up, pays exactly, and once for a double click."""
    blocked = paid()
    assert blocked.status_code == 402, blocked.text + app.log.read_text()
    assert blocked.json()["code"] == "insufficient_balance"
    assert balance(browser, app) == "0"
    link = browser.post(blocked.json()["top_up_url"], headers={"Accept": "application/json"})
    assert httpx.post(link.json()["url"], data={"card_number": APPROVED}).status_code == 303
    assert paid().status_code < 400
    assert balance(browser, app) == "9.95"
    click = {"Idempotency-Key": "one click"}
    assert [paid(headers=click).status_code < 400 for _ in range(2)] == [True, False]
    assert balance(browser, app) == "9.9"
    portal = browser.post(f"{app.routes}/portal", headers={"Accept": "text/html"})
    assert portal.status_code == 303
    assert portal.headers["location"].startswith(f"{server.url}/portal/")
    for amount in ("11", "-1", "x"):
        assert browser.post(f"{app.routes}/top-up", params={"amount": amount}).status_code == 422
    heard(server, app)
    a_budget(paid, server)


def a_budget(paid: Pay, server: Server) -> None:
    """Who has used what they may is told until when, and not to top up."""
    with server.sync_client() as client:
        [customer] = client.get("/customers").json()["items"]
        budgets = f"/customers/{customer['id']}/budgets"
        budget = client.put(budgets, json={"limit": 0.1, "window": "month"}).json()
        refused = paid()
        assert refused.status_code == 429, refused.text
        assert refused.json()["code"] == "budget_exceeded"
        assert refused.json()["resets_at"] == budget["resets_at"]
        assert client.delete(f"{budgets}/{budget['id']}").is_success


def a_streams_life(browser: httpx.Client, path: str, server: Server, app: LiveApp) -> None:
    """A stream to its end costs what it costs; one that its reader leaves is billed, and tells of
    the model call whose usage never came. With `?endless` it does not end by itself."""
    whole = browser.post(path)
    assert (whole.status_code, whole.text) == (200, "word "), whole.text
    [cost] = _newest_event(server, of=3)["costs"]
    assert cost["amount"] == Decimal("0.00006")  # 8 tokens at $1.25 a million and 5 at $10
    assert balance(browser, app) == "9.85"
    with browser.stream("POST", path, params={"endless": "yes"}) as left:
        assert next(left.iter_text()).startswith("word ")
    event = _newest_event(server, of=4)
    with server.sync_client() as client:
        [unpriced] = client.get("/costs/unpriced").json()["items"]
    assert (unpriced["event_id"], unpriced["model"]) == (event["id"], "gpt-5")
    assert balance(browser, app) == "9.8"


def an_outage(browser: httpx.Client, path: str, server: Server, app: LiveApp, relay: Relay) -> None:
    """Billing goes away while a stream runs: that is billed once billing is back, and once."""
    with relay.down(), browser.stream("POST", path, params={"endless": "yes"}) as begun:
        assert begun.status_code == 503
    with ExitStack() as away:
        with browser.stream("POST", path, params={"endless": "yes"}) as begun:
            assert next(begun.iter_text()).startswith("word ")
            away.enter_context(relay.down())
        _until(lambda: "unbilled: " in app.log.read_text())
    assert browser.post(path).status_code == 200
    _newest_event(server, of=6)
    assert balance(browser, app) == "9.7"


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # the interval of the poll


@contextmanager
def relayed(server: Server) -> Iterator[Relay]:
    """What stands before the server, so that it can be away."""
    relay = Relay(int(server.url.rpartition(":")[2]))
    threading.Thread(target=relay.serve, daemon=True).start()
    try:
        yield relay
    finally:
        relay.close()


def _newest_event(server: Server, of: int) -> dict[str, Any]:
    """Once there are so many: a stream is settled just after its last byte."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    with server.sync_client() as client:
        while (listed := client.get("/events").json())["total_count"] < of:
            assert time.monotonic() < deadline, listed
            time.sleep(0.05)  # the interval of the poll
        assert listed["total_count"] == of
        event: dict[str, Any] = exact_json.loads(
            client.get(f"/events/{listed['items'][0]['id']}").content
        )
    return event


def balance(browser: httpx.Client, app: LiveApp) -> str:
    answer = browser.get(f"{app.routes}/balance")
    assert answer.status_code == 200, answer.text
    available: str = exact_json.loads(answer.content)["available"]
    return available


def heard(server: Server, app: LiveApp) -> None:
    """The app took what the server sent it, by the server's own signature."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    with server.sync_client() as client:
        while time.monotonic() < deadline:
            delivered = client.get("/webhooks/events", params={"status": "Success"}).json()
            if app.webhook_id in {one["destination_id"] for one in delivered["models"]}:
                return
            time.sleep(0.05)  # the interval of the poll
        raise AssertionError(client.get("/webhooks/events").text + app.log.read_text())
