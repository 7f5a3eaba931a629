"""FastAPI: a package beside the app's entry, installed where the app is made."""

from __future__ import annotations

import re

from credyt_mcp.codegen.answers import Answers
from credyt_mcp.codegen.edits import Edit
from credyt_mcp.codegen.stacks import python_app as python
from credyt_mcp.codegen.stacks.stack import (
    App,
    ByHand,
    Emission,
    Match,
    Stack,
    environment,
    who_pays,
)
from credyt_mcp.codegen.templates import render

MADE = r"^(\w+)(?::\s*FastAPI)?\s*=\s*FastAPI\("
USER = r"^(?:async )?def (get_current_(?:active_)?user|current_(?:active_)?user|require_user)\("
OWN = ("__init__", "paid", "routes")


def match(app: App) -> Match | None:
    listed = python.depends_on(app, "fastapi")
    made = [path for path, _ in app.search(MADE, ".py") if not path.startswith("tests/")]
    if not made:
        return None
    entry = min(made, key=lambda path: (path.count("/"), not path.endswith("main.py"), path))
    evidence = [f"{entry} makes a FastAPI app"]
    evidence += [f"{listed} lists fastapi"] if listed else []
    return Match(
        stack="fastapi",
        root=app.root,
        confidence="sure" if listed and len(made) == 1 else "likely",
        evidence=tuple(evidence),
        entry=entry,
        auth="dependency" if _user_function(app) else "unknown",
    )


def _user_function(app: App) -> tuple[str, str] | None:
    """Module and name of the dependency that knows the user; not one of the entry itself, which
    imports us."""
    for path, found in app.search(USER, ".py"):
        if not re.search(MADE, app.text(path), re.M):
            return python.module_of(app, path), found[1]
    return None


def emit(app: App, found: Match, answers: Answers, package: str) -> Emission:
    imported = python.import_of(app, found.entry, package)
    user = _user_function(app)
    given = python.values(
        answers,
        "fastapi",
        package_import=python.test_import_of(app, imported, package),
        user_module=user[0] if user else "",
        user_function=user[1] if user else "",
    )
    owned = python.parts(package, "fastapi", OWN, given)
    seeded = {f"{package}/config.py": render("fastapi/config.py.j2", **given)}
    by_hand = [ByHand(found.entry, *_wrap(event, imported), event) for event in answers.events]
    return Emission(
        owned=owned,
        seeded={**seeded, **python.tests(app, "fastapi", given)},
        edits=(_install(app, found, imported),),
        by_hand=(*who_pays(found, f"{package}/config.py", "current_user_id"), *by_hand),
        env=environment("http://localhost:8000"),
        checks=("python -m pytest tests/test_billing.py",),
    )


def _install(app: App, found: Match, imported: str) -> Edit:
    """Right after the statement that makes the app."""
    made = re.search(MADE, app.text(found.entry), re.M)
    assert made is not None
    take, call = f"from {imported} import install as install_billing", f"install_billing({made[1]})"
    placed = python.once_made(app, found.entry, "FastAPI", take, call)
    return python.installing(found.entry, r"install_billing\(", placed, take, call)


def _wrap(event: str, imported: str) -> tuple[str, str]:
    reason = f"hold before '{event}' runs, bill it when it is done"
    return reason, (
        "Around the work of the route that this is about:\n"
        f"from {imported} import RequestId, UserId, billable\n"
        "async def …(…, user_id: UserId, request_id: RequestId = None):\n"
        f'    async with billable(user_id, "{event}", request_id=request_id) as charge:\n'
        "        …the work; charge.use(tokens=…) says what prices read of it,\n"
        "        charge.llm(provider, model, usage) what a model's answer cost you\n"
        "A stream: charge = await hold(…), then return BilledStream(charge, chunks)."
    )


STACK = Stack(
    name="fastapi",
    marks=python.DEPENDENCIES,
    wanted=python.wanted,
    match=match,
    package=lambda app, found: python.package_for(python.folder_of(found.entry)),
    emit=emit,
    endings=(".py",),
)
