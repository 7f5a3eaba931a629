"""What a trial happens on: a throw-away billing server, a relay before it, and the app's process.

The app is told of them as its operator would tell it: by environment variables.
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from credyt_mcp.errors import InvalidRequest
from credyt_mcp.ids import new_secret
from credyt_mcp.trial.relay import Relay

DEADLINE_SECONDS = 60.0
PRICE = 0.05
ASSETS = ("USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD")


@dataclass(frozen=True)
class Stage:
    """`billing` speaks to the server; `relay` is None where the app was started by somebody else,
    and `secret` signs webhooks."""

    app_url: str
    billing: httpx.Client
    asset: str
    secret: str | None = None
    relay: Relay | None = None


@contextmanager
def house(folder: Path, command: str, answers: dict[str, Any], webhook: str) -> Iterator[Stage]:
    """Everything started here, and ended here. Raises InvalidRequest where the app does not
    start."""
    key, port, app_port = new_secret("key"), _free_port(), _free_port()
    url, app_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{app_port}"
    with tempfile.TemporaryDirectory(prefix="credyt-trial-") as place:
        told = {
            "CREDYT_DATABASE_URL": f"sqlite:///{Path(place) / 'trial.db'}",
            "CREDYT_API_KEY": key,
            "CREDYT_PUBLIC_URL": url,
        }
        serve = (sys.executable, "-m", "credyt_mcp", "serve", "--port", str(port))
        relay = Relay(port)
        threading.Thread(target=relay.serve, daemon=True).start()
        headers = {"X-CREDYT-API-KEY": key}
        billing = httpx.Client(base_url=url, headers=headers, timeout=DEADLINE_SECONDS)
        try:
            with billing, _process(Path(place), serve, told, f"{url}/healthz"):
                asset = _sell(billing, answers)
                hook = {"url": app_url + webhook}
                secret = _made(billing, "/webhooks", hook)["secret"]
                told = {
                    "CREDYT_URL": relay.url,
                    "CREDYT_API_KEY": key,
                    "CREDYT_WEBHOOK_SECRET": secret,
                    "APP_URL": app_url,
                    "PORT": str(app_port),
                }
                start = shlex.split(command.replace("{port}", str(app_port)))
                with _process(folder, start, told, app_url):
                    yield Stage(app_url, billing, asset, secret, relay)
        finally:
            relay.close()


@contextmanager
def joined(app_url: str, settings: Mapping[str, str], asset: str) -> Iterator[Stage]:
    """An app that runs already, with the server its settings name. Raises InvalidRequest for a live
    key: a trial makes customers and gives them credit."""
    with at_server(settings) as billing:
        answer = billing.get("/accounts/self")
        try:
            httpx.get(app_url, timeout=DEADLINE_SECONDS)
        except httpx.TransportError as failure:
            raise InvalidRequest("url", f"the app does not answer: {failure}") from None
        if answer.is_error or answer.json().get("environment") != "test":
            raise InvalidRequest("url", "the app's CREDYT_API_KEY must be a key of test data")
        yield Stage(app_url.rstrip("/"), billing, asset, settings.get("CREDYT_WEBHOOK_SECRET"))


@contextmanager
def at_server(settings: Mapping[str, str]) -> Iterator[httpx.Client]:
    """The billing server that an app's settings name, or the environment. Raises InvalidRequest
    where neither does, or where it does not answer."""
    url, key = (
        settings.get(name) or os.environ.get(name) for name in ("CREDYT_URL", "CREDYT_API_KEY")
    )
    if not url or not key:
        raise InvalidRequest("CREDYT_URL", "and CREDYT_API_KEY must be in the app's .env")
    headers = {"X-CREDYT-API-KEY": key}
    with httpx.Client(base_url=url, headers=headers, timeout=DEADLINE_SECONDS) as billing:
        try:
            billing.get("/healthz")
        except httpx.TransportError as failure:
            said = f"names a server that does not answer: {failure}"
            raise InvalidRequest("CREDYT_URL", said) from None
        yield billing


def _sell(billing: httpx.Client, answers: dict[str, Any]) -> str:
    """The products that the app names, each event at one price. Answers the asset."""
    asset = str(answers.get("asset", "USD"))
    if asset not in ASSETS:
        rate = [{"source": answers.get("currency", "USD"), "rate": 0.01}]
        _made(billing, "/assets", {"code": asset, "name": asset, "rates": rate})
    prices = [
        {
            "name": event,
            "type": "usage_based",
            "billing_model": {"type": "real_time"},
            "usage_calculation": {"event_type": event, "usage_type": "unit"},
            "pricing": [{"asset": asset, "values": [{"unit_price": PRICE}]}],
        }
        for event in answers.get("events", [])
    ]
    for number, code in enumerate(answers.get("products", []) if prices else []):
        # Of several products the first has the prices, so that an event has one fee.
        own = prices if number == 0 else prices[:0]
        _made(
            billing, "/products", {"name": code, "code": code, "publish": bool(own), "prices": own}
        )
    return asset


def _made(billing: httpx.Client, path: str, body: dict[str, Any]) -> Any:
    answer = billing.post(path, json=body)
    if answer.is_error:
        raise InvalidRequest("answers", f"the trial's server said to {path}: {answer.text[:300]}")
    return answer.json()


@contextmanager
def _process(
    folder: Path, command: Sequence[str], told: dict[str, str], url: str
) -> Iterator[None]:
    with tempfile.TemporaryFile() as log:
        try:
            process = subprocess.Popen(  # noqa: S603  the user's own command
                command,
                cwd=folder,
                env={**os.environ, **told},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        except OSError as failure:
            raise InvalidRequest("run", f"cannot be started: {failure}") from None
        try:
            if not _answers(url, process):
                log.seek(0)
                said = log.read()[-2000:].decode(errors="replace")
                raise InvalidRequest("run", f"does not answer on {url}:\n{said}")
            yield
        finally:
            _end(process)


def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            httpx.get(url, timeout=DEADLINE_SECONDS)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """The process and what it started: an app's command is often a launcher."""
    for signal in (15, 9):
        if process.poll() is None:
            os.killpg(process.pid, signal)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                continue


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
