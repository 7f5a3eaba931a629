"""The examples run as a user would run them, and say what they should."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx

from tests.processes.harness import APPROVED, DEADLINE_SECONDS, KEY, Server, environment

EXAMPLES = Path(__file__).parents[2] / "examples"


def run_example(name: str, server: Server) -> list[str]:
    settings = {**environment("", 1), "CREDYT_URL": server.url, "CREDYT_API_KEY": KEY}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        env=settings,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_sdk_example_runs_twice_and_a_payment_counts(shared_server: Server) -> None:
    product, customer, link, image, balance = run_example("python_sdk.py", shared_server)
    assert (product, customer) == (
        "product: created, 0.05 USD per image",
        "customer: created and subscribed",
    )
    assert image.startswith("image ") and image.endswith(": 0.05 USD")
    assert balance == "balance: -0.05 USD"
    url = link.removeprefix("pay 10 USD at: ")
    assert httpx.post(url, data={"card_number": APPROVED}).status_code == 303
    product, customer, _, _, balance = run_example("python_sdk.py", shared_server)
    assert (product, customer) == ("product: exists already", "customer: exists already")
    assert balance == "balance: 9.9 USD"
