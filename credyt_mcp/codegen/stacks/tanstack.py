"""TanStack Start, as new Lovable makes it: server routes of their own, errors as thrown Responses.

The code in server functions and routes finds the request that is being served by itself.
"""

from __future__ import annotations

from credyt_mcp.codegen.answers import Answers
from credyt_mcp.codegen.operations import EnvVariable
from credyt_mcp.codegen.stacks import typescript_app as typescript
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

OWN = ("index", "paid", "refusing")
ROUTES = ("balance", "top-up", "portal", "webhook")
ROOT = "src/routes/__root.tsx"
SUPABASE = "src/integrations/supabase/client.ts"
SUPABASE_KEY = "SUPABASE_PUBLISHABLE_KEY"
UP = "../" * 4


def wanted(app: App) -> list[str]:
    """Dependencies, and what may know the user."""
    return typescript.wanted(app, "@tanstack/react-start", r"^src/(.*/)?auth(\.server)?\.ts$")


def match(app: App) -> Match | None:
    if "@tanstack/react-start" not in typescript.dependencies(app) or ROOT not in app.files():
        return None
    kind, where = _user(app)
    evidence = ["package.json lists @tanstack/react-start", f"{ROOT} is the root of its routes"]
    evidence += [f"{where} knows the user"] if where else []
    return Match("tanstack", app.root, "sure", tuple(evidence), "src/routes", kind)


def _user(app: App) -> tuple[str, str]:
    """How the app knows its user, and the file that says so."""
    if "@clerk/tanstack-react-start" in typescript.dependencies(app):
        return "clerk", "package.json"
    if SUPABASE in app.files():
        return "supabase", SUPABASE
    for path, _ in app.search(r"\bauth\b.*=\s*betterAuth\(", ".ts"):
        return "better-auth", path
    return "unknown", ""


def emit(app: App, found: Match, answers: Answers, package: str) -> Emission:
    given = typescript.values(
        answers,
        "tanstack",
        ext="",
        runner=typescript.runner(app),
        user_kind=found.auth,
        auth_module=typescript.module(app, _user(app)[1], UP),
        supabase=typescript.module(app, SUPABASE, "../../"),
        supabase_key=SUPABASE_KEY,
        package_import=f"../{package}",
        lib=typescript.module(app, package, UP),
    )
    owned = typescript.parts(package, "tanstack", OWN, given)
    for name in ROUTES:
        owned[f"src/routes/api/billing/{name}.ts"] = render(f"tanstack/{name}.ts.j2", **given)
    token = "-supabase" if found.auth == "supabase" else ""
    component = f"typescript/billing-balance{token}.tsx.j2"
    seeded = {
        f"{package}/config.ts": render("typescript/config.ts.j2", **given),
        f"{package}/user.ts": render("tanstack/user.ts.j2", **given),
        "src/components/BillingBalance.tsx": render(component, **given),
        **typescript.tests(given, "tanstack/billing.test.ts.j2"),
    }
    wraps = (_wrapped(event, given["lib"]) for event in answers.events)
    return Emission(
        owned=owned,
        seeded=seeded,
        edits=(),
        by_hand=(*who_pays(found, f"{package}/user.ts", "currentUserId"), *wraps),
        env=(*environment("http://localhost:3000"), *_of_supabase(found)),
        checks=("npm run build", "npx tsc --noEmit", typescript.testing(given["runner"])),
    )


def _of_supabase(found: Match) -> tuple[EnvVariable, ...]:
    if found.auth != "supabase":
        return ()
    return (
        EnvVariable("SUPABASE_URL", "", "who is signed in is asked there"),
        EnvVariable(SUPABASE_KEY, "", "with the public key, as the page has it"),
    )


def _wrapped(event: str, module: str) -> ByHand:
    said = (
        "Around the work of the server function or route that this is about:\n"
        f'import {{ billable }} from "{module}";\n'
        f'const result = await billable("{event}", async (charge) => {{\n'
        "  …the work; charge.use({ tokens }) says what prices read of it,\n"
        "  charge.modelCall({ provider, model, usage }) what a model's answer cost you\n"
        "});\n"
        "What is thrown is a Response, whose JSON has a `code`: let no catch swallow it.\n"
        "A stream: const charge = await hold(…); return billedStream(charge, chunks);"
    )
    reason = f"hold before '{event}' runs, bill it when it is done"
    return ByHand("src/routes", reason, said, event)


STACK = Stack(
    name="tanstack",
    marks=("package.json",),
    wanted=wanted,
    match=match,
    package=lambda app, found: "src/lib/billing",
    emit=emit,
    endings=(".ts", ".tsx"),
)
