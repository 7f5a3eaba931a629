"""REST routes of top-ups, their refunds and disputes. Translation only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, reply
from credyt_mcp.use_cases import refunds, top_ups

router = APIRouter(tags=["top-ups"], route_class=ExactRoute)


@router.post("/top-ups", status_code=201, response_model=top_ups.TopUpStarted)
async def start_top_up(caller: Caller, body: top_ups.StartTopUpFields) -> Response:
    return await reply(caller, top_ups.start_top_up, body, 201)


@router.get("/top-ups/{top_up_id}", response_model=top_ups.TopUpDetails)
async def get_top_up(caller: Caller, top_up_id: str) -> Response:
    return await reply(caller, top_ups.get_top_up, top_ups.GetTopUp(top_up_id=top_up_id))


@router.get("/top-ups/{top_up_id}/refund-quote", response_model=refunds.RefundQuote)
async def quote_refund(caller: Caller, top_up_id: str) -> Response:
    return await reply(caller, refunds.quote_refund, refunds.QuoteRefund(top_up_id=top_up_id))


@router.post("/top-ups/{top_up_id}/refunds", status_code=201, response_model=refunds.Refund)
async def refund_top_up(caller: Caller, top_up_id: str, body: refunds.RefundFields) -> Response:
    command = refunds.RefundTopUp(top_up_id=top_up_id, **dict(body))
    return await reply(caller, refunds.refund_top_up, command, 201)


@router.get("/refunds", response_model=refunds.RefundPage)
async def list_refunds(caller: Caller, query: Annotated[refunds.ListRefunds, Query()]) -> Response:
    return await reply(caller, refunds.list_refunds, query)


@router.get("/disputes", response_model=refunds.DisputePage)
async def list_disputes(
    caller: Caller, query: Annotated[refunds.ListDisputes, Query()]
) -> Response:
    return await reply(caller, refunds.list_disputes, query)
