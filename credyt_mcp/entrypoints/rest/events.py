"""REST routes of events. Translation only."""

from __future__ import annotations

from fastapi import APIRouter

from credyt_mcp.entrypoints.rest.replies import ExactRoute

router = APIRouter(tags=["events"], route_class=ExactRoute)
