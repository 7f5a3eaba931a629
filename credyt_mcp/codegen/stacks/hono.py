"""Hono in TypeScript, on Node and elsewhere: the routes after the sign-in, errors as Hono's own."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from credyt_mcp.codegen.answers import Answers
from credyt_mcp.codegen.edits import Edit, Insertion, find_line
from credyt_mcp.codegen.stacks import typescript_app as typescript
from credyt_mcp.codegen.stacks.python_app import folder_of
from credyt_mcp.codegen.stacks.stack import App, Emission, Match, Stack, environment, who_pays
from credyt_mcp.codegen.templates import render

MADE = r"^(?:export )?const (\w+)\s*=\s*new Hono(?:<.*>)?\("
OWN = ("index", "paid", "routes")
CLERK = ("@clerk/hono", "@hono/clerk-auth")
USERS = (
    ("jwt", r"""\b(?:get\(["']jwtPayload["']\)|var\.jwtPayload\b)|from ["']hono/jwt["']"""),
    ("userId", r"""\b(?:[gs]et\(["']userId["']|var\.userId\b)"""),
    ("user", r"""\b(?:[gs]et\(["']user["']|var\.user\b)"""),
)
HANDLER = "app.post(path, withBilling(async (c) => {\n…\n}));"
LAST = (
    r"""^(?:{name}\.(?:notFound\(|(?:use|get|all)\(\s*["']/?\*["'],\s*serveStatic)"""
    r"""|(?:const \w+ = )?serve\(|export default |export type \w+ = typeof {name}\b)"""
)


def wanted(app: App) -> list[str]:
    """Dependencies and what may make the app or know the user."""
    return typescript.wanted(
        app,
        "hono",
        r"(^|/)(app|index|server|main)\.tsx?$",
        r"(^|/)\w*([aA]uth|[sS]ession|[mM]iddleware)\w*\.ts$",
    )


def match(app: App) -> Match | None:
    if "hono" not in typescript.dependencies(app):
        return None
    made = [path for path, _ in app.search(MADE, ".ts", ".tsx") if "test" not in path]
    made = [path for path in made if not path.endswith("billing/routes.ts")]
    if not made:
        return None
    entry = min(made, key=lambda path: (path.count("/"), path))
    kind, where = _user(app)
    evidence = [f"{entry} makes a Hono app", "package.json lists hono"]
    evidence += [f"{where} knows the user"] if where else []
    sure = len(made) == 1
    return Match("hono", app.root, "sure" if sure else "likely", tuple(evidence), entry, kind)


def _user(app: App) -> tuple[str, str]:
    if typescript.first(app, CLERK):
        return "clerk", "package.json"
    return app.known_user(USERS, ".ts", ".tsx")


def emit(app: App, found: Match, answers: Answers, package: str) -> Emission:
    name = PurePosixPath(package).name
    given = typescript.values(
        answers,
        "hono",
        ext=typescript.ending(app),
        runner=typescript.runner(app),
        user_kind=found.auth,
        clerk=typescript.first(app, CLERK),
        package_import=f"../{package}",
    )
    wraps = (
        typescript.wrapped(found.entry, event, f"./{name}/index{given['ext']}", "c", HANDLER)
        for event in answers.events
    )
    return Emission(
        owned=typescript.parts(package, "hono", OWN, given),
        seeded={
            f"{package}/config.ts": render("hono/config.ts.j2", **given),
            **typescript.page(app, given),
            **typescript.tests(given, "hono/billing.test.ts.j2"),
        },
        edits=(_mount(app, found, name, given["ext"]),),
        by_hand=(*who_pays(found, f"{package}/config.ts", "currentUserId"), *wraps),
        env=environment("http://localhost:3000"),
        checks=("npx tsc --noEmit", typescript.testing(given["runner"])),
    )


def _mount(app: App, found: Match, package: str, ext: str) -> Edit:
    """Before what catches all, or what serves the app."""
    text = app.text(found.entry)
    made = re.search(MADE, text, re.M)
    assert made is not None
    imports = typescript.last_import(text)
    last = find_line(text, LAST.format(name=re.escape(made[1])))
    take = typescript.import_line(text, "{ billingRoutes }", f"./{package}/index{ext}")
    end = ";" if take.endswith(";") else ""
    quote = take[-2 if end else -1]
    route = f"{made[1]}.route({quote}{typescript.ROUTES}{quote}, billingRoutes){end}"
    insertions: tuple[Insertion, ...] = ()
    if imports and last:
        insertions = (
            Insertion((take,), imports),
            Insertion((route, ""), last, before=True),
        )
    return Edit(
        path=found.entry,
        guard=r"\bbillingRoutes\)",
        insertions=insertions,
        reason="mounts billing's routes",
        by_hand=f"{take}\nafter the sign-in and your routes: {route}",
    )


STACK = Stack(
    name="hono",
    marks=("package.json",),
    wanted=wanted,
    match=match,
    package=lambda app, found: f"{folder_of(found.entry)}/billing".removeprefix("/"),
    emit=emit,
    endings=(".ts", ".tsx"),
)
