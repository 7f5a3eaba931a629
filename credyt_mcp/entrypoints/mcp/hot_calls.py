"""Tool calls over HTTP that stand for themselves, answered without the SDK's layers, which cost
more than the billing itself.

Only a request that passes the SDK's own checks as it is, is taken here; all others, and every error
of the protocol, are the SDK's. Numbers need no marks: `exact_json` reads and writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from mcp.server.transport_security import DEFAULT_MAX_REQUEST_BODY_SIZE
from mcp.shared.inbound import InboundModernRoute, classify_inbound_request
from mcp.types import SERVER_INFO_META_KEY
from mcp_types.methods import validate_client_request
from pydantic import ValidationError
from starlette.responses import Response

from credyt_mcp import exact_json
from credyt_mcp.entrypoints.mcp.server import BillingServer
from credyt_mcp.use_cases.context import Billing

METHOD = "tools/call"
PLAIN = {"name", "arguments", "_meta"}


class HotCall(NamedTuple):
    id: int | str
    tool: str
    arguments: dict[str, Any]


class HotCalls:
    def __init__(self, server: BillingServer) -> None:
        self._server = server
        self._meta = {SERVER_INFO_META_KEY: server.info()}

    def parse(self, headers: Mapping[str, str], body: bytes) -> HotCall | None:
        """The call in a POST, or None if the SDK must see it. No header may come twice."""
        if not _is_plain(headers) or len(body) > DEFAULT_MAX_REQUEST_BODY_SIZE:
            return None
        try:
            message = exact_json.loads(body)
        except (ValueError, RecursionError):
            return None
        match message:
            case {"jsonrpc": "2.0", "method": "tools/call", "id": id_, "params": dict(params)}:
                pass
            case _:
                return None
        if type(id_) not in (int, str) or not params.keys() <= PLAIN:
            return None
        route = classify_inbound_request(message, headers=headers)
        if not isinstance(route, InboundModernRoute):
            return None
        try:
            validate_client_request(METHOD, route.protocol_version, params)
        except ValidationError:
            return None
        return HotCall(id_, params["name"], params.get("arguments") or {})

    async def answer(self, billing: Billing, call: HotCall) -> Response:
        said = await self._server.answer(billing, call.tool, call.arguments)
        result = {
            "resultType": "complete",
            "content": [{"type": "text", "text": said.text}],
            "isError": said.failed,
            "_meta": self._meta,
        }
        if not said.failed:
            result["structuredContent"] = msgspec.Raw(said.text.encode())
        reply = {"jsonrpc": "2.0", "id": call.id, "result": result}
        return Response(exact_json.dumps(reply), media_type="application/json")


def _is_plain(headers: Mapping[str, str]) -> bool:
    accepted = headers.get("accept", "").split(",")
    return headers.get("content-type", "").startswith("application/json") and any(
        kind.strip() == "application/json" for kind in accepted
    )
