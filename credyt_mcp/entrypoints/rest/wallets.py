"""REST routes of wallets. Translation only."""

from __future__ import annotations

from fastapi import APIRouter

from credyt_mcp.entrypoints.rest.replies import ExactRoute

router = APIRouter(tags=["wallets"], route_class=ExactRoute)
