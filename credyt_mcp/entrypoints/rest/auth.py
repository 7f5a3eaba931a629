"""The caller of a REST request, as a dependency: the running system seen by the key's tenant."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from credyt_mcp.entrypoints.auth import authenticate
from credyt_mcp.errors import InvalidRequest
from credyt_mcp.use_cases.context import Billing


async def caller(request: Request) -> Billing:
    """Raises InvalidRequest for a NUL character in the address, which Postgres cannot look for."""
    if "\x00" in request.scope["path"] or b"%00" in request.scope["query_string"]:
        raise InvalidRequest("", "the address has a NUL character; leave it out")
    return await authenticate(request.app.state.keys, request.app.state.billing, request.headers)


Caller = Annotated[Billing, Depends(caller)]
