"""The HTTP server: REST at `/`, MCP at `/mcp`, customers' pages, health. Assembly only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp, Receive, Scope, Send

from credyt_mcp.entrypoints.mcp.http import McpOverHttp
from credyt_mcp.entrypoints.portal import billing_portal, checkout, sandbox
from credyt_mcp.entrypoints.providers import stripe
from credyt_mcp.entrypoints.rest import reference
from credyt_mcp.entrypoints.rest.hot import HotFirst
from credyt_mcp.entrypoints.rest.replies import json_response
from credyt_mcp.entrypoints.rest.server import HOT_ROUTES, add_routes
from credyt_mcp.use_cases.context import Billing
from credyt_mcp.use_cases.key_ring import KeyRing


class HttpApp:
    """ASGI: MCP and the hot routes before the framework, whose `routes` are all others."""

    def __init__(self, routes: FastAPI, rest: ASGIApp, mcp: ASGIApp) -> None:
        self.routes, self._rest, self._mcp = routes, rest, mcp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        of_mcp = scope["type"] == "http" and scope["path"] == "/mcp"
        await (self._mcp if of_mcp else self._rest)(scope, receive, send)


def http_app(billing: Billing, keys: KeyRing) -> HttpApp:
    """The application for a running system."""
    mcp = McpOverHttp(billing, keys)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with mcp.sessions.run():
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
    app.include_router(sandbox.router)
    app.include_router(stripe.router)

    lane = billing.lane

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        status = {"status": "ok" if lane.alive else "failed", "lane": lane.health()}
        return json_response(status, 200 if lane.alive else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        text = generate_latest(lane.metrics.registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return HttpApp(app, HotFirst(app, HOT_ROUTES, billing, keys), mcp)
