"""Rules about secrets and settings: not in a browser, not in the repository, and set. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from credyt_mcp.codegen.checks.findings import Finding
from credyt_mcp.codegen.checks.syntax import CALLS, Source, last_name, line_of, text_of

NAMES = re.compile(r"\bCREDYT_(?:API_KEY|WEBHOOK_SECRET)\b")
PUBLIC = re.compile(
    r"\b(?:NEXT_PUBLIC|VITE|REACT_APP|EXPO_PUBLIC|NUXT_PUBLIC|GATSBY|PUBLIC)_"
    r"\w*(?:CREDYT|BILLING)\w*(?:KEY|SECRET|TOKEN)\w*"
)
VALUES = re.compile(r"\bkey_[0-9a-hjkmnp-tv-z]{32}\b|\bwhsec_[A-Za-z0-9+/]{24,}={0,2}")
PAGES = re.compile(r"(?:^|/)(?:public|static|client)/|\.(?:html|vue|svelte)$")
EXPOSING = re.compile(r"(?:^|/)(?:next|vite|astro|nuxt)\.config\.\w+$")
SERVER_MODULE = re.compile(
    r"(?:^|/)billing(?:/(?:index|client|charges|paid|web|webhooks))?(?:\.[jt]s)?$"
)
SETTINGS = re.compile(r"[\"'.](CREDYT_URL|CREDYT_API_KEY|CREDYT_WEBHOOK_SECRET|APP_URL)\b")
BUNDLES = (
    *(".next/static/", "dist/client/", "dist/assets/", ".output/public/"),
    *("build/client/", "build/static/", "out/_next/static/"),
)
"""Folders of files that are sent to browsers as they are."""


def in_client(files: Mapping[str, str], sources: Iterable[Source]) -> Iterator[Finding]:
    """Names of secrets where browsers get them, and server modules that a page imports."""
    pages = {path for path in files if PAGES.search(path) and not path.endswith(".py")}
    pages |= {one.path for one in sources if one.for_browsers}
    pages |= {path for path in files if any(_below(path, root) for root in _single_pages(files))}
    for path, text in files.items():
        pattern = NAMES if path in pages or EXPOSING.search(path) else PUBLIC
        for found in [*pattern.finditer(text), *PUBLIC.finditer(text)]:
            said = f"{found[0]} is compiled into pages"
            yield Finding(path, _line(text, found.start()), "secret-in-client", said)
    for source in sources:
        if source.path in pages:
            yield from _server_imports(source)


def _server_imports(source: Source) -> Iterator[Finding]:
    for node in source.nodes:
        if node.type == "import_statement" and not text_of(node).startswith("import type"):
            module = text_of(node.child_by_field_name("source")).strip("\"'")
            if SERVER_MODULE.search(module):
                said = f"a page imports {module}, which is for servers"
                yield Finding(source.path, line_of(node), "secret-in-client", said)


def handed_over(sources: Iterable[Source]) -> Iterator[Finding]:
    """A secret that a server's code puts into a page: a property of a component, a template's."""
    for source in sources:
        for node in source.nodes:
            shown = node.type == "jsx_attribute" or (
                node.type in CALLS
                and last_name(node) in ("render_template", "render", "res.render")
            )
            if shown and (found := NAMES.search(text_of(node))):
                said = f"{found[0]} is handed to a page"
                yield Finding(source.path, line_of(node), "secret-in-client", said)


def _single_pages(files: Mapping[str, str]) -> Iterator[str]:
    """Folders that Vite compiles for browsers: all source of an app that has no server of its own,
    the components of one that has."""
    for path, text in files.items():
        folder = path.removesuffix("package.json")
        if folder == path or not re.search(r'"vite"\s*:', text):
            continue
        if '"@tanstack/react-start"' in text:
            yield f"{folder}src/components/"
        elif not re.search(r'"(?:express|hono|@sveltejs/kit|astro)"\s*:', text):
            yield f"{folder}src/"


def _below(path: str, folder: str) -> bool:
    return path.startswith(folder) and ".server." not in path and ".functions." not in path


def in_code(files: Mapping[str, str]) -> Iterator[Finding]:
    for path, text in files.items():
        for found in VALUES.finditer(text):
            said = f"a secret is written down: {found[0][:8]}…"
            yield Finding(path, _line(text, found.start()), "secret-in-code", said)


def in_bundles(bundles: Mapping[str, str], values: frozenset[str]) -> Iterator[Finding]:
    """What was built for browsers; `values` are the secrets themselves, where they are known."""
    for path, text in bundles.items():
        found = NAMES.search(text) or VALUES.search(text)
        at = found.start() if found else min((text.find(one) for one in values), default=-1)
        if at < 0:
            at = next((text.find(one) for one in values if one in text), -1)
        if at >= 0:
            said = "a secret, or its name, is in what browsers load"
            yield Finding(path, _line(text, at), "secret-in-client", said)


def unset(
    files: Mapping[str, str], sources: Iterable[Source], known: frozenset[str] | None
) -> Iterator[Finding]:
    """Settings that the code reads: named in the example, and set where `known` says what is."""
    read = {found for one in sources for found in SETTINGS.findall(one.text)}
    examples = {path: text for path, text in files.items() if path.endswith(".env.example")}
    if not read:
        return
    path, text = min(examples.items(), default=(".env.example", ""))
    named = {line.partition("=")[0].strip() for line in text.splitlines()}
    for name in sorted(read - named):
        yield Finding(path, 0, "env-missing", f"{name} is read by the code and not named here")
    for name in sorted(read - known) if known is not None else ():
        yield Finding(".env", 0, "env-missing", f"{name} is read by the code and not set")


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
