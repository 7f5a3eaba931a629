"""REST routes of API keys, an extension of ours. Translation only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, reply
from credyt_mcp.use_cases import keys
from credyt_mcp.use_cases.context import PageOf

router = APIRouter(prefix="/keys", tags=["keys"], route_class=ExactRoute)


@router.post("", status_code=201, response_model=keys.KeyCreated)
async def create_api_key(caller: Caller, body: keys.CreateApiKey) -> Response:
    return await reply(caller, keys.create_api_key, body, 201)


@router.get("", response_model=keys.KeyPage)
async def list_api_keys(caller: Caller, page: Annotated[PageOf, Query()]) -> Response:
    return await reply(caller, keys.list_api_keys, page)


@router.delete("/{key_id}", status_code=204)
async def revoke_api_key(caller: Caller, key_id: str) -> Response:
    return await reply(caller, keys.revoke_api_key, keys.RevokeApiKey(key_id=key_id), 204)
