"""Next.js with the App Router: route files of their own, so that no file of the app is edited.

None exports `dynamic` or `runtime`: with the starter's cacheComponents those fail a build.
"""

from __future__ import annotations

from credyt_mcp.codegen.answers import Answers
from credyt_mcp.codegen.stacks import typescript_app as typescript
from credyt_mcp.codegen.stacks.stack import (
    App,
    Emission,
    Match,
    Stack,
    environment,
    who_pays,
)
from credyt_mcp.codegen.templates import render

OWN = ("index",)
HANDLER = "export const POST = withBilling(async (request) => {\n…\n});"
ROUTES = ("balance", "top-up", "portal", "webhook")


def wanted(app: App) -> list[str]:
    """Dependencies, the alias of imports, and what may know the user."""
    return typescript.wanted(
        app,
        "next",
        r"(^|/)(auth|supabase/server|supabase-server)\.ts$",
    )


def match(app: App) -> Match | None:
    folder = _app_folder(app)
    if folder is None or "next" not in typescript.dependencies(app):
        return None
    kind, module = _user(app)
    evidence = ["package.json lists next", f"{folder}/ is an App Router"]
    evidence += [f"{kind} knows the user" + (f" in {module}" if module else "")] * (
        kind != "unknown"
    )
    return Match("nextjs", app.root, "sure", tuple(evidence), folder, kind)


def _app_folder(app: App) -> str | None:
    files = set(app.files())
    for folder in ("app", "src/app"):
        if any(f"{folder}/layout.{ending}" in files for ending in ("tsx", "jsx", "js")):
            return folder
    return None


def _user(app: App) -> tuple[str, str]:
    """How the app knows its user, and the file that says so."""
    if "@clerk/nextjs" in typescript.dependencies(app):
        return "clerk", ""
    for path, _ in app.search(r"\bauth\b.*=\s*NextAuth\(", "auth.ts"):
        return "nextauth", path
    for path, _ in app.search(r"export (?:async )?function createClient\b", "server.ts"):
        return "supabase", path
    return "unknown", ""


def emit(app: App, found: Match, answers: Answers, package: str) -> Emission:
    source = "src/" if found.entry.startswith("src/") else ""
    given = typescript.values(
        answers,
        "nextjs",
        ext="",
        runner=typescript.runner(app),
        user_kind=found.auth,
        auth_module=typescript.module(app, _user(app)[1], "../" * (package.count("/") + 1)),
        package_import=f"../{package}",
        lib=typescript.module(app, package, "../" * (found.entry.count("/") + 4)),
    )
    owned = typescript.parts(package, "nextjs", OWN, given)
    for name in ROUTES:
        path = f"{found.entry}/api/billing/{name}/route.ts"
        owned[path] = render(f"nextjs/{name}.ts.j2", **given)
    seeded = {
        f"{package}/config.ts": render("typescript/config.ts.j2", **given),
        f"{package}/user.ts": render("nextjs/user.ts.j2", **given),
        f"{source}components/billing-balance.tsx": render(
            "typescript/billing-balance.tsx.j2", **given
        ),
        **typescript.tests(given),
    }
    wraps = (
        typescript.wrapped(found.entry, event, given["lib"], "request", HANDLER)
        for event in answers.events
    )
    return Emission(
        owned=owned,
        seeded=seeded,
        edits=(),
        by_hand=(*who_pays(found, f"{package}/user.ts", "currentUserId"), *wraps),
        env=environment("http://localhost:3000"),
        checks=("npx next build", "npx tsc --noEmit", typescript.testing(given["runner"])),
    )


STACK = Stack(
    name="nextjs",
    marks=("package.json",),
    wanted=wanted,
    match=match,
    package=lambda app, found: (
        "src/lib/billing" if found.entry.startswith("src/") else "lib/billing"
    ),
    emit=emit,
    endings=(".ts", ".tsx"),
)
