"""A price for a target margin, replayed before it is shown; and the command line's exit codes."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from credyt_mcp.app import System
from credyt_mcp.use_cases import replay_fields
from credyt_mcp.use_cases.adjustments import create_charge
from credyt_mcp.use_cases.events import record_event
from credyt_mcp.use_cases.replays import list_replays, replay, replay_pricing
from credyt_mcp.use_cases.vendors import create_vendor
from tests.conftest import Call
from tests.samples import TIERED, a_product, a_wallet, credits_asset, unit_price


async def used(call: Call, who: str, count: int, event_type: str = "image") -> None:
    for number in range(count):
        name = f"{who}:{event_type}:{number}"
        cost = {"id": name, "vendor_external_id": "openai", "amount": "0.37"}
        fields = {"id": name, "event_type": event_type, "costs": [cost]}
        await call(record_event, customer_id=who, **fields)


@pytest.fixture
async def vendor(call: Call) -> None:
    await call(create_vendor, name="OpenAI", external_id="openai")


@pytest.mark.usefixtures("vendor")
async def test_a_flat_price_is_worked_out_and_rounded_up(call: Call) -> None:
    """0.37 of cost an image at 70 % is 1.2333…, so 1.24 to three digits."""
    await a_product(call, unit_price(1))
    await a_wallet(call, "studio", credit=100)
    await used(call, "jane", 7)
    found = await call(replay_pricing, product_id="studio", target_margin=70)
    one = found.suggestion
    assert (one.reached, one.field, one.was, one.value) == (
        True,
        "unit_price",
        1,
        Decimal("1.24"),
    )
    assert one.margin == Decimal("70.1613")
    assert one.gross_revenue == Decimal("8.68")
    again = await call(
        replay_pricing, product_id="studio", prices=[p.model_dump() for p in one.prices]
    )
    assert again.replayed.margin == one.margin


@pytest.mark.usefixtures("vendor")
async def test_several_prices_and_tiers_grow_by_one_factor(call: Call) -> None:
    await a_product(call, unit_price(1), TIERED)
    await a_wallet(call, "studio", credit=100)
    await used(call, "jane", 3)
    await used(call, "jane", 6, "call")
    one = (await call(replay_pricing, product_id="studio", target_margin=50)).suggestion
    # 9 x 0.37 of cost need 6.66; there were 3 + 2 x 0.01 + 4 x 0.008.
    assert (one.reached, one.factor) == (True, Decimal("2.19"))
    assert 50 <= one.margin < 51
    assert one.prices[1].pricing[0].values[0].unit_price == Decimal("0.0219")


@pytest.mark.usefixtures("vendor")
async def test_credit_that_earns_little_is_found_by_trying(call: Call) -> None:
    """The gift pays at first and earns nothing: the line through one replay is too low."""
    await credits_asset(call)
    await a_product(call, unit_price(10, "credits"))
    await a_wallet(call, "studio", credit={"asset": "credits", "amount": 25})
    await used(call, "jane", 5)
    one = (await call(replay_pricing, product_id="studio", target_margin=40)).suggestion
    assert one.reached
    assert one.margin >= 40


@pytest.mark.usefixtures("vendor")
async def test_where_there_is_no_such_price_it_says_why(call: Call) -> None:
    await a_product(call, unit_price(0))
    await a_wallet(call, "studio", credit=5)
    empty = (await call(replay_pricing, product_id="studio", target_margin=40)).suggestion
    assert (empty.reached, empty.reason) == (False, "no costs were recorded in the stretch")
    await used(call, "jane", 1)
    free = (await call(replay_pricing, product_id="studio", target_margin=40)).suggestion
    assert free.reason == "these prices charged nothing that could be raised"
    rich = unit_price(1)
    await call(create_charge, customer_id="jane", transaction_id="c", asset="USD", amount=4)
    enough = await call(replay_pricing, product_id="studio", prices=[rich], target_margin=40)
    assert "reaches the target" in enough.suggestion.reason


async def test_a_caller_that_goes_away_ends_it_and_nothing_is_kept(
    system: System, call: Call
) -> None:
    await a_product(call, unit_price(1))
    await a_wallet(call, "studio", credit=100)
    for number in range(120):
        await call(record_event, customer_id="jane", id=str(number), event_type="image")
    walking = anyio.Event()

    def step(count: int, total: int) -> None:
        anyio.from_thread.run_sync(walking.set)
        anyio.from_thread.run(anyio.sleep, 0)  # lets the caller go, and notices that it has
        anyio.from_thread.check_cancelled()

    async with anyio.create_task_group() as group:
        command = replay_fields.ReplayPricing(product_id="studio")
        group.start_soon(anyio.to_thread.run_sync, replay, system.billing, command, step)
        await walking.wait()
        group.cancel_scope.cancel()
    assert (await call(list_replays)).total_count == 0


def credyt(url: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("CREDYT_")}
    return subprocess.run(
        [sys.executable, "-m", "credyt_mcp", "replay", *words],
        env=env | {"CREDYT_DATABASE_URL": url},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.usefixtures("vendor")
async def test_the_command_line_fails_a_build_on_a_bill_shock(
    call: Call, database_url: str, tmp_path: Path
) -> None:
    await a_product(call, unit_price(1))
    await a_wallet(call, "studio", credit=100)
    await used(call, "jane", 4)
    prices: dict[str, Any] = {"define": [{"event_type": "image", "unit_price": 1.2}]}
    (tmp_path / "prices.json").write_text(json.dumps(prices))

    async def run(*words: str) -> subprocess.CompletedProcess[str]:
        given = ("--product", "studio", "--prices", "prices.json", *words)
        return await asyncio.to_thread(credyt, database_url, tmp_path, *given)

    fits, shocks = await asyncio.gather(
        run("--max-rise", "20%", "--json", "--from", "2026-01-01"), run("--max-rise", "19.5%")
    )
    assert (fits.returncode, shocks.returncode) == (0, 1), fits.stderr + shocks.stderr
    found = json.loads(fits.stdout)
    assert found["replayed"]["gross_revenue"] == 4.8
    assert "jane: +20.0 %" in shocks.stdout
    wrong = await run("--max-rise", "much")
    assert wrong.returncode == 2
    assert (await call(list_replays)).total_count == 2
