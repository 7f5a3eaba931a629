"""Express 5 in TypeScript: the webhook before body parsers, the routes after the sign-in."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from credyt_mcp.codegen.answers import Answers
from credyt_mcp.codegen.edits import Edit, Insertion, find_line
from credyt_mcp.codegen.stacks import typescript_app as typescript
from credyt_mcp.codegen.stacks.python_app import folder_of
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

MADE = r"^(?:export )?const (\w+)(?:\s*:\s*[\w.]+)?\s*=\s*express\(\);?$"
OWN = ("index", "paid", "routes")
USERS = (
    ("clerk", r"""from ["']@clerk/express["']"""),
    ("claims", r"\breq\.user\??\.claims\b"),
    ("user", r"\breq\.user\b"),
    ("session", r"\breq\.session\??\.userId\b"),
)
CATCH_ALL = (
    r"""^\s*{name}\.use\(\s*(?:async )?\(?(?:err|error)\b"""
    r"""|^{name}\.(?:use|get|all)\(\s*["'](?:\*|/?\{{?\*)"""
)
LAST = r"^(?:{name}\.listen\(|export default {name}\b|module\.exports = {name}\b)"


def wanted(app: App) -> list[str]:
    """Dependencies and what may make the app or know the user."""
    return typescript.wanted(
        app,
        "express",
        r"(^|/)(app|index|server|main|routes)\.ts$",
        r"(^|/)\w*([aA]uth|[sS]ession|[mM]iddleware)\w*\.ts$",
    )


def match(app: App) -> Match | None:
    if "express" not in typescript.dependencies(app):
        return None
    made = [path for path, _ in app.search(MADE, ".ts") if "test" not in path]
    if not made:
        return None
    entry = min(made, key=lambda path: (path.count("/"), path))
    kind, where = app.known_user(USERS, ".ts")
    evidence = [f"{entry} makes an Express app", "package.json lists express"]
    evidence += [f"{where} knows the user"] if where else []
    sure = len(made) == 1
    return Match("express", app.root, "sure" if sure else "likely", tuple(evidence), entry, kind)


def emit(app: App, found: Match, answers: Answers, package: str) -> Emission:
    name = PurePosixPath(package).name
    given = typescript.values(
        answers,
        "express",
        ext=typescript.ending(app),
        runner=typescript.runner(app),
        user_kind=found.auth,
        package_import=f"../{package}",
    )
    by_hand = [ByHand(found.entry, *_wrap(event, name, given), event) for event in answers.events]
    return Emission(
        owned=typescript.parts(package, "express", OWN, given, typescript.SHARED),
        seeded={
            f"{package}/config.ts": render("express/config.ts.j2", **given),
            **typescript.page(app, given),
            **typescript.tests(given, "express/billing.test.ts.j2"),
        },
        edits=(_mount(app, found, name, given["ext"]),),
        by_hand=(*who_pays(found, f"{package}/config.ts", "currentUserId"), *by_hand),
        env=environment("http://localhost:3000"),
        checks=("npx tsc --noEmit", typescript.testing(given["runner"])),
    )


def _mount(app: App, found: Match, package: str, ext: str) -> Edit:
    """The webhook right after the app is made; the rest before what catches all, or the end."""
    text = app.text(found.entry)
    made = re.search(MADE, text, re.M)
    assert made is not None
    name = re.escape(made[1])
    module = f"./{package}/index{ext}" if ext else f"./{package}"
    take = typescript.import_line(text, "{ billingErrors, billingRoutes, billingWebhook }", module)
    end = ";" if take.endswith(";") else ""
    webhook = f"{made[1]}.use(billingWebhook()){end}"
    rest = (f"{made[1]}.use(billingRoutes()){end}", f"{made[1]}.use(billingErrors){end}")
    start, imports = find_line(text, MADE), typescript.last_import(text)
    last = find_line(text, CATCH_ALL.format(name=name)) or find_line(text, LAST.format(name=name))
    insertions: tuple[Insertion, ...] = ()
    if start and imports and last:
        indent = last[: len(last) - len(last.lstrip())]
        insertions = (
            Insertion((take,), imports),
            Insertion((webhook,), start),
            Insertion((*(indent + line for line in rest), ""), last, before=True),
        )
    said = "\n".join(
        (take, f"first of all: {webhook}", f"after the sign-in and your routes: {' '.join(rest)}")
    )
    return Edit(
        path=found.entry,
        guard=r"billingWebhook\(",
        insertions=insertions,
        reason="mounts billing's webhook before body parsers, its routes and errors at the end",
        by_hand=said,
    )


def _wrap(event: str, package: str, given: dict[str, str]) -> tuple[str, str]:
    reason = f"hold before '{event}' runs, bill it when it is done"
    return reason, (
        "Around the work of the handler that this is about:\n"
        f'import {{ billable }} from "./{package}/index{given["ext"]}";\n'
        f'const result = await billable(req, "{event}", async (charge) => {{\n'
        "  …the work; charge.use({ tokens }) says what prices read of it,\n"
        "  charge.modelCall({ provider, model, usage }) what a model's answer cost you\n"
        "});\n"
        "A stream: const charge = await hold(…), then await sendBilled(res, charge, chunks)."
    )


STACK = Stack(
    name="express",
    marks=("package.json",),
    wanted=wanted,
    match=match,
    package=lambda app, found: f"{folder_of(found.entry)}/billing".removeprefix("/"),
    emit=emit,
    endings=(".ts",),
)
