"""Vite with Supabase edge functions (Deno), as older Lovable and Bolt make it.

Billing is in functions, the balance in the page, which calls them with its session's token.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from credyt_mcp.codegen.answers import Answers
from credyt_mcp.codegen.edits import Edit, Insertion, find_line
from credyt_mcp.codegen.stacks import typescript_app as typescript
from credyt_mcp.codegen.stacks.stack import App, ByHand, Emission, Match, Stack, environment
from credyt_mcp.codegen.templates import render

FUNCTIONS = "supabase/functions"
CONFIG = "supabase/config.toml"
ROUTES = "/functions/v1/billing"
OWN = ("index", "handler")
OTHERS = ("next", "@tanstack/react-start", "express", "hono")
HANDLER = "Deno.serve(withBilling(async (request) => {\n…\n}));"
CLIENT = r"^export const supabase\b.*=\s*createClient\b"
DEPLOYED = ByHand(
    f"{FUNCTIONS}/billing-webhook/index.ts",
    "the billing server calls billing-webhook with a signature and no token",
    "Deploy billing-webhook without the check of tokens (JWT verification).",
)
UNVERIFIED = ("[functions.billing-webhook]", "verify_jwt = false")


def wanted(app: App) -> list[str]:
    """Dependencies, the functions' settings, and what may be the page's client of Supabase."""
    page = r"^src/(.*/)?(client|supabase(Client|-client)?)\.ts$"
    other = typescript.first(app, OTHERS)
    return typescript.wanted(app, "vite", *(() if other else (f"^{CONFIG}$", page)))


def match(app: App) -> Match | None:
    functions = [path for path in app.files() if re.match(rf"{FUNCTIONS}/[^_/]+/index\.ts$", path)]
    known = typescript.dependencies(app)
    if "vite" not in known or typescript.first(app, OTHERS):
        return None
    if not functions and CONFIG not in app.files():
        return None
    entry = functions[0] if functions else CONFIG
    evidence = (f"{entry} is for Supabase", "package.json lists vite")
    return Match("supabase", app.root, "sure", evidence, entry, "supabase")


def emit(app: App, found: Match, answers: Answers, package: str) -> Emission:
    folder = PurePosixPath(package).name
    given = typescript.values(
        answers,
        "supabase",
        ext=".ts",
        runner="node:test",
        package_import=f"../_shared/{folder}",
        folder=folder,
        supabase_key="SUPABASE_ANON_KEY",
    ) | {"routes": ROUTES, "env": "Deno.env.get(name)"}
    owned = typescript.parts(package, "supabase", OWN, given)
    for name in ("billing", "billing-webhook"):
        owned[f"{FUNCTIONS}/{name}/index.ts"] = render(f"supabase/{name}.ts.j2", **given)
    test = f"{FUNCTIONS}/tests/billing-test.ts"
    seeded = {
        f"{package}/config.ts": render("supabase/config.ts.j2", **given),
        f"{FUNCTIONS}/tests/billing-fake.ts": render("typescript/billing-fake.ts.j2", **given),
        test: render("typescript/web.test.ts.j2", **given),
    }
    for path, _ in app.search(CLIENT, ".ts"):
        given["supabase"] = typescript.module(app, path, "../../")
        component = render("typescript/billing-balance-supabase.tsx.j2", **given)
        seeded["src/components/BillingBalance.tsx"] = component
        break
    functions = " ".join(f"{FUNCTIONS}/{name}/index.ts" for name in ("billing", "billing-webhook"))
    module = f"../_shared/{folder}/index.ts"
    wraps = (
        typescript.wrapped(FUNCTIONS, event, module, "request", HANDLER) for event in answers.events
    )
    configured = CONFIG in app.files()
    return Emission(
        owned=owned,
        seeded=seeded,
        edits=(_unverified(app),) if configured else (),
        by_hand=tuple(wraps) if configured else (DEPLOYED, *wraps),
        env=environment("http://localhost:5173"),
        checks=(
            f"deno check {functions}",
            f"deno test --allow-net --allow-env {test}",
            "npm run build",
        ),
    )


def _unverified(app: App) -> Edit:
    """The webhook has a signature and no token. TOML's tables go before or after one another."""
    text = app.text(CONFIG)
    table = find_line(text, r"^\[")
    last = find_line(text, r"\S", last=True)
    insertions: tuple[Insertion, ...] = ()
    if table:
        insertions = (Insertion((*UNVERIFIED, ""), table, before=True),)
    elif last:
        insertions = (Insertion(("", *UNVERIFIED), last),)
    return Edit(
        path=CONFIG,
        guard=r"^\[functions\.billing-webhook\]",
        insertions=insertions,
        reason="lets the billing server call billing-webhook, which checks its signature",
        by_hand="\n".join(UNVERIFIED),
    )


STACK = Stack(
    name="supabase",
    marks=("package.json",),
    wanted=wanted,
    match=match,
    package=lambda app, found: f"{FUNCTIONS}/_shared/billing",
    emit=emit,
    endings=(".ts", ".tsx"),
)
