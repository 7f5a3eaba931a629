"""How REST answers are written and bodies read: exact decimals, problem+json. No decisions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from credyt_mcp import exact_json
from credyt_mcp.entrypoints.validation import invalid_request
from credyt_mcp.errors import (
    BudgetExceeded,
    CredytError,
    InsufficientBalance,
    InternalError,
    InvalidRequest,
    MalformedRequest,
    NotFound,
    TooLarge,
    WrongMethod,
)
from credyt_mcp.use_cases.context import Billing, perform

BODY_MAX = 8 * 2**20
PROBLEM_TYPE = "urn:credyt:error:"


class ProblemDetails(BaseModel):
    """What went wrong (RFC 9457): `code` is stable, `hint` says what to do next."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str


class ValidationProblem(ProblemDetails):
    """A request with wrong fields: `errors` has the messages of each, by its path in the body."""

    errors: dict[str, list[str]]


class ExactRequest(Request):
    """A request whose body was parsed already, exactly."""

    parsed: Any = None

    async def json(self) -> Any:
        return self.parsed


class ExactRoute(APIRoute):
    """A route that takes any body for JSON and parses it without passing a number through a double.

    It is parsed here because FastAPI would turn our error about it into one of its own.
    """

    # FastAPI asks for a Coroutine; any Awaitable does.
    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handle = super().get_route_handler()

        async def exact(request: Request) -> Response:
            body = await whole_body(request.receive)
            headers = [pair for pair in request.scope["headers"] if pair[0] != b"content-type"]
            headers.append((b"content-type", b"application/json"))
            taken = ExactRequest({**request.scope, "headers": headers}, _receive_once(body))
            if body:
                taken.parsed = read_json(body)
            return await handle(taken)

        return exact


async def whole_body(receive: Receive) -> bytes:
    """Raises TooLarge past the limit, so that no caller fills our memory."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > BODY_MAX:
            raise TooLarge(f"the body is larger than {BODY_MAX // 2**20} MiB")
    return body


def _receive_once(body: bytes) -> Callable[[], Awaitable[Message]]:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def read_json(body: bytes) -> Any:
    """Raises MalformedRequest; also for NUL characters, which Postgres cannot store."""
    if rb"\u0000" in body:
        raise MalformedRequest("the body has a NUL character in a text")
    try:
        return exact_json.loads(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise MalformedRequest("the body is not valid JSON") from error


async def reply(
    billing: Billing, use_case: Callable[[Billing, Any], Any], command: Any, status: int = 200
) -> Response:
    """Perform a use case and write its result."""
    return json_response(await perform(billing, use_case, command), status)


def json_response(result: Any, status: int = 200) -> Response:
    if status == 204:
        return Response(status_code=204)
    content = result.model_dump() if isinstance(result, BaseModel) else result
    return Response(exact_json.dumps(content), status, media_type="application/json")


def problem(error: CredytError) -> Response:
    body = ProblemDetails(
        type=f"{PROBLEM_TYPE}{error.code}",
        title=error.title,
        status=error.status,
        detail=error.detail,
        code=error.code,
        hint=error.hint,
    )
    facts: dict[str, Any] = (
        error.facts if isinstance(error, InsufficientBalance | BudgetExceeded) else {}
    )
    if isinstance(error, InvalidRequest):
        facts = {"errors": error.errors}
    headers = {}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(
        exact_json.dumps({**body.model_dump(), **facts}),
        error.status,
        headers,
        media_type="application/problem+json",
    )


async def on_credyt_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, CredytError)
    return problem(error)


async def on_invalid(request: Request, error: Exception) -> Response:
    """FastAPI's own validation, in our words. The first step of a location says where it was."""
    assert isinstance(error, RequestValidationError)
    if any(entry["type"] == "json_invalid" for entry in error.errors()):
        return problem(MalformedRequest("the body is not valid JSON"))
    errors = [{**entry, "loc": entry["loc"][1:] or entry["loc"]} for entry in error.errors()]
    in_body = any(entry["loc"][0] == "body" for entry in error.errors())
    asked = {**request.path_params, **request.query_params}
    return problem(invalid_request(errors, error.body if in_body else asked))


async def on_http_error(_: Request, error: Exception) -> Response:
    """What the framework refuses by itself: unknown addresses, methods, broken forms."""
    assert isinstance(error, HTTPException)
    refusal: CredytError = MalformedRequest(error.detail)
    if error.status_code == 404:
        refusal = NotFound("there is nothing at this address", hint="/docs shows what there is.")
    elif error.status_code == 405:
        refusal = WrongMethod("this address does not take that method")
    answer = problem(refusal)
    answer.headers.update(error.headers or {})
    return answer


async def on_failure(_: Request, __: Exception) -> Response:
    """A fault of ours; what it was stays in the log."""
    return problem(InternalError("the server failed"))
