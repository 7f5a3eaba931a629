"""Vendors over REST and MCP: statuses and shapes."""

from __future__ import annotations

import httpx
from mcp import Client


async def test_vendors_are_created_listed_and_read(rest: httpx.AsyncClient) -> None:
    made = await rest.post("/vendors", json={"name": "OpenAI", "external_id": "openai"})
    assert made.status_code == 201
    assert made.json().keys() == {"id", "created_at"}
    page = (await rest.get("/vendors", params={"external_id": "openai", "limit": 5})).json()
    assert (page["total_count"], page["limit"], page["offset"]) == (1, 5, 0)
    assert page["items"][0]["external_id"] == "openai"
    for name in (made.json()["id"], "openai"):
        read = await rest.get(f"/vendors/{name}")
        assert (read.status_code, read.json()) == (200, page["items"][0])


async def test_refusals_have_their_status(rest: httpx.AsyncClient) -> None:
    body = {"name": "OpenAI", "external_id": "openai"}
    await rest.post("/vendors", json=body)
    taken = await rest.post("/vendors", json=body)
    assert (taken.status_code, taken.json()["code"]) == (409, "already_exists")
    assert (await rest.get("/vendors/nobody")).status_code == 404
    nameless = await rest.post("/vendors", json={})
    assert nameless.status_code == 422
    assert nameless.json()["errors"].keys() == {"name"}


async def test_a_model_makes_a_vendor(mcp: Client) -> None:
    made = await mcp.call_tool("create_vendor", {"name": "OpenAI"})
    assert made.structured_content is not None
    assert made.structured_content["id"].startswith("vnd_")
