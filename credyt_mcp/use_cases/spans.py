"""OpenTelemetry spans of model calls become usage events. Those without tokens are passed over."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from pydantic import Field, ValidationError

from credyt_mcp.errors import CredytError, InvalidRequest
from credyt_mcp.use_cases.context import Billing, Command, Moment, Result
from credyt_mcp.use_cases.events import SubmitEvents, submit_events
from credyt_mcp.use_cases.recording import INTERNAL

CUSTOMER, EVENT_TYPE = "credyt.customer", "credyt.event_type"
USER = ("credyt.user_id", "user.id", "enduser.id")
SUBJECT = ("credyt.subject", "gen_ai.conversation.id")
DATA, USAGE, GEN_AI = "credyt.data.", "gen_ai.usage.", "gen_ai."
TOKENS = {
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
}


class Span(Command):
    """`attributes` are the span's over those of its resource. Ids in hex."""

    trace_id: str
    span_id: str
    ended_at: Moment
    failed: bool = False
    attributes: dict[str, Any]


class RecordSpans(Command):
    """Record the model calls among OpenTelemetry spans (`gen_ai.usage.*`): their costs belong to
    the customer in the attribute `credyt.customer`, else to `internal`. A span counts once."""

    spans: Annotated[list[Span], Field(max_length=10_000)]


class SpansRecorded(Result):
    """`refused` says of each span that could not be recorded why; the others are."""

    recorded: int
    refused: dict[str, str]


async def record_spans(billing: Billing, command: RecordSpans) -> SpansRecorded:
    """Each span by itself: an exporter sends what happened to be together."""
    calls = [
        span for span in command.spans if any(name.startswith(USAGE) for name in span.attributes)
    ]
    refused = await asyncio.gather(*(_record(billing, span) for span in calls))
    wrong = {span.span_id: why for span, why in zip(calls, refused, strict=True) if why}
    return SpansRecorded(recorded=len(calls) - len(wrong), refused=wrong)


async def _record(billing: Billing, span: Span) -> str | None:
    """Why the span could not be recorded."""
    try:
        event = SubmitEvents.model_validate(
            {"customer_id": str(span.attributes.get(CUSTOMER, INTERNAL)), "events": [_event(span)]}
        )
        await submit_events(billing, event)
    except ValidationError as error:
        [first, *_] = error.errors(include_url=False)
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except CredytError as error:
        return str(error)
    return None


def _event(span: Span) -> dict[str, Any]:
    given = span.attributes
    operation = given.get("gen_ai.operation.name", "chat")
    model = _first(given, ("gen_ai.request.model", "gen_ai.response.model"))
    tokens = {name: _count(given, names) for name, names in TOKENS.items()}
    data = {"model": model, **tokens, "total_tokens": sum(tokens.values())}
    data |= {name.removeprefix(DATA): value for name, value in given.items() if DATA in name}
    call = {
        "provider": _first(given, ("gen_ai.provider.name", "gen_ai.system")),
        "model": _first(given, ("gen_ai.response.model", "gen_ai.request.model")),
        "usage": {name: value for name, value in given.items() if name.startswith(GEN_AI)},
        "response_id": given.get("gen_ai.response.id"),
        "service_tier": given.get("openai.response.service_tier"),
        "outcome": "failed" if span.failed else "ok",
    }
    return {
        "id": f"{span.trace_id}:{span.span_id}",
        "event_type": given.get(EVENT_TYPE, f"{GEN_AI}{operation}"),
        "occurred_at": span.ended_at,
        "user_id": _first(given, USER),
        "subject": _first(given, SUBJECT),
        "data": {name: value for name, value in data.items() if value is not None},
        "llm_usage": call,
    }


def _count(given: dict[str, Any], names: tuple[str, ...]) -> int:
    tokens = _first(given, names) or 0
    if not isinstance(tokens, int):
        raise InvalidRequest(names[0], f"is an integer, not {tokens!r}")
    return tokens


def _first(given: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((given[name] for name in names if given.get(name) is not None), None)
