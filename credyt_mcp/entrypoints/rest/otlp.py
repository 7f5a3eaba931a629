"""OTLP over HTTP, protobuf and JSON: where an OpenTelemetry exporter sends its spans.
Translation only; the rules are OpenTelemetry's (opentelemetry.io/docs/specs/otlp)."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import BODY_MAX, json_response, read_json, whole_body
from credyt_mcp.errors import MalformedRequest, TooLarge
from credyt_mcp.use_cases import spans
from credyt_mcp.use_cases.context import perform

router = APIRouter()
PROTOBUF = "application/x-protobuf"
FAILED = 2
"""STATUS_CODE_ERROR"""


# Not in our document: the shapes are another standard's.
@router.post("/otlp/v1/traces", include_in_schema=False)
async def record_spans(caller: Caller, request: Request) -> Response:
    """Answers what could not be recorded as a partial success; nothing is to be sent again."""
    body = _unpacked(await whole_body(request.receive), request.headers.get("content-encoding"))
    binary = request.headers.get("content-type", "").startswith(PROTOBUF)
    found = list(_of_protobuf(body) if binary else _of_json(read_json(body)))
    done: spans.SpansRecorded = await perform(
        caller, spans.record_spans, spans.RecordSpans(spans=found)
    )
    said = "; ".join(f"span {span}: {why}" for span, why in sorted(done.refused.items())[:10])
    if binary:
        answer = ExportTraceServiceResponse()
        if done.refused:
            answer.partial_success.rejected_spans = len(done.refused)
            answer.partial_success.error_message = said
        return Response(answer.SerializeToString(), media_type=PROTOBUF)
    partial = {"rejectedSpans": str(len(done.refused)), "errorMessage": said}
    return json_response({"partialSuccess": partial} if done.refused else {})


def _unpacked(body: bytes, encoding: str | None) -> bytes:
    if encoding != "gzip":
        return body
    reader = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        unpacked = reader.decompress(body, BODY_MAX)
    except zlib.error:
        raise MalformedRequest("the body is not gzip") from None
    if reader.unconsumed_tail:
        raise TooLarge(f"the body is larger than {BODY_MAX // 2**20} MiB")
    return unpacked


def _of_protobuf(body: bytes) -> Iterator[spans.Span]:
    try:
        asked = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        raise MalformedRequest("the body is not an OTLP trace request") from None
    for resource in asked.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield spans.Span(
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    ended_at=_moment(span.end_time_unix_nano),
                    failed=span.status.code == FAILED,
                    attributes=_plain(resource.resource.attributes) | _plain(span.attributes),
                )


def _plain(given: Iterable[KeyValue]) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in given}


def _value(given: AnyValue) -> Any:
    """Lists and maps say nothing of usage."""
    kind = given.WhichOneof("value")
    return getattr(given, kind) if kind in ("string_value", "int_value", "bool_value") else None


def _of_json(asked: Any) -> Iterator[spans.Span]:
    """OTLP's JSON writes 64-bit integers as text, and ids in hex."""
    try:
        for resource in asked.get("resourceSpans", ()):
            shared = _plain_json(resource.get("resource", {}).get("attributes", ()))
            for scope in resource.get("scopeSpans", ()):
                for span in scope.get("spans", ()):
                    yield spans.Span(
                        trace_id=span["traceId"],
                        span_id=span["spanId"],
                        ended_at=_moment(int(span["endTimeUnixNano"])),
                        failed=span.get("status", {}).get("code") == FAILED,
                        attributes=shared | _plain_json(span.get("attributes", ())),
                    )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedRequest(f"the body is not an OTLP trace request: {error!r}") from None


def _plain_json(given: Any) -> dict[str, Any]:
    return {one["key"]: _json_value(one["value"]) for one in given}


def _json_value(given: dict[str, Any]) -> Any:
    if "intValue" in given:
        return int(given["intValue"])
    return given.get("stringValue", given.get("boolValue"))


def _moment(nanoseconds: int) -> datetime:
    seconds, rest = divmod(nanoseconds, 10**9)
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
    except (OverflowError, OSError, ValueError):
        raise MalformedRequest("a span's end is not a time") from None
