"""Costs that are a matter of choice, by the rule that the tenant chose."""

from __future__ import annotations

from decimal import Decimal

import httpx
import pytest
from mcp import Client

from credyt_mcp.use_cases.ledger import verify_ledger
from tests.cost_rules.conftest import OWN, READ, READ_COST, WRITE, WRITTEN, Shop


async def test_who_writes_a_cache_bears_it_unless_told_otherwise(shop: Shop) -> None:
    written = await shop.record("ann", WRITE)
    await shop.record("ben", READ)
    [cost] = (await shop.get(f"/events/{written}"))["costs"]
    assert cost["rule"] == {"on": "cache_writes", "rule": "writer"}
    [plain] = (await shop.get("/events/call-2"))["costs"]
    assert "rule" not in plain
    await shop.days_later(40)
    assert await shop.costs("ann", "ben") == [OWN + WRITTEN, READ_COST]


async def test_writing_a_cache_is_shared_by_all_who_used_it_that_day(shop: Shop) -> None:
    await shop.rules(cache_writes="readers")
    written = await shop.record("ann", WRITE, shared_key="system prompt")
    await shop.record("ben", READ, shared_key="system prompt")
    await shop.record("ben", READ, shared_key="system prompt")
    await shop.record("cat", READ, shared_key="another")
    before = await shop.total()
    assert await shop.costs("ann") == [OWN + WRITTEN]
    ran = await shop.days_later()
    assert ran == [{"kind": "shared_costs", "count": 1}]
    assert await shop.costs("ann", "ben", "cat") == [
        OWN + WRITTEN / 3,
        2 * READ_COST + WRITTEN * 2 / 3,
        READ_COST,
    ]
    assert await shop.total() == before
    by_customer = await shop.get("/analytics/profitability", group_by="customer", sort="-cost")
    assert [row["total_costs"] for row in by_customer["items"]] == sorted(
        await shop.costs("ann", "ben", "cat"), reverse=True
    )
    by_day = await shop.get("/analytics/profitability", group_by="day")
    assert [(row["key"], row["total_costs"]) for row in by_day["items"]] == [("2026-11-20", before)]
    [to_ben], [from_ann] = await shop.moved("ben"), await shop.moved("ann")
    [cost] = (await shop.get(f"/events/{written}"))["costs"]
    allocation = cost["rule"].pop("allocation")
    assert cost["rule"] == {
        "on": "cache_writes",
        "rule": "readers",
        "shared_key": "system prompt",
    }
    shown = {
        **cost["rule"],
        "allocation": allocation,
        "day": "2026-11-20",
        "of": 3,
        "total": WRITTEN,
    }
    assert to_ben["rule"] == {**shown, "uses": 2}
    assert from_ann["rule"] == {**shown, "uses": 1}
    assert (from_ann["amount"], to_ben["amount"]) == (Decimal("-0.025"), Decimal("0.025"))
    assert (await shop.call(verify_ledger)).problems == []


async def test_uses_of_a_cache_count_on_the_day_of_the_write_alone(shop: Shop) -> None:
    await shop.rules(cache_writes="readers")
    await shop.record("ann", WRITE, shared_key="prompt")
    await shop.days_later()
    await shop.record("ben", READ, shared_key="prompt")
    await shop.days_later()
    assert await shop.costs("ann", "ben") == [OWN + WRITTEN, READ_COST]
    assert await shop.moved("ann") == []


async def test_what_is_reported_late_is_shared_by_the_uses_of_its_day(shop: Shop) -> None:
    await shop.rules(cache_writes="readers")
    await shop.record("ben", READ, shared_key="prompt")
    await shop.days_later(3)
    yesterday = "2026-11-20T09:00:00Z"
    await shop.record("ann", WRITE, shared_key="prompt", occurred_at=yesterday)
    before = await shop.total()
    assert await shop.days_later(0) == [{"kind": "shared_costs", "count": 1}]
    assert await shop.costs("ann", "ben") == [OWN + WRITTEN / 2, READ_COST + WRITTEN / 2]
    assert await shop.total() == before
    period = {"period_from": "2026-11-20", "period_to": "2026-11-20"}
    of_day = await shop.get("/customers/ben/stats", **period)
    assert of_day["total_costs"] == READ_COST + WRITTEN / 2


async def test_embeddings_are_paid_by_those_who_use_them_within_a_month(shop: Shop) -> None:
    await shop.rules(embeddings="readers", embedding_days=30)
    embedding = {"provider": "openai", "model": "text-embedding-3-small", "shared_key": "handbook"}
    embedded = {**embedding, "usage": {"prompt_tokens": 3_000_000, "total_tokens": 3_000_000}}
    made = await shop.record("internal", **embedded)
    reused = {**embedding, "outcome": "reused"}
    used = await shop.record("ann", **reused)
    await shop.days_later(29)
    await shop.record("ben", **reused)
    await shop.record("ben", **reused)
    assert await shop.costs("internal", "ann", "ben") == [Decimal("0.06"), 0, 0]
    await shop.days_later(1)
    assert await shop.costs("internal", "ann", "ben") == [0, Decimal("0.02"), Decimal("0.04")]
    await shop.record("cat", **reused)
    await shop.days_later(31)
    assert await shop.costs("internal", "cat") == [0, 0]
    [use] = (await shop.get(f"/events/{used}"))["costs"]
    assert (use["amount"], use["llm"]["outcome"]) == (0, "reused")
    assert use["rule"]["on"] == "embeddings"
    [paid] = (await shop.get(f"/events/{made}"))["costs"]
    assert paid["rule"]["days"] == 30
    assert paid["rule"]["allocation"] == (await shop.moved("ann"))[0]["rule"]["allocation"]


async def test_a_failed_call_is_its_customers_unless_told_otherwise(shop: Shop) -> None:
    failed = await shop.record("ann", READ, outcome="failed")
    [cost] = (await shop.get(f"/events/{failed}"))["costs"]
    assert cost["rule"] == {"on": "failures", "rule": "attribute"}
    await shop.days_later()
    assert await shop.costs("ann") == [READ_COST]


async def test_failures_can_be_written_off(shop: Shop) -> None:
    await shop.rules(failures="write_off")
    await shop.record("ann", READ, outcome="failed")
    await shop.record("ben", READ)
    before = await shop.total()
    await shop.days_later()
    assert await shop.costs("ann", "ben", "internal") == [0, READ_COST, READ_COST]
    assert await shop.total() == before


async def test_failures_can_be_spread_over_the_days_calls_that_went_well(shop: Shop) -> None:
    await shop.rules(failures="spread")
    await shop.record("ann", READ, outcome="failed")
    await shop.record("ann", READ, outcome="aborted")
    for who in ("ben", "ben", "ben", "cat", "internal"):
        well = await shop.record(who, READ)
    before = await shop.total()
    await shop.days_later()
    assert await shop.costs("ann", "ben", "cat", "internal") == [
        READ_COST,
        READ_COST * 3 + READ_COST * 3 / 4,
        READ_COST + READ_COST / 4,
        READ_COST,
    ]
    assert await shop.total() == before
    [cost] = (await shop.get(f"/events/{well}"))["costs"]
    assert cost["rule"] == {"on": "background", "rule": "internal"}


async def test_where_no_call_went_well_failures_stay_where_they_were(shop: Shop) -> None:
    await shop.rules(failures="spread")
    await shop.record("ann", READ, outcome="failed")
    await shop.days_later()
    assert await shop.costs("ann") == [READ_COST]
    assert await shop.days_later() == []


async def test_what_was_tried_again_is_an_interaction_once(shop: Shop) -> None:
    await shop.rules(retries="write_off")
    await shop.record("ann", READ, response_id="a", outcome="ok")
    again = await shop.record("ann", READ, response_id="b", attempt=2, outcome="ok")
    [cost] = (await shop.get(f"/events/{again}"))["costs"]
    assert cost["rule"] == {"on": "retries", "rule": "write_off"}
    await shop.days_later()
    assert await shop.costs("ann", "internal") == [READ_COST, READ_COST]


async def test_a_failure_that_gets_its_price_late_is_moved_then(shop: Shop) -> None:
    await shop.rules(failures="write_off")
    house = {"provider": "anthropic", "model": "house-model", "outcome": "failed"}
    await shop.record("ann", {"input_tokens": 1000, "output_tokens": 0}, **house)
    await shop.days_later(2)
    put = await shop.rest.put("/llm-prices/anthropic/house-model", json={"input": 2, "output": 3})
    assert put.status_code == 200, put.text
    assert (await shop.rest.post("/costs/reprice")).json()["priced"] == 1
    assert await shop.costs("ann") == [Decimal("0.002")]
    assert await shop.days_later(0) == [{"kind": "shared_costs", "count": 1}]
    assert await shop.costs("ann", "internal") == [0, Decimal("0.002")]
    assert (await shop.call(verify_ledger)).problems == []


async def test_a_rule_holds_from_now_on_for_what_is_left_in_it(shop: Shop) -> None:
    before = await shop.get("/cost-rules")
    assert before == {
        "cache_writes": "writer",
        "embeddings": "writer",
        "embedding_days": 30,
        "failures": "attribute",
        "retries": "attribute",
    }
    await shop.record("ann", READ, outcome="failed")
    assert await shop.rules(failures="write_off") == {**before, "failures": "write_off"}
    assert await shop.rules(retries="spread") == {
        **before,
        "failures": "write_off",
        "retries": "spread",
    }
    await shop.days_later()
    assert await shop.costs("ann") == [READ_COST]


@pytest.mark.parametrize(
    "rules", [{"failures": "forget"}, {"embedding_days": 0}, {"cache_writes": True}]
)
async def test_a_rule_that_is_none_is_refused(shop: Shop, rules: dict[str, object]) -> None:
    before = await shop.get("/cost-rules")
    reply = await shop.rest.patch("/cost-rules", json=rules)
    assert reply.status_code == 422
    assert next(iter(rules)) in reply.json()["errors"]
    assert await shop.get("/cost-rules") == before


async def test_a_chain_is_paid_where_it_was_asked_and_says_on_whom_it_depends(
    shop: Shop, mcp: Client, rest: httpx.AsyncClient
) -> None:
    asked = await shop.record("ann", READ, depends_on=["ben", "cat", "ben"])
    shown = await shop.get(f"/events/{asked}")
    assert shown["depends_on"] == ["ben", "cat"]
    assert shown["costs"][0]["rule"] == {"on": "agent_chains", "rule": "request_boundary"}
    assert await shop.costs("ann", "ben", "cat") == [READ_COST, 0, 0]
    log = await shop.get("/costs/dependencies", customer_id="ben")
    [row] = log["items"]
    assert (log["total_count"], row["event_id"]) == (1, asked)
    assert (row["customer_external_id"], row["depends_on_external_id"]) == ("ann", "ben")
    assert (await shop.get("/costs/dependencies"))["total_count"] == 2
    tool = await mcp.call_tool("get_event", {"event_id": asked})
    assert tool.structured_content is not None
    assert tool.structured_content["depends_on"] == ["ben", "cat"]
    event = {"id": "x", "event_type": "answer", "depends_on": ["nobody"]}
    refused = await rest.post("/events", json={"customer_id": "ann", "events": [event]})
    assert refused.status_code == 422
    assert "events[0].depends_on[0]" in refused.json()["errors"]


async def test_movements_are_no_usage_of_the_customers(shop: Shop) -> None:
    await shop.rules(failures="write_off")
    await shop.record("ann", READ, outcome="failed")
    wallet = (await shop.get("/customers/ann/wallet"))["accounts"]
    await shop.days_later()
    assert (await shop.get("/customers/ann/wallet"))["accounts"] == wallet
    notices = (await shop.get("/notices"))["items"]
    assert "event.unmatched" not in {notice["kind"] for notice in notices}
    body = {"product_id": "studio", "define": [{"event_type": "answer", "unit_price": 0.2}]}
    replayed = (await shop.rest.post("/replays", json=body)).json()
    assert (replayed["events"], replayed.get("without_fee") or []) == (1, [])
