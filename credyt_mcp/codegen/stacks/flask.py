"""Flask: a package beside the app's entry, initialised in its factory or where the app is made."""

from __future__ import annotations

import re

from credyt_mcp.codegen.answers import Answers
from credyt_mcp.codegen.edits import Edit, Insertion, find_line
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

MADE = r"^( *)(\w+)(?::\s*Flask)?\s*=\s*Flask\("
OWN = ("__init__", "paid", "routes")
USERS = (
    ("flask_login", r"\bflask_login\b"),
    ("g_row", r"""\bg\.user\[["']id["']\]"""),
    ("g_object", r"\bg\.user\b"),
    ("session", r"""\bsession(?:\[|\.get\()["']user_id["']"""),
)
"""How an app may know its user, surest first."""


def match(app: App) -> Match | None:
    listed = python.depends_on(app, "flask")
    made = [path for path, _ in app.search(MADE, ".py") if not path.startswith("tests/")]
    if not made:
        return None
    entry = min(made, key=lambda path: (path.count("/"), path))
    evidence = [f"{entry} makes a Flask app"]
    evidence += [f"{listed} lists flask"] if listed else []
    kind, where = app.known_user(USERS, ".py")
    evidence += [f"{where} knows the user"] if where else []
    return Match(
        stack="flask",
        root=app.root,
        confidence="sure" if listed and len(made) == 1 else "likely",
        evidence=tuple(evidence),
        entry=entry,
        auth=kind,
    )


def emit(app: App, found: Match, answers: Answers, package: str) -> Emission:
    imported = python.import_of(app, found.entry, package)
    given = python.values(
        answers,
        "flask",
        package_import=python.test_import_of(app, imported, package),
        user_kind=found.auth,
    )
    by_hand = [ByHand(found.entry, *_wrap(event, imported), event) for event in answers.events]
    return Emission(
        owned=python.parts(package, "flask", OWN, given),
        seeded={
            f"{package}/config.py": render("flask/config.py.j2", **given),
            **python.tests(app, "flask", given),
        },
        edits=(_install(app, found, imported),),
        by_hand=(*who_pays(found, f"{package}/config.py", "current_user_id"), *by_hand),
        env=environment("http://localhost:5000"),
        checks=("python -m pytest tests/test_billing.py",),
    )


def _install(app: App, found: Match, imported: str) -> Edit:
    """At the end of the factory, as Flask's own tutorial does; or after the app is made."""
    text = app.text(found.entry)
    made = re.search(MADE, text, re.M)
    assert made is not None
    indent, name = made[1], made[2]
    take, call = f"from {imported} import init_app as init_billing", f"init_billing({name})"
    placed: tuple[Insertion, ...] = ()
    if not indent:
        placed = python.once_made(app, found.entry, "Flask", take, call)
    elif end := find_line(text, rf"^{indent}return {name}$"):
        lines = (f"{indent}{take}", "", f"{indent}{call}", "")
        placed = (Insertion(lines, end, before=True),)
    return python.installing(found.entry, r"init_billing\(", placed, take, call)


def _wrap(event: str, imported: str) -> tuple[str, str]:
    reason = f"hold before '{event}' runs, bill it when it is done"
    return reason, (
        "Around the work of the view that this is about:\n"
        f"from {imported} import billable\n"
        f'with billable("{event}") as charge:\n'
        "    …the work; charge.use(tokens=…) says what prices read of it,\n"
        "    charge.llm(provider, model, usage) what a model's answer cost you\n"
        "A stream: charge = hold(…), then return billed_stream(charge, chunks).\n"
        "With CSRF protection, exempt billing's webhook: it has a signature of its own."
    )


STACK = Stack(
    name="flask",
    marks=python.DEPENDENCIES,
    wanted=python.wanted,
    match=match,
    package=lambda app, found: python.package_for(python.folder_of(found.entry)),
    emit=emit,
    endings=(".py",),
)
