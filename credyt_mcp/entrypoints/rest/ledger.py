"""REST route of the ledger's proof, an extension of ours. Translation only."""

from __future__ import annotations

from fastapi import APIRouter, Response

from credyt_mcp.entrypoints.rest.auth import Caller
from credyt_mcp.entrypoints.rest.replies import ExactRoute, reply
from credyt_mcp.use_cases import ledger

router = APIRouter(prefix="/ledger", tags=["ledger"], route_class=ExactRoute)


@router.get("/verify", response_model=ledger.LedgerReport)
async def verify_ledger(caller: Caller) -> Response:
    return await reply(caller, ledger.verify_ledger, ledger.VerifyLedger())
