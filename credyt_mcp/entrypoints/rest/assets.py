"""REST routes of assets. Translation only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, reply
from credyt_mcp.use_cases import assets
from credyt_mcp.use_cases.context import PageOf

router = APIRouter(prefix="/assets", tags=["assets"], route_class=ExactRoute)


@router.post("", status_code=201, response_model=assets.AssetCreated)
async def create_asset(caller: Caller, body: assets.CreateAsset) -> Response:
    return await reply(caller, assets.create_asset, body, 201)


@router.get("", response_model=assets.AssetPage)
async def list_assets(caller: Caller, page: Annotated[PageOf, Query()]) -> Response:
    return await reply(caller, assets.list_assets, page)


@router.get("/{asset_code}", response_model=assets.AssetDetails)
async def get_asset(caller: Caller, asset_code: str) -> Response:
    return await reply(caller, assets.get_asset, assets.GetAsset(asset_code=asset_code))


@router.post("/{asset_code}/rates", status_code=204)
async def add_asset_rate(caller: Caller, asset_code: str, body: assets.RateFields) -> Response:
    command = assets.AddAssetRate(asset_code=asset_code, **dict(body))
    return await reply(caller, assets.add_asset_rate, command, 204)


@router.post("/{asset_code}/quote", response_model=assets.Quote)
async def quote_asset(caller: Caller, asset_code: str, body: assets.QuoteFields) -> Response:
    command = assets.QuoteAsset(asset_code=asset_code, **dict(body))
    return await reply(caller, assets.quote_asset, command)
