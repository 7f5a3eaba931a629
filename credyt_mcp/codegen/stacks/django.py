"""Django: a package beside manage.py, its URLs after the project's, a middleware for its errors."""

from __future__ import annotations

import ast
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

URLS = r"""^ROOT_URLCONF\s*=\s*["']([\w.]+)["']"""
MIDDLEWARE = r"^MIDDLEWARE\s*=\s*\[$"
OWN = ("__init__", "paid", "middleware", "routes")


def wanted(app: App) -> list[str]:
    """Dependencies, settings, and the URLs of the project."""
    return [
        path
        for path in app.files()
        if path in python.DEPENDENCIES
        or re.search(r"(^|/)settings(/\w+)?\.py$", path)
        or re.search(r"(^|/)urls\.py$", path)
    ]


def match(app: App) -> Match | None:
    """A project has its manage.py, and settings that name its URLs."""
    said = list(app.search(URLS, ".py"))
    if "manage.py" not in app.files() or not said:
        return None
    settings, found = said[0]
    entry = found[1].replace(".", "/") + ".py"
    known = "django.contrib.auth" in app.text(settings)
    evidence = ["there is a manage.py", f"{settings} names {found[1]}"]
    evidence += ["django.contrib.auth knows the user"] if known else []
    return Match(
        stack="django",
        root=app.root,
        confidence="sure" if len(said) == 1 and entry in app.files() else "likely",
        evidence=tuple(evidence),
        entry=entry,
        auth="django" if known else "unknown",
    )


def emit(app: App, found: Match, answers: Answers, package: str) -> Emission:
    given = python.values(answers, "django", package_import=package, user_kind=found.auth)
    by_hand = [ByHand(found.entry, *_wrap(event, package), event) for event in answers.events]
    return Emission(
        owned=python.parts(package, "django", OWN, given),
        seeded={
            f"{package}/config.py": render("django/config.py.j2", **given),
            f"{package}/billing_fake.py": render("python/billing_fake.py.j2", **given),
            f"{package}/test_billing.py": render("django/test_billing.py.j2", **given),
        },
        edits=tuple(_edits(app, found, package)),
        by_hand=(*who_pays(found, f"{package}/config.py", "current_user_id"), *by_hand),
        env=environment("http://localhost:8000"),
        checks=("python manage.py check", f"python manage.py test {package}"),
    )


def _edits(app: App, found: Match, package: str) -> list[Edit]:
    settings = next(path for path, _ in app.search(URLS, ".py"))
    line = f'    "{package}.middleware.BillingErrors",'
    anchor = find_line(app.text(settings), MIDDLEWARE)
    text = app.text(found.entry)
    take, add = f"from {package}.routes import urls as billing_urls", "urlpatterns += billing_urls"
    last, end = python.last_import(app, found.entry), _end_of_urls(text)
    placed = None if end is None else python.after_line(text, end, add)
    insertions: tuple[Insertion, ...] = ()
    if last is not None and placed is not None:
        insertions = (Insertion((take,), last), placed)
    return [
        Edit(
            path=settings,
            guard=r"middleware\.BillingErrors\b",
            insertions=() if anchor is None else (Insertion((line,), anchor),),
            reason="answers billing's errors as JSON",
            by_hand=f"In {settings}, put into MIDDLEWARE, anywhere:\n{line.strip()}",
        ),
        Edit(
            path=found.entry,
            guard=r"\bbilling_urls\b",
            insertions=insertions,
            reason="adds billing's routes",
            by_hand=f"In {found.entry}, import and add them:\n{take}\n{add}",
        ),
    ]


def _end_of_urls(text: str) -> int | None:
    """The index of the last line of `urlpatterns = […]`; None if it is unclear."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return None
    ends = [
        node.end_lineno - 1
        for node in body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and isinstance(node.value, ast.List)
        and "urlpatterns" in ast.unparse(node).split("=")[0]
        and node.end_lineno is not None
    ]
    return ends[0] if len(ends) == 1 else None


def _wrap(event: str, package: str) -> tuple[str, str]:
    reason = f"hold before '{event}' runs, bill it when it is done"
    return reason, (
        "Around the work of the view that this is about:\n"
        f"from {package} import billable\n"
        f'with billable(request, "{event}") as charge:\n'
        "    …the work; charge.use(tokens=…) says what prices read of it,\n"
        "    charge.llm(provider, model, usage) what a model's answer cost you\n"
        "In an async view: async with abillable(request, …).\n"
        "A stream: charge = hold(request, …), then return BilledStream(charge, chunks)."
    )


STACK = Stack(
    name="django",
    marks=(*python.DEPENDENCIES, "manage.py"),
    wanted=wanted,
    match=match,
    package=lambda app, found: "billing",
    emit=emit,
    endings=(".py",),
)
