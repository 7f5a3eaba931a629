"""Spans of OpenTelemetry's own exporter, in protobuf, and the same in JSON, become usage."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from decimal import Decimal
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from credyt_mcp.use_cases.events import get_event, list_events
from tests.client.conftest import Billed, World, billed
from tests.client.test_metered_sdks import settled
from tests.conftest import API_KEY, Call

CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5",
    "gen_ai.response.id": "resp-1",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 50,
    "gen_ai.conversation.id": "task-7",
    "credyt.customer": "jane",
}
COST = Decimal("0.000625")
KEY = {"Authorization": f"Bearer {API_KEY}"}


def traced(world: World, *calls: dict[str, Any], compression: Compression) -> None:
    """As an app does it. The exporter itself says nothing of what it was answered."""
    exporter = OTLPSpanExporter(
        f"{world.billing_url}/otlp/v1/traces", headers=KEY, compression=compression
    )
    provider = TracerProvider(resource=Resource({"user.id": "ann"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("app")
    with tracer.start_as_current_span("request"):
        for attributes in calls:
            with tracer.start_as_current_span("chat gpt-5", attributes=attributes):
                pass
    provider.shutdown()


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
async def test_an_exporters_spans_are_recorded_with_their_cost(
    call: Call, world: World, compression: Compression
) -> None:
    background = {
        name: value
        for name, value in CALL.items()
        if name not in ("credyt.customer", "gen_ai.response.id")
    }
    sold = {**CALL, "credyt.event_type": "answer", "gen_ai.response.id": "resp-2"}
    await asyncio.to_thread(traced, world, CALL, background, sold, compression=compression)
    cost_only = Billed("gen_ai.chat", Decimal(0), COST)
    # The spans may end in one microsecond, so that nothing orders them.
    assert sorted(await billed(call), key=lambda one: one.fee) == [
        cost_only,
        cost_only,
        Billed("answer", Decimal("0.15"), COST),
    ]
    events = (await call(list_events)).items
    assert sorted(event.external_id for event in events) == ["internal", "jane", "jane"]
    assert {(event.user_id, event.subject) for event in events} == {("ann", "task-7")}
    assert (await call(get_event, event_id=events[0].id)).costs[0].llm.model == "gpt-5"


def as_json(*calls: dict[str, Any], **span: Any) -> dict[str, Any]:
    spans = [
        {
            "traceId": "5b8efff798038103d269b633813fc60c",
            "spanId": f"eee19b7ec3c1b17{number}",
            "endTimeUnixNano": "1773144000000000000",
            "attributes": [
                {
                    "key": name,
                    "value": {"intValue": str(value)}
                    if isinstance(value, int)
                    else {"stringValue": value},
                }
                for name, value in attributes.items()
            ],
            **span,
        }
        for number, attributes in enumerate(calls)
    ]
    return {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}


async def test_a_span_that_comes_again_counts_once_and_a_bad_one_harms_no_other(
    call: Call, world: World
) -> None:
    now = {"endTimeUnixNano": str(time.time_ns())}
    stranger = {**CALL, "credyt.customer": "nobody", "gen_ai.response.id": "resp-3"}
    async with httpx.AsyncClient(base_url=world.billing_url, headers=KEY) as http:
        for _ in range(2):
            body = as_json({**CALL, "credyt.event_type": "answer"}, stranger, {"a": "b"}, **now)
            answer = await http.post("/otlp/v1/traces", json=body)
            assert answer.status_code == 200
            partial = answer.json()["partialSuccess"]
            assert partial["rejectedSpans"] == "1"
            assert "there is no customer 'nobody'" in partial["errorMessage"]
    await settled(call, Billed("answer", Decimal("0.15"), COST))


async def test_tokens_that_are_no_count_are_refused_by_name(call: Call, world: World) -> None:
    body = as_json({**CALL, "gen_ai.usage.input_tokens": "100"})
    async with httpx.AsyncClient(base_url=world.billing_url, headers=KEY) as http:
        answer = await http.post("/otlp/v1/traces", json=body)
    assert "gen_ai.usage.input_tokens" in answer.json()["partialSuccess"]["errorMessage"]
    await settled(call)


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ({"content-type": "application/x-protobuf"}, b"\xff\xff"),
        ({"content-type": "application/json"}, b"{"),
        ({"content-type": "application/json"}, b'{"resourceSpans": 1}'),
        ({"content-type": "application/json", "content-encoding": "gzip"}, b"{}"),
        (
            {"content-type": "application/json"},
            json.dumps(as_json(CALL, endTimeUnixNano="9" * 30)).encode(),
        ),
    ],
)
async def test_what_is_no_trace_is_refused_by_name(
    call: Call, world: World, headers: dict[str, str], content: bytes
) -> None:
    async with httpx.AsyncClient(base_url=world.billing_url, headers={**KEY, **headers}) as http:
        answer = await http.post("/otlp/v1/traces", content=content)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")


async def test_a_small_body_does_not_unpack_to_a_huge_one(world: World) -> None:
    packed = gzip.compress(b" " * 2**26)
    headers = {**KEY, "content-type": "application/json", "content-encoding": "gzip"}
    async with httpx.AsyncClient(base_url=world.billing_url, headers=headers) as http:
        answer = await http.post("/otlp/v1/traces", content=packed)
    assert answer.json()["code"] == "too_large"
