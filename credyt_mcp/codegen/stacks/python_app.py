"""What Python stacks have in common: dependencies, modules, and the parts that are alike."""

from __future__ import annotations

import ast
import re
from pathlib import PurePosixPath
from typing import Any

from credyt_mcp.codegen.answers import Answers
from credyt_mcp.codegen.edits import Edit, Insertion
from credyt_mcp.codegen.stacks.stack import MARK, App
from credyt_mcp.codegen.templates import render

DEPENDENCIES = (
    "pyproject.toml",
    "requirements.txt",
    "requirements/base.txt",
    "setup.py",
    "Pipfile",
)
ROUTES = "/api/billing"
ENTRY_NAMES = ("main.py", "app.py", "server.py", "api.py", "asgi.py", "wsgi.py", "__init__.py")


def wanted(app: App) -> list[str]:
    """Dependencies, files that may make the app, and files that may know the user."""
    return [
        path
        for path in app.files()
        if path in DEPENDENCIES
        or (PurePosixPath(path).name in ENTRY_NAMES and path.count("/") <= 3)
        or re.search(r"(^|/)(auth|deps|dependencies|security|login|users?)\.py$", path)
    ]


def depends_on(app: App, name: str) -> str | None:
    """The file that lists the package."""
    line = re.compile(rf"""(?im)^[\s\[]*(?:dependencies\s*=\s*\[\s*)?["']?{name}\b""")
    return next((path for path in DEPENDENCIES if line.search(app.text(path))), None)


def folder_of(path: str) -> str:
    parent = str(PurePosixPath(path).parent)
    return "" if parent == "." else parent


def module_of(app: App, path: str) -> str:
    """What the file is imported as, with the app's folder (or its src/) on the path."""
    trimmed = path.removesuffix(".py").removesuffix("/__init__")
    return trimmed.removeprefix("src/").replace("/", ".")


def import_of(app: App, entry: str, package: str) -> str:
    """How the entry file should import the emitted package, in the way it imports its own."""
    folder = folder_of(entry)
    name = PurePosixPath(package).name
    if not folder:
        return name
    dotted = module_of(app, folder)
    if re.search(rf"(?m)^\s*(from|import) {re.escape(dotted)}\b", app.text(entry)):
        return f"{dotted}.{name}"
    if f"{folder}/__init__.py" in app.files() or re.search(r"(?m)^from \.", app.text(entry)):
        return f".{name}"
    siblings = {PurePosixPath(path).stem for path in app.files() if folder_of(path) == folder}
    imported = set(re.findall(r"(?m)^(?:from|import) (\w+)", app.text(entry)))
    return name if siblings & imported else f"{dotted}.{name}"


def test_import_of(app: App, imported: str, package: str) -> str:
    return module_of(app, package) if imported.startswith(".") else imported


def values(answers: Answers, stack: str, **more: Any) -> dict[str, Any]:
    """What every template is given."""
    return {
        "mark": "\n".join(MARK).format(stack=stack),
        "stack": stack,
        "routes": ROUTES,
        "products": answers.products,
        "asset": answers.asset,
        "currency": answers.currency,
        "amounts": answers.top_up_amounts,
        "events": answers.events,
        **more,
    }


def parts(package: str, stack: str, own: tuple[str, ...], given: dict[str, Any]) -> dict[str, str]:
    """The owned files of an emitted package: the shared ones and the stack's own."""
    shared = ("errors", "client", "charges", "outbox", "webhooks")
    templates = {name: f"python/{name}.py.j2" for name in shared}
    templates |= {name: f"{stack}/{name}.py.j2" for name in own}
    return {
        f"{package}/{name}.py": render(template, **given) for name, template in templates.items()
    }


def tests(app: App, stack: str, given: dict[str, Any]) -> dict[str, str]:
    return {
        "tests/billing_fake.py": render("python/billing_fake.py.j2", **given),
        "tests/test_billing.py": render(f"{stack}/test_billing.py.j2", **given),
    }


def last_import(app: App, entry: str) -> str | None:
    """The line of the last top-level import that fits on its line, to insert after."""
    lines = app.text(entry).splitlines()
    found = [
        line for line in lines if re.match(r"(from \S+ )?import [^(\\]+$", line.split("  #")[0])
    ]
    return found[-1] if found and lines.count(found[-1]) == 1 else None


def import_after(anchor: str, statement: str) -> Insertion:
    """An import of the app's own, set apart from imports of packages as formatters do."""
    own = (
        anchor.startswith("from .")
        or anchor.split()[1].split(".")[0] == (statement.split()[1].split(".")[0])
    )
    return Insertion((statement,) if own else ("", statement), anchor)


def end_of_call(text: str, function: str) -> int | None:
    """The index of the last line of the top-level assignment of a call; None if it is unclear."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return None
    ends = [
        node.end_lineno
        for node in body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and isinstance(node.value, ast.Call)
        and getattr(node.value.func, "id", None) == function
    ]
    return ends[0] - 1 if len(ends) == 1 and ends[0] is not None else None


def after_line(text: str, at: int, statement: str) -> Insertion | None:
    """After that line, or before what follows it; None if neither line is the only such one."""
    lines = text.splitlines()
    if lines.count(lines[at]) == 1:
        return Insertion((statement,), lines[at])
    following = next((line for line in lines[at + 1 :] if line.strip()), None)
    if following is not None and lines.count(following) == 1:
        return Insertion((statement, ""), following, before=True)
    return None


def once_made(app: App, entry: str, function: str, take: str, call: str) -> tuple[Insertion, ...]:
    """The import after the last one, the call after the statement that makes the app; nothing
    where either place is unclear."""
    anchor, text = last_import(app, entry), app.text(entry)
    end = end_of_call(text, function)
    placed = None if end is None else after_line(text, end, call)
    return () if anchor is None or placed is None else (import_after(anchor, take), placed)


def installing(
    entry: str, guard: str, insertions: tuple[Insertion, ...], take: str, call: str
) -> Edit:
    return Edit(
        path=entry,
        guard=guard,
        insertions=insertions,
        reason="adds billing's routes, and answers its errors as JSON",
        by_hand=f"In {entry}, import it and call it once the app is made:\n{take}\n{call}",
    )


def package_for(folder: str) -> str:
    return f"{folder}/billing" if folder else "billing"
