"""The caller of a REST request, as a dependency: the running system seen by the key's tenant."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader

from credyt_mcp.entrypoints.auth import authenticate
from credyt_mcp.errors import InvalidRequest
from credyt_mcp.use_cases.context import Billing

# Only for /docs and /openapi.json: authenticate reads the headers itself.
_shown_in_docs = APIKeyHeader(name="X-CREDYT-API-KEY", auto_error=False)


async def caller(request: Request, _: Annotated[str | None, Depends(_shown_in_docs)]) -> Billing:
    """Raises InvalidRequest for a NUL character in the address, which Postgres cannot look for."""
    if "\x00" in request.scope["path"] or b"%00" in request.scope["query_string"]:
        raise InvalidRequest("", "the address has a NUL character; leave it out")
    return await authenticate(request.app.state.keys, request.app.state.billing, request.headers)


Caller = Annotated[Billing, Depends(caller)]
