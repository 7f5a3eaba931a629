"""Connected accounts: what a platform sees and may do, and what its accounts cannot."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from credyt_mcp.app import System
from credyt_mcp.clock import FrozenClock
from credyt_mcp.use_cases.keys import create_key


async def made(rest: httpx.AsyncClient, name: str = "Acme", **more: Any) -> str:
    answer = await rest.post("/accounts", json={"name": name, **more})
    assert answer.status_code == 201, answer.text
    assert list(answer.json()) == ["id"]
    account_id: str = answer.json()["id"]
    assert account_id.startswith("acc_")
    return account_id


async def live_key(system: System, clock: FrozenClock) -> dict[str, str]:
    return {"X-CREDYT-API-KEY": create_key(system.billing.database, clock, "live", "live").key}


async def test_an_account_is_read_by_its_id_and_by_the_platforms_own_id(
    rest: httpx.AsyncClient,
) -> None:
    acme = await made(rest, "Acme", external_id="acme", metadata={"plan": "pro"})
    for name in (acme, "acme"):
        assert (await rest.get(f"/accounts/{name}")).json() == {
            "id": acme,
            "external_id": "acme",
            "name": "Acme",
            "created_at": "2026-03-10T12:00:00Z",
            "metadata": {"plan": "pro"},
        }
    bare = await made(rest, "Bare")
    shown = (await rest.get(f"/accounts/{bare}")).json()
    assert (shown["metadata"], "external_id" in shown) == ({}, False)
    assert (await rest.get("/accounts/acc_none")).status_code == 404


async def test_accounts_are_listed_newest_first_and_found_by_external_id(
    rest: httpx.AsyncClient,
) -> None:
    ids = [await made(rest, f"Account {n}", external_id=f"ext-{n}") for n in range(3)]
    page = (await rest.get("/accounts", params={"limit": 2})).json()
    assert [item["id"] for item in page["items"]] == [ids[2], ids[1]]
    assert (page["total_count"], page["limit"], page["offset"]) == (3, 2, 0)
    found = (await rest.get("/accounts", params={"external_id": "ext-1"})).json()
    assert [item["id"] for item in found["items"]] == [ids[1]]
    missing = (await rest.get("/accounts", params={"external_id": "nobody"})).json()
    assert (missing["items"], missing["total_count"]) == ([], 0)


async def test_an_external_id_belongs_to_one_account_per_environment(
    rest: httpx.AsyncClient, system: System, clock: FrozenClock
) -> None:
    await made(rest, external_id="acme")
    again = await rest.post("/accounts", json={"name": "Other", "external_id": "acme"})
    assert (again.status_code, again.json()["code"]) == (409, "already_exists")
    live = await live_key(system, clock)
    there = await rest.post("/accounts", json={"name": "Acme", "external_id": "acme"}, headers=live)
    assert there.status_code == 201
    assert (await rest.get("/accounts")).json()["total_count"] == 1
    elsewhere = {"X-CREDYT-ACCOUNT": there.json()["id"]}
    refused = await rest.get("/accounts/self", headers=elsewhere)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "A", "external_id": "acc_mine"}, "external_id"),
        ({"name": "A", "metadata": {"n": 1}}, "metadata.n"),
    ],
)
async def test_a_bad_account_is_refused_by_field(
    rest: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    answer = await rest.post("/accounts", json=body)
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [field]
    assert (await rest.get("/accounts")).json()["total_count"] == 0


async def test_the_context_is_that_of_the_account_acted_for(
    rest: httpx.AsyncClient, system: System, clock: FrozenClock
) -> None:
    own = (await rest.get("/accounts/self")).json()
    platform = system.billing.tenant.account_id
    assert own == {"account_id": platform, "environment": "test", "name": "default"}
    live = (await rest.get("/accounts/self", headers=await live_key(system, clock))).json()
    assert live == {**own, "environment": "live"}
    acme = await made(rest)
    theirs = await rest.get("/accounts/self", headers={"X-CREDYT-ACCOUNT": acme})
    assert theirs.json() == {"account_id": acme, "environment": "test", "name": "Acme"}
    # Naming oneself is no error.
    named = await rest.get("/accounts/self", headers={"X-CREDYT-ACCOUNT": platform})
    assert named.json() == own


@pytest.mark.parametrize("path", ["/events", "/authorizations", "/mcp", "/customers"])
async def test_a_foreign_account_is_refused_on_every_face(
    rest: httpx.AsyncClient, path: str
) -> None:
    for name in ("acc_none", "", "acme"):
        await rest.post("/accounts", json={"name": "Acme", "external_id": "acme"})
        answer = await rest.post(path, json={}, headers={"X-CREDYT-ACCOUNT": name})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (path, name)


async def test_a_connected_account_makes_neither_accounts_nor_keys(
    rest: httpx.AsyncClient,
) -> None:
    acme = {"X-CREDYT-ACCOUNT": await made(rest)}
    for path in ("/accounts", "/keys"):
        answer = await rest.post(path, json={"name": "Sub"}, headers=acme)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert "X-CREDYT-ACCOUNT" in answer.json()["hint"]
        assert (await rest.get(path, headers=acme)).json()["items"] == []
    assert (await rest.get("/accounts")).json()["total_count"] == 1
