"""What is looked for in an integration: each planted fault, where it is, and no other."""

from __future__ import annotations

import re

import pytest

from credyt_mcp.codegen import manifest as manifests
from credyt_mcp.codegen.checks.checking import Beside, check
from credyt_mcp.codegen.checks.findings import RULES
from credyt_mcp.codegen.checks.routes import billable_routes, webhook_path
from credyt_mcp.codegen.snapshot import AppSnapshot
from credyt_mcp.errors import InvalidRequest
from tests.codegen.apps import APPS, integrated
from tests.codegen.faults import FAULTS, Fault
from tests.codegen.more_faults import MORE_FAULTS
from tests.codegen.same_faults import SAME_FAULTS
from tests.codegen.wired import WIRED, Files, changed

PLANTED = [*FAULTS, *MORE_FAULTS, *SAME_FAULTS]


@pytest.mark.parametrize("stack", WIRED)
def test_an_integration_as_it_should_be_has_no_finding(stack: str) -> None:
    assert check(AppSnapshot(WIRED[stack])) == []


@pytest.mark.parametrize(
    "fault",
    PLANTED,
    ids=[f"{fault.rule}-{fault.stack}-{number}" for number, fault in enumerate(PLANTED)],
)
def test_a_planted_fault_is_found_in_its_file_and_line(fault: Fault) -> None:
    faulty = changed(WIRED[fault.stack], fault.path, fault.old, fault.new)
    found = check(AppSnapshot(faulty))
    own = [one for one in found if one.rule == fault.rule]
    assert own, found
    lines = (faulty[fault.path] or "").splitlines()
    assert {one.path for one in own} == {fault.path}
    assert all(0 <= one.line <= len(lines) for one in own)
    assert {one.rule for one in found} <= {fault.rule, "event-not-billed", "unbilled-call"}, found


def test_every_rule_is_planted_here_or_below() -> None:
    assert {fault.rule for fault in FAULTS} == set(RULES) - {"event-not-billed"}
    for stack in APPS:
        assert len({fault.rule for fault in PLANTED if fault.stack == stack}) >= 10, stack


@pytest.mark.parametrize(
    ("stack", "route"),
    [
        ("fastapi", "POST /images"),
        ("flask", "POST /images"),
        ("express", "POST /images"),
        ("hono", "POST /images"),
        ("nextjs", "POST /api/chat"),
        ("supabase", "POST /functions/v1/images"),
        ("tanstack", "POST /api/chat"),
    ],
)
def test_what_is_tried_alive_is_read_from_the_code(stack: str, route: str) -> None:
    snapshot = AppSnapshot(WIRED[stack])
    assert route in {f"{one.method} {one.path}" for one in billable_routes(snapshot)}
    edge = stack == "supabase"
    known = "/functions/v1/billing-webhook" if edge else "/api/billing/webhook"
    assert webhook_path(snapshot) == known


@pytest.mark.parametrize("stack", APPS)
def test_an_event_type_for_sale_that_no_code_names_is_told(stack: str) -> None:
    [found] = check(AppSnapshot(integrated(APPS[stack])))
    assert (found.path, found.rule) == (manifests.PATH, "event-not-billed")


def test_a_metered_client_needs_no_hold_around_its_calls() -> None:
    text = "from credyt_mcp.client import Credyt, meter_openai\nmodel = meter_openai(OpenAI(), c)\n"
    ask = "\n\ndef ask():\n    return {}.responses.create(input='it')\n"
    assert check(AppSnapshot({"app.py": text + ask.format("model")})) == []
    [found] = check(AppSnapshot({"app.py": text + ask.format("plain")}))
    assert (found.rule, found.line) == ("unbilled-call", 6)


def test_what_is_meant_can_be_said_beside_it() -> None:
    on: Files = WIRED["flask"] | {"shop/jobs.py": "def nightly():\n    openai.responses.create()\n"}
    assert [one.rule for one in check(AppSnapshot(on))] == ["unbilled-call"]
    said = "    # credyt-allow: unbilled-call  the house pays\n    openai"
    meant = changed(on, "shop/jobs.py", "    openai", said)
    assert check(AppSnapshot(meant)) == []


def test_what_was_built_for_browsers_is_searched_for_the_secret_itself() -> None:
    snapshot = AppSnapshot(WIRED["nextjs"])
    bundle = {".next/static/chunks/a.js": "x\nfetch(u,{h:'s3cret-value'})"}
    clean = Beside(bundle, secrets=frozenset({"another-value"}))
    assert check(snapshot, clean) == []
    [found] = check(snapshot, Beside(bundle, secrets=frozenset({"s3cret-value", "another"})))
    assert (found.path, found.line, found.rule) == (*(next(iter(bundle)), 2), "secret-in-client")


def test_settings_that_are_known_not_to_be_set_are_told() -> None:
    known = Beside(settings=frozenset({"CREDYT_URL", "CREDYT_API_KEY", "APP_URL"}))
    [found] = check(AppSnapshot(WIRED["fastapi"]), known)
    assert (found.rule, found.path) == ("env-missing", ".env")
    assert "CREDYT_WEBHOOK_SECRET" in found.said


def test_an_app_without_billing_is_told_apart_from_a_good_one() -> None:
    with pytest.raises(InvalidRequest):
        check(AppSnapshot(APPS["flask"]))


def test_broken_code_and_odd_code_are_read_as_far_as_they_go() -> None:
    for text in ("def (:\n  charge.settle(", "}{ catch (", "\x00", "", "return " * 500):
        for path in ("shop/odd.py", "src/odd.ts", "src/odd.tsx"):
            assert check(AppSnapshot(WIRED["flask"] | {path: text})) == []


def test_code_written_by_hand_against_the_api_is_read_too() -> None:
    text = (
        "async function draw(user: string) {\n"
        "  await post(`${url}/authorizations`, { id, customer_external_id: user });\n"
        "  const image = await work();\n"
        "  await post(`${url}/authorizations/${id}/capture`, { event });\n"
        "  return image;\n}\n"
    )
    rules = [one.rule for one in check(AppSnapshot({"src/draw.ts": text}))]
    assert rules == ["release-missing-on-error"] * 2
    better = text.replace("const image = await work();", "let image; try { image = await work(); }")
    better = better.replace(
        "work(); }",
        "work(); } catch (e) { await post(`${url}/authorizations/${id}/release`); throw e; }",
    )
    assert check(AppSnapshot({"src/draw.ts": better})) == []


def test_costs_and_fixes_are_sentences_that_name_what_to_do() -> None:
    for rule in RULES.values():
        assert not re.search(r"[A-Z].*\.$|\.$", rule.cost + rule.fix)
        assert len(rule.fix) > 20
