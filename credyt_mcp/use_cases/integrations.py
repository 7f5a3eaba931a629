"""Plan the code that puts billing into a user's app. Reads the catalogue; writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from credyt_mcp.codegen import manifest as manifests
from credyt_mcp.codegen.answers import Answers
from credyt_mcp.codegen.operations import Operation, Plan
from credyt_mcp.codegen.planning import plan
from credyt_mcp.codegen.snapshot import AppSnapshot
from credyt_mcp.errors import InvalidRequest
from credyt_mcp.storage import products
from credyt_mcp.use_cases.context import Billing, Command, Result

FILES_MAX, CHARACTERS_MAX = 20_000, 4_000_000
PRODUCTS_MAX = 100


class PlanIntegration(Command):
    """Plan billing code for an app: send all paths, then texts of `needs`; write each operation."""

    files: Annotated[
        dict[str, str | None],
        Field(description="path → text or null", max_length=FILES_MAX),
    ]
    events: Annotated[list[str] | None, Field(description="default all")] = None
    stack: Annotated[str | None, Field(description="if several")] = None
    root: Annotated[str | None, Field(description="if several")] = None
    operation: Annotated[int | None, Field(description="its number")] = None


class OperationSummary(Result):
    number: int
    path: str
    kind: str
    reason: str
    risk: str
    characters: int
    before_sha256: str | None = None


class Place(Result):
    """Where lines go: after the line that is `anchor`, or before it."""

    lines: list[str]
    anchor: str
    before: bool


class OperationContent(OperationSummary):
    content: str
    insertions: list[Place] | None = None
    diff: str | None = None


class Variable(Result):
    name: str
    example: str
    meaning: str
    secret: bool


class IntegrationPlan(Result):
    plan_id: str
    stack: str
    root: str
    confidence: str
    evidence: list[str] | None = None
    auth: str | None = None
    candidates: list[str] | None = None
    needs: list[str] | None = None
    operations: list[OperationSummary]
    env: list[Variable] | None = None
    by_hand: list[str] | None = None
    checks: list[str] | None = None


def plan_integration(
    billing: Billing, command: PlanIntegration
) -> IntegrationPlan | OperationContent:
    """Raises InvalidRequest for paths outside the app, an unknown stack or operation."""
    check_size(command.files)
    snapshot = AppSnapshot(command.files)
    given = command.model_dump(include={"events", "stack", "root"}, exclude_none=True)
    made = planned(snapshot, given, lambda: sold(billing))
    if command.operation is None:
        return view(made)
    if not 1 <= command.operation <= len(made.operations):
        raise InvalidRequest("operation", f"must be 1 to {len(made.operations)}")
    return content(made.operations[command.operation - 1], command.operation)


def check_size(files: dict[str, str | None]) -> None:
    if sum(len(text) for text in files.values() if text) > CHARACTERS_MAX:
        raise InvalidRequest("files", f"must have at most {CHARACTERS_MAX:,} characters in all")


def planned(
    snapshot: AppSnapshot, given: dict[str, Any], catalogue: Callable[[], dict[str, Any]]
) -> Plan:
    """By what was said now, else when the app was integrated, else what the catalogue sells."""
    manifest = manifests.read(snapshot.text(manifests.PATH))
    known = manifest.answers if manifest is not None else catalogue()
    return plan(snapshot, Answers.from_json({**known, **given}))


def sold(billing: Billing) -> dict[str, Any]:
    """The published products, their event types, and the asset that most of them are paid in."""
    codes: list[str] = []
    events: list[str] = []
    assets: list[str] = []
    with billing.database.read() as session:
        rows, _ = products.page(session, billing.tenant.id, 0, PRODUCTS_MAX, None)
        for product in reversed(rows):
            if product.default_version is None:
                continue
            version = products.version(session, product, product.default_version)
            assert version is not None
            codes.append(product.code)
            for price in products.prices(session, version):
                usage = price.definition.get("usage_calculation")
                if usage is not None:
                    events.append(usage["event_type"])
                    assets += [one["asset"] for one in price.definition["pricing"]]
    asset = max(sorted(set(assets)), key=assets.count, default="USD")
    return {"products": codes, "events": list(dict.fromkeys(events)), "asset": asset}


def view(made: Plan) -> IntegrationPlan:
    return IntegrationPlan(
        plan_id=made.id,
        stack=made.stack,
        root=made.root,
        confidence=made.confidence,
        evidence=list(made.evidence) or None,
        auth=made.auth if made.operations else None,
        candidates=list(made.candidates) or None,
        needs=list(made.needs) or None,
        operations=[
            OperationSummary(**_summary(one, number))
            for number, one in enumerate(made.operations, 1)
        ],
        env=[Variable(**vars(one)) for one in made.env] or None,
        by_hand=list(made.by_hand) or None,
        checks=list(made.checks) or None,
    )


def content(operation: Operation, number: int) -> OperationContent:
    """One operation in full; the manifest without the bases, which only a disk can be trusted
    with: a model would have to copy them."""
    text = operation.content
    if operation.path == manifests.PATH:
        manifest = manifests.read(text)
        assert manifest is not None
        text = manifest.text(with_bases=False)
    places = [
        Place(lines=list(one.lines), anchor=one.anchor, before=one.before)
        for one in operation.insertions
    ]
    return OperationContent(
        **_summary(operation, number),
        content=text,
        insertions=places or None,
        diff=operation.diff() if operation.kind == "insert" else None,
    )


def _summary(operation: Operation, number: int) -> dict[str, Any]:
    return {
        "number": number,
        "path": operation.path,
        "kind": operation.kind,
        "reason": operation.reason,
        "risk": operation.risk,
        "characters": len(operation.content),
        "before_sha256": operation.before_sha256,
    }
