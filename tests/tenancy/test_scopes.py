"""Every route and tool is open to keys of one scope, and closed to the three others."""

from __future__ import annotations

import httpx

from credyt_mcp.use_cases.scopes import IN_ORDER, SCOPE_OF
from tests.tenancy.conftest import Account, Server
from tests.tenancy.requests import OTLP, Asked, everything
from tests.tenancy.world import World, fill
from tests.test_docs import ROOT, row_of
from tests.test_parity import every_use_case

NOT_READ = {
    "GET /webhooks/{webhook_id}": "admin",
    "GET /keys": "admin",
    "GET /payment-accounts": "admin",
    "GET /payment-accounts/{payment_account_id}": "admin",
}
"""Reading routes that `read` does not open."""


def one_of_each(requests: list[Asked]) -> list[Asked]:
    """The first request of each route or tool."""
    return list({asked.of: asked for asked in reversed(requests)}.values())[::-1]


async def with_scope(world: World, scope: str) -> World:
    key = await world.make("/keys", {"name": scope, "scopes": [scope]})
    headers = {"X-CREDYT-API-KEY": key["key"]}
    return World(scope, world.client, headers, world.marker, world.stripe_url)


def refusal(answer: httpx.Response) -> str | None:
    """How the scope was refused, if it was, over either face."""
    if answer.status_code == 403:
        problem = answer.json()
        return f"{problem['code']}: {problem['detail']}. {problem['hint']}"
    result = answer.json().get("result", {}) if answer.content else {}
    text: str = result["content"][0]["text"] if result.get("isError") else ""
    return text if text.startswith("forbidden") else None


async def opened_by(asked: Asked, keys: list[World]) -> tuple[str, httpx.Response]:
    """The one scope that opens it, and the answer; every refusal names that scope."""
    answers = {key.name: await key.ask(asked) for key in keys}
    refusals = {scope: refusal(answer) for scope, answer in answers.items()}
    let_in = [scope for scope, refused in refusals.items() if refused is None]
    assert len(let_in) == 1, (asked, {scope: answer.text for scope, answer in answers.items()})
    [opened] = let_in
    for said in refusals.values():
        assert said is None or said == (
            f"forbidden: this needs the scope '{opened}', which the API key lacks. Use a key with "
            f"it; `credyt-mcp keys create --scopes {opened}` makes one."
        )
    return opened, answers[opened]


async def test_every_route_and_tool_is_open_to_one_scope(server: Server, account: Account) -> None:
    world = await fill(await account("platform"))
    keys = [await with_scope(world, scope) for scope in IN_ORDER]
    for asked in one_of_each(everything(server.document, world.values)):
        opened, answer = await opened_by(asked, keys)
        # The request was good, or else nothing would be known of a key with the scope.
        assert answer.status_code not in (400, 401, 422), (asked, answer.text)
        assert "invalid_request: " not in answer.text, (asked, answer.text)
        if asked.method == "GET":
            assert opened == NOT_READ.get(asked.of, "read"), asked.of
        assert opened == told(server, asked.of), f"{asked.of}: name its function like its use case"


def told(server: Server, of: str) -> str:
    """The scope that the API document tells of a route; a tool's by its use case."""
    if of in SCOPE_OF:
        return SCOPE_OF[of]
    if of == f"POST {OTLP}":
        return SCOPE_OF["record_spans"]
    method, _, path = of.partition(" ")
    said = server.document["paths"][path][method.lower()]["responses"]["403"]["description"]
    return str(said).split("`")[1]


def test_every_use_case_needs_a_scope() -> None:
    known = set(every_use_case())
    assert known - SCOPE_OF.keys() == set(), "say in use_cases/scopes.py which scope it needs"
    assert SCOPE_OF.keys() - known == set(), "use_cases/scopes.py names what there is not"


def test_the_scopes_are_documented() -> None:
    page = (ROOT / "docs" / "accounts-and-keys.md").read_text()
    for scope in IN_ORDER:
        assert row_of(scope, page)
