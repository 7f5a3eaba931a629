"""Hot routes: plain ASGI, without the framework's layers, which cost more than the billing itself.

They parse, validate and answer exactly as the other routes do, and stand in the OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import Request, Response
from pydantic import ValidationError
from starlette.routing import Route, compile_path
from starlette.types import Receive, Scope, Send

from credyt_mcp.entrypoints.auth import authenticate
from credyt_mcp.entrypoints.rest.replies import read_json
from credyt_mcp.entrypoints.validation import invalid_request
from credyt_mcp.use_cases.context import Billing, Command, perform

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
        self.path, self.body, self.command = path, body, command
        self._use_case, self._answer, self._statuses = use_case, answer, statuses
        self.route = Route(path, self, methods=["POST"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        caller = await authenticate(scope["app"].state.keys, request.headers)
        billing: Billing = scope["app"].state.billing
        body = await request.body()
        given = read_json(body) if body else {}
        if scope["path_params"] and isinstance(given, dict):
            given = {**given, **scope["path_params"]}
        try:
            command = self.command.model_validate(given)
        except ValidationError as error:
            found = error.errors(include_input=False, include_url=False, include_context=False)
            raise invalid_request(found, given) from None
        result = await perform(billing.as_tenant(*caller), self._use_case, command)
        await self._answer(result)(scope, receive, send)

    def documented(self) -> dict[str, Any]:
        """This route's part of the OpenAPI document."""
        name = self._use_case.__name__
        operation: dict[str, Any] = {
            "tags": [self.path.split("/")[1]],
            "summary": name.replace("_", " ").capitalize(),
            "operationId": name,
            "description": " ".join((self.command.__doc__ or "").split()),
            "security": [{"APIKeyHeader": []}],
            "parameters": [
                {"name": part, "in": "path", "required": True, "schema": {"type": "string"}}
                for part in compile_path(self.path)[2]
            ],
            "responses": {
                str(code): {"description": said} for code, said in self._statuses.items()
            },
        }
        if self.body is not None:
            schema = {"$ref": f"#/components/schemas/{self.body.__name__}"}
            operation["requestBody"] = {
                "required": True,
                "content": {"application/json": {"schema": schema}},
            }
        return {"post": operation}
