"""Look for what costs money in an app's integration. Reads source text; writes nothing."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from credyt_mcp.codegen.checks.checking import Beside, check, wanted
from credyt_mcp.codegen.checks.findings import Finding as Found
from credyt_mcp.codegen.checks.routes import Billable as Billable
from credyt_mcp.codegen.checks.routes import billable_routes as billable_routes
from credyt_mcp.codegen.checks.routes import webhook_path as webhook_path
from credyt_mcp.codegen.snapshot import AppSnapshot
from credyt_mcp.use_cases.context import Billing, Command, Result
from credyt_mcp.use_cases.integrations import FILES_MAX, check_size

SHOWN_MAX = 50


class VerifyIntegration(Command):
    """Find billing faults in an app's code; send files as to plan_integration."""

    files: Annotated[dict[str, str | None], Field(max_length=FILES_MAX)]


class Finding(Result):
    rule: str
    path: str
    line: int
    said: str
    cost: str
    fix: str


class Verification(Result):
    """`clean` only when every file that matters was read and nothing was found."""

    clean: bool
    findings: list[Finding]
    findings_left_out: int | None = None
    needs: list[str] | None = None
    next: str | None = None


def verify_integration(billing: Billing, command: VerifyIntegration) -> Verification:
    """Raises InvalidRequest for paths outside the app, or an app without billing."""
    check_size(command.files)
    snapshot = AppSnapshot(command.files)
    needs = [path for path in wanted(snapshot) if snapshot.text(path) is None]
    if needs:
        return Verification(clean=False, findings=[], needs=needs)
    found = verified(snapshot)
    return Verification(
        clean=not found,
        findings=found[:SHOWN_MAX],
        findings_left_out=max(len(found) - SHOWN_MAX, 0) or None,
        next="Run `credyt-mcp integrate verify <folder> --run <command>` to try it alive.",
    )


def verified(snapshot: AppSnapshot, beside: Beside | None = None) -> list[Finding]:
    return [shown(one) for one in check(snapshot, beside)]


def shown(found: Found) -> Finding:
    return Finding(
        rule=found.rule,
        path=found.path,
        line=found.line,
        said=found.said,
        cost=found.cost,
        fix=found.fix,
    )


def seen_alive(rule: str, said: str, snapshot: AppSnapshot, route: Billable | None) -> Finding:
    """What a trial found, with the place in the code to look at first."""
    path, line = (route.file, route.line) if route else ("", 0)
    if rule.startswith("webhook"):
        own = [one for one in snapshot.below("") if re.search(r"billing/webhooks\.\w+$", one)]
        path, line = next(iter(own), path), 0
    return shown(Found(path, line, rule, said))
