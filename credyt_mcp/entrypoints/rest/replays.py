"""REST routes of replays: recorded usage under other prices. Translation only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, reply
from credyt_mcp.use_cases import replay_fields as fields
from credyt_mcp.use_cases import replays
from credyt_mcp.use_cases.context import PageOf

router = APIRouter(prefix="/replays", tags=["replays"], route_class=ExactRoute)


@router.post("", status_code=201, response_model=fields.Replay)
async def replay_pricing(caller: Caller, body: fields.ReplayPricing) -> Response:
    return await reply(caller, replays.replay_pricing, body, 201)


@router.get("", response_model=fields.ReplayPage)
async def list_replays(caller: Caller, page: Annotated[fields.ListReplays, Query()]) -> Response:
    return await reply(caller, replays.list_replays, page)


@router.get("/{replay_id}", response_model=fields.Replay)
async def get_replay(caller: Caller, replay_id: str) -> Response:
    return await reply(caller, replays.get_replay, fields.GetReplay(replay_id=replay_id))


@router.delete("/{replay_id}", status_code=204)
async def delete_replay(caller: Caller, replay_id: str) -> Response:
    command = fields.DeleteReplay(replay_id=replay_id)
    return await reply(caller, replays.delete_replay, command, 204)


@router.get("/{replay_id}/customers", response_model=fields.ReplayedCustomerPage)
async def list_replayed_customers(
    caller: Caller, replay_id: str, page: Annotated[PageOf, Query()]
) -> Response:
    command = fields.ListReplayedCustomers(replay_id=replay_id, **dict(page))
    return await reply(caller, replays.list_replayed_customers, command)


@router.get("/{replay_id}/comparison", response_model=fields.ReplayComparison)
async def compare_replays(
    caller: Caller, replay_id: str, other: Annotated[fields.OtherReplay, Query()]
) -> Response:
    command = fields.CompareReplays(replay_id=replay_id, **dict(other))
    return await reply(caller, replays.compare_replays, command)
