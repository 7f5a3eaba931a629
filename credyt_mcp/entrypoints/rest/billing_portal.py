"""REST route of billing-portal sessions. Translation only; the page is in entrypoints/portal."""

from __future__ import annotations

from fastapi import APIRouter, Response

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, reply
from credyt_mcp.use_cases import billing_portal

router = APIRouter(prefix="/billing-portal", tags=["billing-portal"], route_class=ExactRoute)


@router.post("/sessions", response_model=billing_portal.PortalSession)
async def create_portal_session(
    caller: Caller, body: billing_portal.CreatePortalSession
) -> Response:
    return await reply(caller, billing_portal.create_portal_session, body)
