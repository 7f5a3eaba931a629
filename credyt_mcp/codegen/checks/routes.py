"""Which route of an app leads to a billable action: by the event type that its code names. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from credyt_mcp.codegen import manifest as manifests
from credyt_mcp.codegen.checks import syntax
from credyt_mcp.codegen.checks.checking import read_sources
from credyt_mcp.codegen.checks.syntax import Source, called, line_of, part_of, text_of
from credyt_mcp.codegen.checks.vocabulary import HOLDS, SCOPED
from credyt_mcp.codegen.checks.webhooks import ROUTE as WEBHOOK
from credyt_mcp.codegen.snapshot import AppSnapshot

METHODS = ("post", "put", "patch", "delete", "get")
FILE_ROUTE = re.compile(r"(?:^|/)app/(.*?)/?route\.[jt]sx?$")
EDGE_FUNCTION = re.compile(r"(?:^|/)supabase/functions/([\w-]+)/index\.ts$")
SAID_ROUTE = re.compile(r"""createFileRoute\(["'](/[^"'$]*)["']\)""")


@dataclass(frozen=True, order=True)
class Billable:
    """`path` of the route is '' where the code does not say it plainly."""

    event: str
    file: str
    line: int
    method: str
    path: str


def billable_routes(snapshot: AppSnapshot) -> list[Billable]:
    manifest = manifests.read(snapshot.text(manifests.PATH))
    events = list(manifest.answers.get("events", [])) if manifest else []
    found = {
        Billable(event, source.path, line_of(call), *_route(source, call))
        for source in read_sources(snapshot)
        for call in source.calls
        if syntax.last_name(call) in SCOPED | HOLDS
        for event in events
        if event in {text_of(one).strip("\"'`") for one in syntax.arguments(call)}
    }
    return sorted(found)


def webhook_path(snapshot: AppSnapshot) -> str:
    """Where the app hears from billing."""
    functions = (found[1] for one in snapshot.files if (found := EDGE_FUNCTION.search(one)))
    return "/functions/v1/billing-webhook" if "billing-webhook" in functions else WEBHOOK


def _route(source: Source, call: Node) -> tuple[str, str]:
    for above in syntax.ancestors(call):
        if above.type == "decorated_definition":
            for decorator in (one for one in above.children if one.type == "decorator"):
                if said := next(_said(source, decorator), None):
                    return said
        elif above.type in syntax.CALLS and (said := next(_said(source, above), None)):
            return said
    if found := FILE_ROUTE.search(source.path):
        parts = [one for one in found[1].split("/") if not one.startswith("(")]
        exported = [one for one in ("POST", "PUT", "PATCH", "GET", "DELETE") if one in _above(call)]
        if exported and not any("[" in one for one in parts):
            return exported[0], "/" + "/".join(parts)
    if found := EDGE_FUNCTION.search(source.path):
        return "POST", f"/functions/v1/{found[1]}"
    keys = {text_of(part_of(one, "key")) for one in syntax.ancestors(call) if one.type == "pair"}
    method = next((one.upper() for one in METHODS if one.upper() in keys), "")
    if method and (found := SAID_ROUTE.search(source.text)):
        return method, found[1]
    return "", ""


def _said(source: Source, node: Node) -> Iterator[tuple[str, str]]:
    """Method and path of `app.post("/x", …)`, and of Flask's `route`."""
    for call in (one for one in syntax.walk(node, own=True) if one.type in syntax.CALLS):
        verb, given = syntax.last_name(call), syntax.arguments(call)
        path = text_of(given[0]).strip("\"'") if given and given[0].type == "string" else ""
        if not path.startswith("/") or re.search(r"[<{:]", path):
            continue
        prefix = _prefix(source, called(call).rpartition(".")[0])
        if verb in METHODS:
            yield verb.upper(), prefix + path
        elif verb == "route":
            yield ("POST" if "POST" in text_of(call) else "GET"), prefix + path


def _prefix(source: Source, router: str) -> str:
    for pattern, value in syntax.bindings(source.root):
        if text_of(pattern) == router:
            said = re.search(r"""(?:url_)?prefix\s*=\s*["'](/[^"']*)["']""", text_of(value))
            return said[1].rstrip("/") if said else ""
    return ""


def _above(node: Node) -> set[str]:
    """Names of what is exported around a node."""
    return {
        text_of(one.child_by_field_name("name"))
        for one in syntax.ancestors(node)
        if one.child_by_field_name("name") is not None
    }
