"""The HTTP server: REST at `/`, MCP at `/mcp`, customers' pages, health. Assembly only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI, Response
from mcp.server.transport_security import TransportSecuritySettings
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.routing import Route
from starlette.types import ASGIApp

from credyt_mcp.entrypoints.mcp.transports import ExactHttp, http_server
from credyt_mcp.entrypoints.portal import billing_portal, checkout
from credyt_mcp.entrypoints.rest import reference
from credyt_mcp.entrypoints.rest.hot import HotFirst
from credyt_mcp.entrypoints.rest.replies import json_response
from credyt_mcp.entrypoints.rest.server import HOT_ROUTES, add_routes
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.key_ring import KeyRing


def http_app(billing: Billing, keys: KeyRing) -> ASGIApp:
    """The application for a running system."""
    mcp = http_server()
    # The key in each request is what admits it; a browser page on another site has none to send.
    mcp_app = mcp.streamable_http_app(
        json_response=True,
        stateless_http=True,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with mcp.session_manager.run():
            yield

    app = FastAPI(
        title="Credyt",
        version=version("credyt-mcp"),
        description="Real-time prepaid usage billing for AI apps.",
        lifespan=lifespan,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        # FastAPI's own pages load their scripts from another host.
        docs_url=None,
        redoc_url=None,
    )
    app.state.billing, app.state.keys = billing, keys
    add_routes(app)
    app.include_router(reference.router)
    app.include_router(checkout.router)
    app.include_router(billing_portal.router)

    lane = billing.lane

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        status = {"status": "ok" if lane.alive else "failed", "lane": lane.health()}
        return json_response(status, 200 if lane.alive else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        text = generate_latest(lane.metrics.registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    app.router.routes.append(Route("/mcp", ExactHttp(mcp_app, billing, keys)))
    return HotFirst(app, HOT_ROUTES, billing, keys)
