"""Hot routes: plain ASGI in front of the framework, whose layers cost more than the billing itself.

They parse, validate and answer exactly as the other routes do, and stand in the OpenAPI document.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, get_type_hints

from pydantic import BaseModel, ValidationError
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from credyt_mcp.entrypoints.auth import authenticate
from credyt_mcp.entrypoints.rest.replies import problem, read_json, whole_body
from credyt_mcp.entrypoints.validation import invalid_request
from credyt_mcp.errors import CredytError, InternalError
from credyt_mcp.use_cases.context import Billing, Command, Result, perform
from credyt_mcp.use_cases.key_ring import KeyRing

log = logging.getLogger(__name__)

Answer = Callable[[Any], Response]


class HotRoute:
    """`POST path`: the body, with the parts of the path, is the command of a use case."""

    def __init__(
        self,
        path: str,
        use_case: Callable[..., Any],
        command: type[Command],
        body: type[Command] | None,
        answer: Answer,
        statuses: dict[int, str],
    ) -> None:
        self.path, self.body = path, body
        self.result: type[Result] = get_type_hints(use_case)["return"]
        self.pattern, _, self._parts = compile_path(path)
        self._use_case, self._command = use_case, command
        self._answer, self._statuses = answer, statuses

    async def serve(self, billing: Billing, body: bytes, parts: dict[str, str]) -> Response:
        given = read_json(body) if body else {}
        if parts and isinstance(given, dict):
            given = {**given, **parts}
        try:
            command = self._command.model_validate(given)
        except ValidationError as error:
            found = error.errors(include_input=False, include_url=False, include_context=False)
            raise invalid_request(found, given) from None
        return self._answer(await perform(billing, self._use_case, command))

    def documented(self) -> dict[str, Any]:
        """This route's part of the OpenAPI document."""
        name = self._use_case.__name__
        operation: dict[str, Any] = {
            "tags": [self.path.split("/")[1]],
            "summary": name.replace("_", " ").capitalize(),
            "operationId": name,
            "description": " ".join((self._command.__doc__ or "").split()),
            "parameters": [
                {"name": part, "in": "path", "required": True, "schema": {"type": "string"}}
                for part in self._parts
            ],
            "responses": {},
        }
        for code, said in self._statuses.items():
            operation["responses"][str(code)] = {"description": said}
            if code in (200, 201):
                operation["responses"][str(code)]["content"] = _json_of(self.result)
        if self.body is not None:
            operation["requestBody"] = {"required": True, "content": _json_of(self.body)}
        return {"post": operation}


def _json_of(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}


class HotFirst:
    """ASGI: serves hot routes itself and hands everything else to `app`."""

    def __init__(
        self, app: ASGIApp, routes: Iterable[HotRoute], billing: Billing, keys: KeyRing
    ) -> None:
        self._app, self._billing, self._keys = app, billing, keys
        self._exact = {route.path: route for route in routes if "{" not in route.path}
        self._others = [route for route in routes if "{" in route.path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        route, parts = self._exact.get(scope["path"]), dict[str, str]()
        if route is None:
            for other in self._others:
                if match := other.pattern.match(scope["path"]):
                    route, parts = other, match.groupdict()
        if route is None:
            await self._app(scope, receive, send)
            return
        # A plain dict: Starlette's reads its list for each look. The first of a name counts.
        given = reversed(scope["headers"])
        headers = {name.decode("latin-1"): text.decode("latin-1") for name, text in given}
        answer = await self._answered(route, parts, headers, receive)
        await answer(scope, receive, send)

    async def _answered(
        self, route: HotRoute, parts: dict[str, str], headers: dict[str, str], receive: Receive
    ) -> Response:
        try:
            billing = await authenticate(self._keys, self._billing, headers)
            return await route.serve(billing, await whole_body(receive), parts)
        except CredytError as error:
            return problem(error)
        except Exception:
            log.exception("POST %s failed", route.path)
            return problem(InternalError("the server failed"))
