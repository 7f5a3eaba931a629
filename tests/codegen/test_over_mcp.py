"""A coding tool without our disk: it sends files, is asked for some, and writes what it gets."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mcp import Client

from credyt_mcp import exact_json
from tests.codegen.apps import APPS, planned
from tests.codegen.wired import WIRED, changed
from tests.conftest import Call
from tests.samples import a_product, unit_price


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """One kind will do: a plan only reads the catalogue."""
    shutil.copy(sqlite_template, tmp_path / "credyt.db")
    return f"sqlite:///{tmp_path / 'credyt.db'}"


async def asked(mcp: Client, **arguments: object) -> tuple[dict[str, object], bool]:
    result = await mcp.call_tool("plan_integration", arguments)
    text: str = result.content[0].text  # type: ignore[union-attr]
    return ({"error": text}, True) if result.is_error else (exact_json.loads(text), False)


@pytest.mark.parametrize("stack", APPS)
async def test_what_a_tool_writes_operation_by_operation_is_the_whole_plan(
    mcp: Client, call: Call, stack: str
) -> None:
    await a_product(call, unit_price("0.05", event_type="image_generated"))
    app = APPS[stack]
    first, _ = await asked(mcp, files=dict.fromkeys(app))
    assert first["needs"] and not first["operations"]
    known = {path: app[path] if path in first["needs"] else None for path in app}  # type: ignore[operator]
    second, _ = await asked(mcp, files=known)
    if second.get("needs"):  # what the stack, once known, will touch
        known |= {path: app[path] for path in second["needs"]}  # type: ignore[attr-defined]
        second, _ = await asked(mcp, files=known)
    assert second["stack"] == stack
    written: dict[str, str | None] = dict(known)
    for listed in second["operations"]:  # type: ignore[attr-defined]
        one, _ = await asked(mcp, files=known, operation=listed["number"])
        assert len(exact_json.dumps(one)) < 8_000
        written = carried_out(written, one)
    # The catalogue's product and event type are what `planned` is told by hand.
    again, _ = await asked(mcp, files=written)
    assert {one["kind"] for one in again["operations"]} <= {"manual"}  # type: ignore[attr-defined]
    assert {path for path in written if path not in app} == {
        one.path for one in planned(known).operations if one.before is None and one.changes
    }


def carried_out(files: dict[str, str | None], one: dict[str, object]) -> dict[str, str | None]:
    """An operation done as its description says, without looking at our code."""
    path, content = str(one["path"]), str(one["content"])
    if one["kind"] in ("create", "update"):
        return files | {path: content}
    if one["kind"] == "append":
        return files | {path: (files.get(path) or "") + content}
    if one["kind"] == "insert":
        lines = (files[path] or "").splitlines()
        for place in one["insertions"]:  # type: ignore[attr-defined]
            at = lines.index(place["anchor"]) + (0 if place["before"] else 1)
            lines[at:at] = place["lines"]
        return files | {path: "\n".join(lines) + "\n"}
    return files


async def test_a_plan_that_cannot_be_made_says_why(mcp: Client) -> None:
    for arguments, said in (
        ({"files": {"../x": None}}, "relative"),
        ({"files": {"a": None}, "stack": "cobol"}, "must be one of"),
        ({"files": APPS["flask"], "operation": 99}, "must be 1 to"),
        ({"files": APPS["flask"], "events": ['"; import os']}, "plain code"),
        ({"files": {".credyt-integration/manifest.json": "{"}}, "restore it from git"),
    ):
        answer, failed = await asked(mcp, **arguments)
        assert failed and said in str(answer["error"]), answer


async def test_a_coding_tool_has_its_code_verified(mcp: Client) -> None:
    app = WIRED["express"]
    asked = await mcp.call_tool("verify_integration", {"files": dict.fromkeys(app)})
    needs = exact_json.loads(asked.content[0].text)["needs"]  # type: ignore[union-attr]
    files = {path: app[path] if path in needs else None for path in app}
    answer = await mcp.call_tool("verify_integration", {"files": files})
    said = exact_json.loads(answer.content[0].text)  # type: ignore[union-attr]
    assert (said["clean"], said["findings"]) == (True, [])
    swapped = "app.use(express.json());\napp.use(billingWebhook());\n"
    faulty = changed(
        files, "src/app.ts", "app.use(billingWebhook());\napp.use(express.json());\n", swapped
    )
    answer = await mcp.call_tool("verify_integration", {"files": faulty})
    [found] = exact_json.loads(answer.content[0].text)["findings"]  # type: ignore[union-attr]
    assert (found["rule"], found["path"], found["line"]) == ("webhook-raw-body", "src/app.ts", 6)


@pytest.mark.parametrize("stack", APPS)
async def test_a_top_up_flow_comes_with_its_code_for_the_app(
    mcp: Client, call: Call, stack: str
) -> None:
    await a_product(call, unit_price("0.05", event_type="image_generated"))
    await mcp.call_tool("create_wallet", {"external_id": "jane"})
    asked = {"customer_id": "jane", "amount": 10, "files": APPS[stack]}
    answer = await mcp.call_tool("generate_topup_flow", asked)
    said = exact_json.loads(answer.content[0].text)  # type: ignore[union-attr]
    assert said["redirect_url"] and "/api/billing/top-up" in said["button"]
    assert said["code"]["stack"] == stack
    written: dict[str, str | None] = dict(APPS[stack])
    for listed in said["code"]["operations"]:
        arguments = {"files": APPS[stack], "events": [], "operation": listed["number"]}
        one = await mcp.call_tool("plan_integration", arguments)
        written = carried_out(written, exact_json.loads(one.content[0].text))  # type: ignore[union-attr]
    # Nothing is for sale in the code, so that nothing is left for anybody to wrap.
    assert "image_generated" not in "".join(text or "" for text in written.values())
    assert any("top_up_url" in (text or "") for text in written.values())
    plain = await mcp.call_tool("generate_topup_flow", {"customer_id": "jane", "amount": 10})
    assert "code" not in exact_json.loads(plain.content[0].text)  # type: ignore[union-attr]
