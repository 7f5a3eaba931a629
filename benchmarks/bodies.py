"""What is sent: the product, event bodies of one length, and ids that rise with time (UUIDv7-like).

`wrk.lua` builds the same bodies; keep the two in step.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from typing import Any

COSTED = "bench-vendor"
MODELS = ("small", "large")
MODERN = "2026-07-28"

PRODUCT: dict[str, Any] = {
    "name": "Bench",
    "code": "bench",
    "publish": True,
    "prices": [
        {
            "name": "Chat",
            "type": "usage_based",
            "billing_model": {"type": "real_time"},
            "pricing_model": "tiered",
            "tiering": {"basis": "volume", "period": "monthly"},
            "usage_calculation": {
                "event_type": "chat",
                "usage_type": "volume",
                "volume_field": "tokens",
                "billable_dimensions": ["model"],
            },
            "pricing": [
                {
                    "asset": "USD",
                    "values": [
                        {
                            "dimensions": {"model": model},
                            "values": [
                                {"up_to": 1_000_000, "volume_rate": "0.000002"},
                                {"volume_rate": "0.0000015"},
                            ],
                        }
                        for model in MODELS
                    ],
                }
            ],
        }
    ],
}
"""One dimensional, tiered, monthly price: the one that the prototype's figures were taken with."""


def customer_name(number: int) -> str:
    return f"c{number:05d}"


class Ids:
    """UUIDs whose first bits are the time, so that they go to one end of an index."""

    def __init__(self) -> None:
        self._base, self._count = time.time_ns() // 1_000_000, 0

    def __call__(self) -> str:
        self._count += 1
        moment = f"{self._base + self._count // 8:012x}"
        noise = f"{random.getrandbits(72):018x}"
        return f"{moment[:8]}-{moment[8:]}-7{noise[:3]}-8{noise[3:6]}-{noise[6:]}"


def event(event_id: str, model: str = MODELS[0], *, costed: bool = False) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": event_id,
        "event_type": "chat",
        "data": {"model": model, "tokens": 1234},
    }
    if costed:
        cost = {"id": event_id, "vendor_external_id": COSTED, "amount": 0.00125, "currency": "USD"}
        body["costs"] = [cost]
    return body


def bodies(kind: str, customers: int, tool: str = "") -> Callable[[], tuple[str, bytes]]:
    """A function that answers the path and the body of the next request of that kind."""
    new_id = Ids()

    def who() -> str:
        return customer_name(random.randrange(customers))  # noqa: S311 - not a secret

    def one(count: int = 1, **more: Any) -> tuple[str, bytes]:
        events = [event(new_id(), **more) for _ in range(count)]
        body = {"customer_external_id": who(), "events": events}
        return "/events", json.dumps(body).encode()

    def tool_call() -> tuple[str, bytes]:
        arguments = {**event(new_id()), "customer_id": who()}
        return "/mcp", json.dumps(call(1, tool, arguments)).encode()

    return {
        "event": one,
        "costed": lambda: one(costed=True),
        "batch": lambda: one(100),
        "mcp": tool_call,
    }[kind]


def call(number: int, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A tools/call that stands for itself, without a session."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": tool, "arguments": arguments, "_meta": meta}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


def hold(authorization_id: str, customer: str) -> bytes:
    body = {
        "id": authorization_id,
        "customer_external_id": customer,
        "event_type": "chat",
        "data": {"model": MODELS[0], "tokens": 2000},
    }
    return json.dumps(body).encode()


def capture(event_id: str) -> bytes:
    return json.dumps({"event": event(event_id)}).encode()


def headers(key: str, tool: str) -> dict[str, str]:
    """The headers of every request but its length."""
    found = {"X-CREDYT-API-KEY": key, "Content-Type": "application/json"}
    if tool:
        found |= {
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": MODERN,
            "Mcp-Method": "tools/call",
            "Mcp-Name": tool,
        }
    return found
