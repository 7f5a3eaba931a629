"""How long a replay of many events takes, and how much memory: `python -m benchmarks.replay`.

Fills a throw-away SQLite file through the product itself, then runs the command line as anybody
would. Apart from the other parts, since filling takes minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from credyt_mcp.app import running
from credyt_mcp.settings import Settings
from credyt_mcp.use_cases.context import Billing, perform
from credyt_mcp.use_cases.events import SubmitEvents, submit_events
from credyt_mcp.use_cases.product_fields import CreateProduct
from credyt_mcp.use_cases.products import create_product
from credyt_mcp.use_cases.provisioning import CreateWallet, create_wallet

A_REQUEST, AT_ONCE = 1000, 4
RATE = {"volume_rate": "1.25", "package_size": 1_000_000}
TIERS = [{"up_to": 1000, "unit_price": "0.01"}, {"unit_price": "0.008"}]


def price(name: str, event_type: str, asset: dict[str, Any], **more: Any) -> dict[str, Any]:
    field = {"volume_field": "tokens"} if event_type == "chat" else {}
    calculation = {"event_type": event_type, "usage_type": "volume" if field else "unit", **field}
    return {
        "name": name,
        "type": "usage_based",
        "usage_calculation": calculation,
        "pricing": [{"asset": "USD", **asset}],
        **more,
    }


PRICES = [
    price("Tokens", "chat", {"values": [RATE]}),
    price(
        "Calls",
        "call",
        {"values": TIERS},
        pricing_model="tiered",
        tiering={"period": "monthly"},
    ),
]
OTHERS = [PRICES[0], {**PRICES[1], "pricing_model": "bulk"}]


async def fill(settings: Settings, events: int, customers: int) -> None:
    async with running(settings) as system:
        billing = system.billing
        made = {"name": "Studio", "code": "studio", "prices": PRICES}
        await perform(billing, create_product, CreateProduct.model_validate(made))
        for number in range(customers):
            fields = {"external_id": f"c{number}", "products": ["studio"]}
            fields |= {"starting_credit": {"asset": "USD", "amount": 50}}
            await perform(billing, create_wallet, CreateWallet.model_validate(fields))
        turn = asyncio.Semaphore(AT_ONCE)
        requests = range(0, events, A_REQUEST)
        await asyncio.gather(
            *(submit(billing, turn, f"c{at // A_REQUEST % customers}", at) for at in requests)
        )


async def submit(billing: Billing, turn: asyncio.Semaphore, who: str, first: int) -> None:
    async with turn:
        given = [
            {
                "id": str(number),
                "event_type": "chat" if number % 2 else "call",
                "data": {"tokens": 1000 + number % 977, "model": "large"},
            }
            for number in range(first, first + A_REQUEST)
        ]
        fields = {"customer_external_id": who, "events": given}
        await perform(billing, submit_events, SubmitEvents.model_validate(fields))


def replay(settings: Settings, folder: Path) -> dict[str, Any]:
    (folder / "prices.json").write_text(json.dumps(OTHERS))
    words = ["replay", "--product", "studio", "--prices", "prices.json", "--json"]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "credyt_mcp", *words],
        cwd=folder,
        env={**os.environ, "CREDYT_DATABASE_URL": settings.database_url},
        stdout=subprocess.PIPE,
        check=True,
    )
    seconds = time.perf_counter() - started
    found = json.loads(done.stdout)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {
        "events": found["events"],
        "customers": found["customers"],
        "seconds": round(seconds, 1),
        "events_per_second": round(found["events"] / seconds),
        "peak_mib": round(peak),
    }


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--events", type=int, default=1_000_000)
    asked.add_argument("--customers", type=int, default=1_000)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            database_url=f"sqlite:///{folder}/bench.db", webhook_worker=False, _env_file=None
        )
        started = time.perf_counter()
        asyncio.run(fill(settings, given.events, given.customers))
        filled = time.perf_counter() - started
        print(json.dumps({"filled_in": round(filled, 1), **replay(settings, Path(folder))}))


if __name__ == "__main__":
    main()
