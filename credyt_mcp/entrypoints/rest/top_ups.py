"""REST routes of top-ups. Translation only."""

from __future__ import annotations

from fastapi import APIRouter

from credyt_mcp.entrypoints.rest.replies import ExactRoute

router = APIRouter(tags=["top-ups"], route_class=ExactRoute)
