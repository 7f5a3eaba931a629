"""Whatever is recorded under whatever rules: no cost is lost or doubled when costs are settled, and
each customer bears what an independent sum says."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import text

from credyt_mcp.app import System, running
from credyt_mcp.clock import FrozenClock
from credyt_mcp.settings import Settings
from credyt_mcp.use_cases.ledger import verify_ledger
from credyt_mcp.use_cases.shared_costs import settle_due_costs
from tests.cost_rules.conftest import OWN, READ, READ_COST, WRITE, WRITTEN, Shop

WHO = ("ann", "ben", "cat", "internal")
NANO = Fraction(1, 10**9)


async def test_a_random_week_is_settled_to_the_unit(shop: Shop) -> None:
    chance = random.Random(7)
    await shop.rules(cache_writes="readers", failures="spread", retries="write_off")
    bears: Counter[str] = Counter()
    exact: dict[str, Fraction] = {who: Fraction(0) for who in WHO}
    for _ in range(4):
        written: Counter[str] = Counter()
        uses: dict[str, Counter[str]] = {"one": Counter(), "two": Counter()}
        failed, well = Decimal(0), Counter[str]()
        for _ in range(15):
            who, key = chance.choice(WHO), chance.choice(("one", "two", None))
            usage, cost, wrote = chance.choice([(WRITE, OWN, WRITTEN), (READ, READ_COST, 0)])
            how = chance.choice(("ok", "ok", "failed", "again"))
            said = {"failed": {"outcome": "failed"}, "again": {"attempt": 2}}.get(how, {})
            await shop.record(who, usage, shared_key=key, **said)
            bears[who] += cost + wrote
            own = who == "internal" and key is None
            if own or how == "ok":
                exact[who] += Fraction(cost)
                if not own and key is not None:
                    written[key] += wrote
                    uses[key][who] += 1
                else:
                    exact[who] += Fraction(wrote)
            elif how == "failed":
                failed += cost + wrote
            else:
                exact["internal"] += Fraction(cost + wrote)
            if who != "internal" and how in ("ok", "again"):
                well[who] += 1
        _share(exact, failed, well)
        for key, users in uses.items():
            others = Counter({who: n for who, n in users.items() if who != "internal"})
            _share(exact, written[key], others or users)
        assert dict(zip(WHO, await shop.costs(*WHO), strict=True)) != exact
        before = await shop.total()
        await shop.days_later()
        assert await shop.total() == before == sum(bears.values())
        borne = dict(zip(WHO, map(Fraction, await shop.costs(*WHO)), strict=True))
        assert sum(borne.values()) == Fraction(before)
        assert all(abs(borne[who] - exact[who]) < 30 * NANO for who in WHO)
    assert (await shop.call(verify_ledger)).problems == []


async def test_two_processes_settle_a_cost_once(
    shop: Shop, system: System, settings: Settings, clock: FrozenClock
) -> None:
    await shop.rules(cache_writes="readers", failures="write_off")
    for who in ("ann", "ben", "cat"):
        await shop.record(who, WRITE, shared_key="prompt")
        await shop.record(who, READ, outcome="failed")
    before = await shop.total()
    async with running(settings, clock=clock) as other:
        clock.advance(timedelta(days=1))
        both = [settle_due_costs(one.billing, None) for one in (system, other, system)]
        done = await asyncio.gather(*both)
    assert sum(done) == 6
    assert await shop.total() == before
    assert await shop.costs("ann", "ben", "cat") == [OWN + WRITTEN] * 3
    assert (await shop.call(verify_ledger)).problems == []


async def test_a_movement_that_does_not_add_up_is_found(shop: Shop, system: System) -> None:
    await shop.rules(failures="write_off")
    await shop.record("ann", READ, outcome="failed")
    await shop.days_later()
    assert (await shop.call(verify_ledger)).problems == []
    lost = text("DELETE FROM events WHERE event_type = 'cost.allocation' AND customer_id = 1")
    with system.billing.database.write() as session:
        assert session.connection().execute(lost).rowcount == 1
    problems = (await shop.call(verify_ledger)).problems
    assert any("costs that moved between customers" in problem for problem in problems)


def _share(exact: dict[str, Fraction], cost: Decimal, users: Counter[str]) -> None:
    for who, uses in users.items():
        exact[who] += Fraction(cost) * uses / users.total()
