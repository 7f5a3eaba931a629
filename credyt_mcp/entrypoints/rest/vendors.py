"""REST routes of vendors. Translation only."""

from __future__ import annotations

from fastapi import APIRouter

from credyt_mcp.entrypoints.rest.replies import ExactRoute

router = APIRouter(tags=["vendors"], route_class=ExactRoute)
