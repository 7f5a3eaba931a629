"""What ours is compared with, each a process: `python -m benchmarks.servers NAME --port PORT`.

`noop` answers JSON to JSON; `one-commit` is our own HTTP stack and statements with a COMMIT for
every event; `tool` and `tool-stdio` are an MCP server with a tool that does nothing.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import uvicorn
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from credyt_mcp.app import running
from credyt_mcp.clock import SystemClock, to_micros
from credyt_mcp.entrypoints.http import http_app
from credyt_mcp.settings import Settings
from credyt_mcp.storage.book import BookStore, Command
from credyt_mcp.storage.database import Database


class OneCommit:
    """Stands in for the lane: the same load, decide and save, then a COMMIT, for one command."""

    def __init__(self, database: Database, lane: Any) -> None:
        self._gate, self._store = database.gate, BookStore(database.lane_connection())
        self._lane = lane

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lane, name)

    async def submit(self, command: Command) -> Any:
        connection = self._store.connection
        with self._gate:
            connection.begin()
            book = self._store.load([command], to_micros(SystemClock().now()))
            book.mark()
            result = command.decide(book)
            self._store.save(book)
            connection.commit()
        return result


async def noop(port: int) -> None:
    async def answer(request: Request) -> JSONResponse:
        await request.json()
        return JSONResponse({"ok": True})

    routes = [Route("/{path:path}", answer, methods=["POST", "GET"])]
    routes = [Route("/healthz", lambda _: JSONResponse({}), methods=["GET"]), *routes]
    await _serve(Starlette(routes=routes), port)


async def one_commit(port: int) -> None:
    async with running(Settings()) as system:
        lane: Any = OneCommit(system.billing.database, system.billing.lane)
        await _serve(http_app(replace(system.billing, lane=lane), system.keys), port)


def trivial() -> MCPServer[Any]:
    server: MCPServer[Any] = MCPServer("trivial", log_level="WARNING")

    @server.tool()
    async def trivial(
        customer_id: str,
        id: str,  # noqa: A002 - as in record_event
        event_type: str,
        data: dict[str, Any],
    ) -> dict[str, Any]:
        return {"ok": True}

    return server


async def tool(port: int) -> None:
    # As ours does; see entrypoints.http.
    security = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    app = trivial().streamable_http_app(
        json_response=True, stateless_http=True, transport_security=security
    )
    await _serve(app, port)


async def tool_stdio(_: int) -> None:
    await trivial().run_stdio_async()


async def _serve(app: ASGIApp, port: int) -> None:
    """With the options that our own server has."""
    config = uvicorn.Config(
        app, "127.0.0.1", port, log_config=None, access_log=False, proxy_headers=False
    )
    await uvicorn.Server(config).serve()


SERVERS: dict[str, Callable[[int], Awaitable[None]]] = {
    "noop": noop,
    "one-commit": one_commit,
    "tool": tool,
    "tool-stdio": tool_stdio,
}


async def main() -> None:
    port = int(sys.argv[3]) if len(sys.argv) > 2 else 0
    await SERVERS[sys.argv[1]](port)


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:  # Windows
        asyncio.run(main())
    else:
        uvloop.run(main())
