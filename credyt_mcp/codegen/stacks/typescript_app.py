"""What TypeScript stacks have in common: package.json, import endings, and the parts alike."""

from __future__ import annotations

import json
import re
from typing import Any

from credyt_mcp.codegen.answers import Answers
from credyt_mcp.codegen.stacks.stack import MARK, App, ByHand
from credyt_mcp.codegen.templates import render

ROUTES = "/api/billing"
SHARED = ("errors", "client", "charges", "outbox", "webhooks")
WEB = (*SHARED, "web")
"""The shared parts where handlers take a Request and answer a Response."""
SETTINGS = ("package.json", "tsconfig.json", "tsconfig.app.json")
NODE_ENV = "process.env[name]"
TEST_RUNNERS = ("vitest",)


def dependencies(app: App) -> dict[str, Any]:
    """Every package that package.json names; {} if there is none that can be read."""
    try:
        said = json.loads(app.text("package.json") or "{}")
        return {**said.get("dependencies", {}), **said.get("devDependencies", {})}
    except (ValueError, AttributeError, TypeError):
        return {}


def first(app: App, packages: tuple[str, ...]) -> str:
    """The first of these that package.json names, or ''."""
    known = dependencies(app)
    return next((name for name in packages if name in known), "")


def wanted(app: App, package: str, *patterns: str) -> list[str]:
    """What says which packages there are; the files that match, unless this one is not there."""
    known = app.text("package.json")
    if known and package not in dependencies(app):
        patterns = ()
    return [
        path
        for path in app.files()
        if path in SETTINGS or any(re.search(pattern, path) for pattern in patterns)
    ]


def ending(app: App) -> str:
    """What the app's own relative imports end with: '.js' as Node wants it, '.ts', or nothing."""
    for path in app.files():
        if path.endswith((".ts", ".tsx")):
            found = re.search(r"""from ["']\.{1,2}/[^"']*?(\.js|\.ts)?["']""", app.text(path))
            if found:
                return found[1] or ""
    modern = re.search(r'"type"\s*:\s*"module"', app.text("package.json"))
    bundled = re.search(r'(?i)"moduleResolution"\s*:\s*"bundler"', app.text("tsconfig.json"))
    return ".js" if modern and not bundled else ""


def module(app: App, path: str, up: str) -> str:
    """What a file is imported as: by the app's alias '@/', or `up` to the app's folder and down."""
    name = path.removesuffix(".ts")
    said = app.text("tsconfig.json") + app.text("tsconfig.app.json")
    alias = re.search(r'"@/\*"\s*:\s*\[\s*"(?:\./)?(src/)?\*"', said)
    if alias is not None:
        return "@/" + (name.removeprefix("src/") if alias[1] else name)
    return up + name


def runner(app: App) -> str:
    """The app's own test runner, or the one that comes with Node."""
    known = dependencies(app)
    return next((name for name in TEST_RUNNERS if name in known), "node:test")


def testing(runner: str) -> str:
    """The command that runs the emitted tests."""
    command = "npx vitest run" if runner == "vitest" else "npx --yes tsx --test"
    return f"{command} tests/billing.test.ts"


def values(answers: Answers, stack: str, **more: Any) -> dict[str, Any]:
    """What every template is given."""
    return {
        "stack": stack,
        "mark": "\n".join(f"// {line}" for line in MARK).format(stack=stack),
        "routes": ROUTES,
        "env": NODE_ENV,
        "products": answers.products,
        "asset": answers.asset,
        "currency": answers.currency,
        "amounts": answers.top_up_amounts,
        "events": answers.events,
        **more,
    }


def parts(
    package: str,
    stack: str,
    own: tuple[str, ...],
    given: dict[str, Any],
    shared: tuple[str, ...] = WEB,
) -> dict[str, str]:
    """The owned files of an emitted folder: the shared ones and the stack's own."""
    templates = {name: f"typescript/{name}.ts.j2" for name in shared}
    templates |= {name: f"{stack}/{name}.ts.j2" for name in own}
    return {
        f"{package}/{name}.ts": render(template, **given) for name, template in templates.items()
    }


def tests(given: dict[str, Any], template: str = "typescript/web.test.ts.j2") -> dict[str, str]:
    """The seeded tests of an app that runs on Node."""
    return {
        "tests/billing-fake.ts": render("typescript/billing-fake.ts.j2", **given),
        "tests/billing.test.ts": render(template, **given),
    }


def page(app: App, given: dict[str, Any]) -> dict[str, str]:
    """The balance for the pages of a server that brings its own, if they are React's."""
    for source in ("client/src", "src"):
        if "react" in dependencies(app) and f"{source}/main.tsx" in app.files():
            component = render("typescript/billing-balance.tsx.j2", **given)
            return {f"{source}/components/BillingBalance.tsx": component}
    return {}


def wrapped(path: str, event: str, module: str, given: str, handler: str) -> ByHand:
    """Where handlers take a Request, or what has one: `handler` begins and ends with `{}`."""
    body = (
        f'  const result = await billable({given}, "{event}", async (charge) => {{\n'
        "    …the work; charge.use({ tokens }) says what prices read of it,\n"
        "    charge.modelCall({ provider, model, usage }) what a model's answer cost you\n"
        "  });\n"
        "  return Response.json(result);"
    )
    names = "billable, withBilling" if "withBilling" in handler else "billable"
    said = (
        "Around the work of the handler that this is about, outside of any catch of its own:\n"
        f'import {{ {names} }} from "{module}";\n'
        f"{handler.replace('…', body)}\n"
        f"A stream: const charge = await hold({given}, …);\n"
        "return billedStream(charge, chunks);"
    )
    return ByHand(path, f"hold before '{event}' runs, bill it when it is done", said, event)


def last_import(text: str) -> str | None:
    """The line that ends the last import at the top, to insert after."""
    lines = text.splitlines()
    found = [line for line in lines if re.match(r"(import|\} from) .*[\"'];?$", line)]
    return found[-1] if found and lines.count(found[-1]) == 1 else None


def import_line(text: str, names: str, module: str) -> str:
    """An import with the quotes and the semicolon, or none, of the file's own."""
    quote = "'" if text.count("'") > text.count('"') else '"'
    end = "" if re.search(r"^import [^;\n]*$", text, re.M) else ";"
    return f"import {names} from {quote}{module}{quote}{end}"
